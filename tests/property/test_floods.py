"""However a text is flooded, what it copies is found."""

from __future__ import annotations

import asyncio
import random
import tempfile
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.model import Fingerprint, Found, Lookup, Outcome, Reservation, Settlement
from gateway.ports import Store
from gateway.state import Terms, open_store
from gateway.state.print_rows import AT_LEAST
from gateway.state.prints import CANDIDATES, REMEMBERED
from tests.patience import PATIENCE
from tests.property.processes import KEEP
from tests.samples import a_write
from tests.servers import Valkey

IN_FLIGHT = CANDIDATES - 1
"""Copies at once among which the original is still told; beyond, it is told when they have ended."""
ORIGINAL = random.Random(0).sample(range(2**32), 60)
LISTED = set(sorted(ORIGINAL)[:REMEMBERED])

FLOODS = st.lists(
    st.tuples(
        st.integers(1, 3 * IN_FLIGHT),  # at once
        st.integers(40, 60),  # prints kept of the original
        st.sampled_from([0, 0, 3, 200]),  # others
        st.sampled_from([Outcome.NOT_SENT, Outcome.REFUSED]),
    ),
    min_size=1,
    max_size=5,
)


def on(engine: str, valkey: Valkey, play: Callable[[Store], Awaitable[None]]) -> None:
    """Play on a new store of an engine."""
    valkey.ask("FLUSHALL")

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.db"
            urls = {"memory": "memory:", "sqlite": f"sqlite:///{file}", "redis": valkey.url}
            store = open_store(urls[engine], Terms(keep=KEEP, timeout=PATIENCE, posts=1 << 12))
            try:
                await play(store)
            finally:
                await store.close()

    asyncio.run(run())


def asks(number: int, prints: list[int]) -> Reservation:
    """A write with a look-up for near-copies."""
    packed = array("I", sorted(set(prints))).tobytes()
    found = Fingerprint(text=f"{number}", event=f"{number}", words=60, prints=packed)
    look = Lookup(compare="text", digest=found.text, within=1e5, team=None, near=True)
    write = a_write(id=f"w{number}", at=1000.0, request=f"r{number}", fingerprint=found)
    return Reservation(write=write, groups=({"copies": look},))


@pytest.mark.parametrize("engine", ["memory", "sqlite", "redis"])
@settings(max_examples=10, deadline=None)
@example(floods=[(3 * IN_FLIGHT, 58, 0, Outcome.NOT_SENT)] * 2, seed=0)
@given(floods=FLOODS, seed=st.integers(0, 9))
def test_a_flood_of_copies_never_hides_the_original(
    engine: str, valkey: Valkey, floods: list[tuple[int, int, int, Outcome]], seed: int
) -> None:
    """Every one of so many at once is told of it, and so is whoever comes when they have ended."""
    chance = random.Random(seed)

    async def play(store: Store) -> None:
        number = 0

        async def copy(kept: int, others: int) -> bool:
            """Whether a copy is told of the original, if it shares so much that it must be."""
            nonlocal number
            number += 1
            prints = [
                *chance.sample(ORIGINAL, kept),
                *(chance.getrandbits(32) for _ in range(others)),
            ]
            answer = (await store.reserve(asks(number, prints))).answers["copies"]
            assert isinstance(answer, Found)
            is_near = len(LISTED.intersection(prints)) >= AT_LEAST
            return not is_near or "w0" in [each.write_id for each in answer.posts]

        await store.reserve(asks(0, ORIGINAL))
        await store.settle("w0", Settlement(outcome=Outcome.OK))
        for at_once, kept, others, ends in floods:
            told = [await copy(kept, others) for _ in range(at_once)]
            for ended in range(number - at_once + 1, number + 1):
                await store.settle(f"w{ended}", Settlement(outcome=ends))

            assert all(told[: IN_FLIGHT + 1])

    on(engine, valkey, play)
