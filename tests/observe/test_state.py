"""State is watched at its door: what it says passes unchanged, and how it does is counted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.cli.serving.opening import LateStore
from gateway.errors import StoreError
from gateway.model import Charge, Outcome, Reservation, Settlement, Window
from gateway.observe.caps import CapUse
from gateway.observe.metrics import STORE_CALLS, Metrics
from gateway.observe.state import WatchedStore
from gateway.ports import ANY, Store
from gateway.state.memory import MemoryStore
from tests.samples import a_write

NOW = 1_795_000_000.0
CAP = Charge(cap="cap|", windows=(Window(limit=2, seconds=60.0),))
ASKED = Reservation(write=a_write(), groups=({"cap": CAP},))
ENDED = Settlement(outcome=Outcome.OK)
Call = Callable[[WatchedStore], Coroutine[Any, Any, object]]
CALLS: dict[str, list[Call]] = {
    "reserve": [lambda store: store.reserve(ASKED)],
    "settle": [lambda store: store.settle("w1", ENDED)],
    "keep_answer": [lambda store: store.keep_answer("w1", b"sealed")],
    "peek": [lambda store: store.peek(ASKED)],
    "notes": [
        lambda store: store.notes.put("a", b"1", NOW, until=NOW + 60, expected=ANY),
        lambda store: store.notes.get("a", NOW),
        lambda store: store.notes.names("a", 10, NOW),
        lambda store: store.notes.drop("a", NOW),
    ],
}


class Losing(MemoryStore):
    """A store that has lost data, until somebody accepts that."""

    lost = True

    async def peek(self, reservation: Reservation) -> Any:
        """As `Store.peek`."""
        if self.lost:
            raise StoreError("lost", code="LOST")
        return await super().peek(reservation)


def watched(store: Store) -> tuple[WatchedStore, Metrics]:
    """A store with what counts its calls."""
    metrics = Metrics()
    return WatchedStore(store, metrics, CapUse()), metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of a metric."""
    return metrics.registry.get_sample_value(f"soe_gateway_{name}", labels)


def test_every_call_of_a_store_is_tried_here() -> None:
    """No call can be added whose label nobody saw."""
    assert tuple(CALLS) == STORE_CALLS


@pytest.mark.parametrize("call", STORE_CALLS)
async def test_a_call_is_passed_on_and_timed(call: str) -> None:
    """What the store says comes back, and each call counts once under its name."""
    store, metrics = watched(MemoryStore(86_400.0))
    plain = MemoryStore(86_400.0)
    said = [await ask(store) for ask in CALLS[call]]
    expected = [await ask(plain) for ask in CALLS[call]]  # type: ignore[arg-type]  # it is asked the same

    assert said == expected
    assert value(metrics, "store_seconds_count", call=call) == len(CALLS[call])
    assert value(metrics, "store_errors_total", call=call) == 0
    assert value(metrics, "store_up") == 1


@pytest.mark.parametrize("call", STORE_CALLS)
async def test_a_call_that_fails_counts_as_an_error(call: str) -> None:
    """Whatever is asked of a store that is not there, the error passes on, and it is down."""
    store, metrics = watched(LateStore())
    for ask in CALLS[call]:
        with pytest.raises(StoreError, match="could not be opened yet"):
            await ask(store)

    assert value(metrics, "store_errors_total", call=call) == len(CALLS[call])
    assert value(metrics, "store_seconds_count", call=call) == len(CALLS[call])
    assert value(metrics, "store_up") == 0


async def test_a_store_that_works_again_is_up() -> None:
    """The last call decides; while data is lost and not accepted, that is told apart."""
    losing = Losing(86_400.0)
    store, metrics = watched(losing)
    with pytest.raises(StoreError):
        await store.peek(ASKED)
    down = value(metrics, "store_up"), value(metrics, "store_waiting_for_word")
    losing.lost = False
    await store.peek(ASKED)

    assert down == (0, 1)
    assert (value(metrics, "store_up"), value(metrics, "store_waiting_for_word")) == (1, 0)
