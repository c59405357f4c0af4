"""Laws of state, whatever is reserved and however it ends, over every engine."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import (
    Charged,
    Fingerprint,
    Found,
    Lookup,
    Need,
    Outcome,
    Reservation,
    Reserved,
    Settlement,
    Sharers,
)
from gateway.ports import Store
from gateway.state import Terms, open_store
from tests.patience import PATIENCE
from tests.property.model import CAPS, Model, told
from tests.property.processes import KEEP
from tests.samples import a_write

COPIES = "copies"


@dataclass(frozen=True)
class Step:
    """Seconds pass, a write is reserved, and an earlier one is settled (or none)."""

    gap: float
    text: str
    request: str
    caps: frozenset[str]
    observed: bool
    remember: bool
    preview: bool
    member: str
    settles: int
    outcome: Outcome


STEPS = st.lists(
    st.builds(
        Step,
        gap=st.sampled_from([-3.0, 0.0, 0.5, 1.0, 4.0, 9.0, 61.0]),
        text=st.sampled_from("xy"),
        request=st.sampled_from(["", "r", "s"]),
        caps=st.frozensets(st.sampled_from(["a", "b", "tries"])),
        observed=st.booleans(),
        remember=st.sampled_from([True, True, True, False]),
        preview=st.sampled_from([False, False, False, True]),
        member=st.sampled_from("mno"),
        settles=st.integers(0, 4),
        outcome=st.sampled_from(Outcome),
    ),
    max_size=25,
)


def reservation(number: int, at: float, step: Step, *, observed: bool = True) -> Reservation:
    """What a step asks."""
    write = a_write(
        id=f"w{number}",
        at=at,
        request=step.request,
        preview=step.preview,
        fingerprint=Fingerprint(text=step.text, event=step.text, words=9),
    )
    copies = Lookup(compare="text", digest=step.text, within=50, team=None)
    first: dict[str, Need] = {name: CAPS[name] for name in sorted(step.caps)}
    first |= {COPIES: copies, "shared": Sharers(name="first", member=step.member, within=50)}
    groups: tuple[Mapping[str, Need], ...] = (first,)
    if observed and step.observed:
        seen = Sharers(name="observed", member=step.member, within=50)
        groups += ({"observed": CAPS["observed"]}, {"observed sharers": seen})
    return Reservation(write=write, groups=groups, remember=step.remember)


# ── the laws ─────────────────────────────────────────────────────────────────────────────────

ENGINES = pytest.mark.parametrize("engine", ["memory", "sqlite"])


def on(engine: str, play: Callable[[Store], Awaitable[None]]) -> None:
    """Play on a new store of an engine."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            urls = {"memory": "memory:", "sqlite": f"sqlite:///{Path(folder) / 'state.db'}"}
            store = open_store(urls[engine], Terms(keep=KEEP, timeout=PATIENCE))
            try:
                await play(store)
            finally:
                await store.close()

    asyncio.run(run())


async def played(store: Store, steps: Sequence[Step], *, observed: bool = True) -> list[Reserved]:
    """Play steps and give what was answered."""
    at, answers = 1000.0, []
    for number, step in enumerate(steps):
        at += step.gap
        answers.append(await store.reserve(reservation(number, at, step, observed=observed)))
        await store.settle(f"w{number - step.settles}", Settlement(outcome=step.outcome))
    return answers


@ENGINES
@settings(max_examples=60)
@given(steps=STEPS)
def test_every_engine_answers_as_the_simplest_one_would(engine: str, steps: list[Step]) -> None:
    """Same answers, same groups taken, for any writes, endings and steps of the clock."""
    model, at, expected = Model(), 1000.0, []
    for number, step in enumerate(steps):
        at += step.gap
        expected.append(told(model.reserve(reservation(number, at, step))))
        model.settle(f"w{number - step.settles}", Settlement(outcome=step.outcome))

    async def play(store: Store) -> None:
        answers = await played(store, steps)

        assert [told(each) for each in answers] == expected

    on(engine, play)


@ENGINES
@settings(max_examples=60)
@given(steps=STEPS)
def test_no_window_ever_holds_more_than_its_limit(engine: str, steps: list[Step]) -> None:
    """Of what was accepted and not released; a repeat stands for the try that it replaces."""
    kept: dict[str, list[float]] = {name: [] for name in CAPS}

    async def play(store: Store) -> None:
        at, last = 1000.0, 0.0
        for number, step in enumerate(steps):
            at += step.gap
            asked = reservation(number, at, Step(**{**vars(step), "request": ""}))
            reserved = await store.reserve(asked)
            last = last if step.preview else max(at, last)
            outcome = Outcome.OK if reserved.taken else Outcome.NOT_SENT
            if step.outcome is Outcome.REFUSED:
                outcome = Outcome.REFUSED
            await store.settle(f"w{number}", Settlement(outcome=outcome))
            for rule, answer in reserved.answers.items():
                counts = outcome.keeps and step.remember and not step.preview
                if isinstance(answer, Charged) and answer.accepted and counts:
                    kept[rule].append(last)

    on(engine, play)
    for name in ("a", "b", "observed"):
        for window in CAPS[name].windows:
            for end in kept[name]:
                held = sum(end - window.seconds < at <= end for at in kept[name])
                assert held <= window.limit


@ENGINES
@settings(max_examples=40)
@given(steps=STEPS)
def test_observed_groups_change_nothing_for_the_first(engine: str, steps: list[Step]) -> None:
    """The first group's answers are the same with and without them."""
    seen: list[list[tuple[dict[str, object], bool]]] = []

    async def play(store: Store) -> None:
        answers = await played(store, steps, observed=not seen)
        seen.append(
            [
                ({r: a for r, a in each.answers.items() if "observed" not in r}, each.taken)
                for each in answers
            ]
        )

    on(engine, play)
    on(engine, play)
    assert seen[0] == seen[1]


@ENGINES
@settings(max_examples=40)
@given(steps=STEPS, extra=STEPS.filter(bool).map(lambda steps: steps[0]))
def test_release_gives_back_exactly_what_was_taken(
    engine: str, steps: list[Step], extra: Step
) -> None:
    """After reserve and release, every question has the answer that it had before."""
    plain = Step(**{**vars(extra), "caps": extra.caps - {"tries"}, "preview": False})

    async def play(store: Store) -> None:
        answers = await played(store, steps)
        at = 1000.0 + sum(step.gap for step in steps) + 100 * len(answers)
        every = frozenset(["a", "b", "tries"])
        asks = [
            reservation(900 + n, at, Step(**{**vars(extra), "text": text, "caps": every}))
            for n, text in enumerate("xy")
        ]
        before = [await store.peek(each) for each in asks]
        await store.reserve(reservation(800, at, plain))
        await store.settle("w800", Settlement(outcome=Outcome.REFUSED))

        assert [await store.peek(each) for each in asks] == before

    on(engine, play)


@ENGINES
@settings(max_examples=40)
@given(steps=STEPS, extra=STEPS.filter(bool).map(lambda steps: steps[0]))
def test_a_peek_says_what_reserve_then_says(engine: str, steps: list[Step], extra: Step) -> None:
    """However often it is asked, since it changes nothing."""

    async def play(store: Store) -> None:
        await played(store, steps)
        asked = reservation(900, 5000.0, extra)
        peeks = [await store.peek(asked) for _ in range(2)]

        assert peeks[0] == peeks[1] == await store.reserve(asked)

    on(engine, play)


@ENGINES
@settings(max_examples=40)
@given(
    order=st.permutations(range(8)),
    endings=st.lists(st.sampled_from([Outcome.OK, Outcome.REFUSED]), min_size=8, max_size=8),
    waits=st.lists(st.integers(0, 3), min_size=8, max_size=8),
)
def test_of_many_copies_exactly_one_is_published(
    engine: str, order: list[int], endings: list[Outcome], waits: list[int]
) -> None:
    """Never two with SOE at once, and none after one that it took; if it took any, then one."""
    with_soe, sent, published = 0, [], 0

    async def copy(store: Store, number: int) -> None:
        nonlocal with_soe, published
        step = Step(0.0, "x", "", frozenset(), False, True, False, "m", 0, Outcome.OK)
        reserved = await store.reserve(reservation(number, 1000.0, step))
        answer = reserved.answers[COPIES]
        assert isinstance(answer, Found)
        outcome = Outcome.NOT_SENT
        if not answer.posts:
            with_soe += 1
            assert with_soe == 1
            for _ in range(waits[number]):
                await asyncio.sleep(0)
            with_soe -= 1
            outcome = endings[number]
            sent.append(outcome)
            published += outcome is Outcome.OK
        await store.settle(f"w{number}", Settlement(outcome=outcome))

    async def play(store: Store) -> None:
        await asyncio.gather(*(copy(store, number) for number in order))

    on(engine, play)
    assert sent
    assert published == (Outcome.OK in sent)
    assert Outcome.OK not in sent[:-1]
