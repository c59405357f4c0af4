"""The laws of state, whatever processes do, in any order: reserve, settle, leave, die, come back."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine
from itertools import combinations, pairwise, permutations
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from gateway.model import (
    Found,
    Outcome,
    Reservation,
    Reserved,
    Settlement,
)
from gateway.ports import ANY, Administered
from gateway.state.accounting import KEY_SECONDS, PENDING_SECONDS
from gateway.state.notes import Wanted
from tests.property.asking import (
    BACK,
    COPIES,
    ENDINGS,
    PROCESS,
    REMEMBERED_FOR,
    Ask,
    asks,
    long_form,
    probe,
    reservation,
    run,
    seeded,
)
from tests.property.model import CAPS, Known, Model, told
from tests.property.processes import InMemory, OverFile, OverServer, Processes, pass_turns
from tests.servers import Valkey

_T = TypeVar("_T")

ASKS = asks(["a", "b", "tries"], [None, "k", None, "l"])
TRACELESS = asks(["a", "b"], [None])
"""What leaves no trace where nobody waits for it: neither a try nor a key."""
OF_TWO = st.lists(st.tuples(st.integers(0, 1), ENDINGS), max_size=3)
"""Which of the two newest writes ends, and how."""
SEEDED = st.sampled_from(["question/1", "question/3"])
GAPS = st.sampled_from([0.0, 1.0, 5.0, 10.0, -3.0, 61.0])
"""Also such that a write stands on the very edge of a window."""
DEEDS = st.sampled_from(
    [
        *(("release", back) for back in range(4)),
        *(("reset", cap) for cap in ("a", "b", "tries", "observed")),
        *(("forget", post) for post in ("question/1", "question/2")),
    ]
)
"""What operators do, and to what."""
TURNS = st.integers(1, 5)
NAMES = st.sampled_from(["a", "ab", "b"])
VALUES = st.sampled_from([b"", b"x"])
LASTS = st.sampled_from([0.0, 1.0, 5.0, 61.0, 600.0])
WANTED = st.sampled_from([ANY, None, None, b"", b"x", b"0"])
PUTS = st.tuples(PROCESS, NAMES, VALUES, LASTS, WANTED)
"""Who puts a note, and which, for how long, and in place of what."""
Put = tuple[int, str, bytes, float, Wanted]


class StateMachine(RuleBasedStateMachine):
    """Processes do what they like; whatever one answers is as the model says."""

    make: ClassVar[Any]
    """Makes what the processes share."""
    races: ClassVar[bool] = True
    """Whether calls overlap, so that a thread's pace may decide what a process is in the midst of."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()  # a Runner looks at signals each time, at some cost
        self.processes: Processes[Any] = self.make()
        self.stores: list[Administered] = [
            self.do(self.processes.open()) for _ in range(self.processes.count)
        ]
        self.model = Model()
        self.at = 1000.0
        self.sent_before: list[Ask] = []
        self.steps = 0
        self.sent: set[str] = set()
        """What a rule let pass that enforces that there is no copy."""
        self.lists_all = True
        """Whether there were never so many posts with prints that some are not listed."""

    def teardown(self) -> None:
        """End it all."""
        for store in self.stores:
            self.do(store.close())
        self.do(self.loop.shutdown_default_executor())
        self.loop.close()
        self.processes.end()

    def do(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Run a call to its end."""
        return self.loop.run_until_complete(call)

    def told(self, reserved: Reserved) -> Reserved:
        """An answer, as it must be the same from all."""
        self.lists_all = self.lists_all and self.model.lists_all()
        return told(reserved, near=self.lists_all)

    def agree(self, seen: Reserved, expected: Reserved) -> None:
        """See that an answer is the model's."""
        assert self.told(seen) == self.told(expected)

    def store(self, process: int) -> Administered:
        """The store of a process."""
        return self.stores[process % len(self.stores)]

    def asked(self, ask: Ask, at: float) -> Reservation:
        """The reservation of the next write."""
        self.sent_before.append(ask)
        return reservation(ask, at, len(self.sent_before))

    def write(self, back: int) -> str:
        """The id of the write so many writes ago; of none, before the first."""
        return f"w{len(self.sent_before) - back}"

    def end(self, store: Administered, write_id: str, settlement: Settlement) -> None:
        """Settle, here and in the model."""
        self.do(store.settle(write_id, settlement))
        self.model.settle(write_id, settlement)

    def go_on(self, store: Administered, asked: Reservation, reserved: Reserved) -> None:
        """Do with an answer as the pipeline does: refuse, or send."""
        write, copies = asked.write, reserved.answers.get(COPIES)
        found = isinstance(copies, Found) and copies.posts
        if reserved.repeat is None and (found or not reserved.taken):
            self.end(store, write.id, Settlement(outcome=Outcome.NOT_SENT))
        elif copies is not None and write.publishes and asked.remember and not write.preview:
            self.sent.add(write.id)

    # ── what clients and SOE do ──────────────────────────────────────────────────────────────

    @rule(seconds=st.sampled_from([30.0, 61.0, 599.0, KEY_SECONDS - 60]))
    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.at += seconds

    @rule(process=PROCESS, gap=GAPS, ask=ASKS, settlement=st.none() | ENDINGS)
    def writes(self, process: int, gap: float, ask: Ask, settlement: Settlement | None) -> None:
        """A process reserves, and may settle at once; a clock may have been set back a little."""
        self.at += gap
        store, asked = self.store(process), self.asked(ask, self.at)
        reserved = self.do(store.reserve(asked))

        self.agree(reserved, self.model.reserve(asked))
        self.go_on(store, asked, reserved)
        if settlement is not None:
            self.end(store, asked.write.id, settlement)

    @precondition(lambda self: self.sent_before)
    @rule(process=PROCESS, gap=GAPS, back=BACK, settlement=st.none() | ENDINGS)
    def writes_again(
        self, process: int, gap: float, back: int, settlement: Settlement | None
    ) -> None:
        """A client sends once more what it sent before."""
        ask = self.sent_before[-1 - back % len(self.sent_before)]
        self.writes(process, gap, ask, settlement)

    @rule(calls=st.lists(st.tuples(PROCESS, ASKS), min_size=2, max_size=3))
    def reserve_at_once(self, calls: list[tuple[int, Ask]]) -> None:
        """Several processes reserve at once: the answers are those of some order."""
        stores = [self.store(process) for process, _ in calls]
        asked = [self.asked(ask, self.at) for _, ask in calls]

        async def together() -> list[Reserved]:
            called = [store.reserve(each) for store, each in zip(stores, asked, strict=True)]
            if self.races:
                return await asyncio.gather(*called)
            return [await each for each in called]

        reserved = self.do(together())
        probed = self.do(stores[0].peek(probe("r", self.at)))
        self.model = self.explained(asked, reserved, probed)
        for each in zip(stores, asked, reserved, strict=True):
            self.go_on(*each)

    def explained(self, asked: list[Reservation], seen: list[Reserved], probed: Reserved) -> Model:
        """The model after reservations in an order that explains what was seen."""
        for order in permutations(range(len(asked))):
            model = copy.deepcopy(self.model)
            expected = {which: model.reserve(asked[which]) for which in order}
            self.lists_all = self.lists_all and model.lists_all()
            in_turn = [self.told(expected[which]) for which in range(len(asked))]
            same = in_turn == [self.told(each) for each in seen]
            if same and self.told(model.peek(probe("r", self.at))) == self.told(probed):
                return model
        raise AssertionError(f"no order explains {seen}")

    @rule(process=PROCESS, ask=ASKS, endings=OF_TWO)
    def overtakes(self, process: int, ask: Ask, endings: list[tuple[int, Settlement]]) -> None:
        """A client hears nothing for a minute and sends the same again; then both end, somehow."""
        self.writes(process, 0.0, ask, None)
        self.writes(process, PENDING_SECONDS, ask, None)
        for back, settlement in endings:
            self.end(self.store(process), self.write(back), settlement)

    @rule(process=PROCESS, back=BACK, settlement=ENDINGS)
    def settles(self, process: int, back: int, settlement: Settlement) -> None:
        """A write ends, as its process says or another that found it in the audit log."""
        self.end(self.store(process), self.write(back), settlement)

    @rule(processes=st.tuples(PROCESS, PROCESS), ask=ASKS)
    def gives_up(self, processes: tuple[int, int], ask: Ask) -> None:
        """A client left, and repeats while its write is settled: it meets that in flight, or its answer."""
        ended, other = map(self.store, processes)
        self.writes(processes[0], 0.0, ask, None)
        write_id, settlement = self.write(0), Settlement(outcome=Outcome.OK, lost=b"gave up")
        again = self.asked(ask, self.at)

        async def together() -> Reserved:
            settling = ended.settle(write_id, settlement)
            if self.races:
                return (await asyncio.gather(settling, other.reserve(again)))[1]
            await settling
            return await other.reserve(again)

        reserved = self.do(together())
        probed = self.do(other.peek(probe("r", self.at)))
        for settled_first in (True, False):
            model = copy.deepcopy(self.model)
            if settled_first:
                model.settle(write_id, settlement)
            expected = model.reserve(again)
            model.settle(write_id, settlement)
            self.lists_all = self.lists_all and model.lists_all()
            same = self.told(expected) == self.told(reserved)
            if same and self.told(model.peek(probe("r", self.at))) == self.told(probed):
                self.model = model
                break
        else:
            raise AssertionError(f"no order explains {reserved}")
        self.go_on(other, again, reserved)

    @rule(process=PROCESS, back=BACK, answer=st.binary(min_size=1, max_size=3))
    def loses_its_client(self, process: int, back: int, answer: bytes) -> None:
        """An answer does not reach its client, and is kept."""
        self.do(self.store(process).keep_answer(self.write(back), answer))
        self.model.keep_answer(self.write(back), answer)

    # ── calls that are cut, processes that end ───────────────────────────────────────────────

    @rule(process=PROCESS, ask=TRACELESS, turns=TURNS)
    def leaves(self, process: int, ask: Ask, turns: int) -> None:
        """A caller is cancelled while it reserves: nothing of it stays."""
        store, asked = self.store(process), self.asked(ask, self.model.last)
        assume(asked.write.request not in self.model.lost)  # whether it was given, who could tell
        reserved = self.do(self.cut(store.reserve(asked), turns))
        self.do(self.processes.quiet(store))
        if reserved is not None:
            self.agree(reserved, self.model.reserve(asked))
            self.end(store, asked.write.id, Settlement(outcome=Outcome.NOT_SENT))

    @precondition(lambda self: self.races)
    @rule(process=PROCESS, back=BACK, settlement=ENDINGS, turns=TURNS)
    def leaves_settling(self, process: int, back: int, settlement: Settlement, turns: int) -> None:
        """A caller is cancelled while it settles: it is settled all the same."""
        store = self.store(process)
        self.do(self.cut(store.settle(self.write(back), settlement), turns))
        self.do(self.processes.quiet(store))
        self.model.settle(self.write(back), settlement)

    async def cut(self, call: Coroutine[Any, Any, _T], turns: int) -> _T | None:
        """Cancel a call after some turns; its result if it had one already."""
        task = asyncio.ensure_future(call)
        await pass_turns(turns if self.races else 0)
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None

    @precondition(lambda self: len(self.stores) > 1)
    @rule(process=PROCESS, ask=TRACELESS, turns=TURNS)
    def dies(self, process: int, ask: Ask, turns: int) -> None:
        """A process is killed while it reserves, and another takes its place."""
        store, asked = self.store(process), self.asked(ask, self.model.last)
        assume(asked.write.request not in self.model.lost)  # whether it was given, who could tell
        self.do(self.processes.kill(store, store.reserve(asked), turns if self.races else 0))
        self.stores[process % len(self.stores)] = self.do(self.processes.open())
        if self.processes.holds(asked.write.id):
            assert self.model.reserve(asked).taken

    @precondition(lambda self: len(self.stores) > 1)
    @rule(process=PROCESS, ask=TRACELESS, turns=TURNS)
    def restarts(self, process: int, ask: Ask, turns: int) -> None:
        """A process ends well, though a caller leaves at that moment, and another takes its place."""
        store, asked = self.store(process), self.asked(ask, self.model.last)
        assume(asked.write.request not in self.model.lost)  # whether it was given, who could tell
        if self.do(self.cut(store.reserve(asked), turns)) is not None:
            self.do(store.settle(asked.write.id, Settlement(outcome=Outcome.NOT_SENT)))
        self.do(store.close())
        self.stores[process % len(self.stores)] = self.do(self.processes.open())

    # ── notes ────────────────────────────────────────────────────────────────────────────────

    def put(self, asked: Put) -> Coroutine[Any, Any, bool]:
        """Put a note."""
        process, name, value, lasts, expected = asked
        until = self.at + lasts
        return self.store(process).notes.put(name, value, self.at, until=until, expected=expected)

    def model_puts(self, model: Model, asked: Put) -> bool:
        """Put it in a model."""
        _, name, value, lasts, expected = asked
        return model.put(name, value, self.at, self.at + lasts, expected)

    @rule(gap=GAPS, asked=PUTS)
    def puts(self, gap: float, asked: Put) -> None:
        """A process puts a note, if what is there is what it expects."""
        self.at += gap

        assert self.do(self.put(asked)) == self.model_puts(self.model, asked)

    @rule(asked=st.lists(PUTS, min_size=2, max_size=3))
    def put_at_once(self, asked: list[Put]) -> None:
        """Several put values of their own at once: what was done is what some order does."""
        asked = [(*each[:2], b"%d" % n, *each[3:]) for n, each in enumerate(asked)]

        async def together() -> list[bool]:
            calls = [self.put(each) for each in asked]
            return await asyncio.gather(*calls) if self.races else [await each for each in calls]

        done = self.do(together())
        seen = self.do(self.noted(self.stores[0]))
        for order in permutations(range(len(asked))):
            model = copy.deepcopy(self.model)
            put = {which: self.model_puts(model, asked[which]) for which in order}
            if [put[n] for n in range(len(asked))] == done and model.noted(self.at) == seen:
                self.model = model
                return
        raise AssertionError(f"no order explains {done}, {seen}")

    async def noted(self, store: Administered) -> dict[str, bytes | None]:
        """All notes, the last put first."""
        names = await store.notes.names("", 9, self.at)
        return {name: await store.notes.get(name, self.at) for name in names}

    @rule(process=PROCESS, name=NAMES, turns=TURNS)
    def leaves_putting(self, process: int, name: str, turns: int) -> None:
        """A caller is cancelled while it puts a note: it is put, or it is not."""
        store, value = self.store(process), b"left %d" % self.steps
        asked = (process, name, value, 600.0, ANY)
        self.do(self.cut(self.put(asked), turns))
        self.do(self.processes.quiet(store))
        if self.do(store.notes.get(name, self.at)) == value:
            self.model_puts(self.model, asked)

    @rule(process=PROCESS, name=NAMES)
    def drops(self, process: int, name: str) -> None:
        """A process takes a note away."""
        done = self.do(self.store(process).notes.drop(name, self.at))

        assert done == self.model.drop(name, self.at)

    @invariant()
    def notes_agree(self) -> None:
        """Whoever is asked, each note is what it must be."""
        seen, expected = self.do(self.noted(self.store(self.steps))), self.model.noted(self.at)

        assert list(seen.items()) == list(expected.items())

    # ── operators ────────────────────────────────────────────────────────────────────────────

    @rule(process=PROCESS, deed=DEEDS)
    def is_mended(self, process: int, deed: tuple[str, Any]) -> None:
        """An operator takes back a write, empties a cap, or has a post forgotten."""
        name, what = deed
        what = self.write(what) if name == "release" else what
        done = self.do(getattr(self.store(process), name)(what))

        assert done == getattr(self.model, name)(what)

    @rule(process=PROCESS, post=SEEDED, text=st.sampled_from("xy"))
    def is_seeded(self, process: int, post: str, text: str) -> None:
        """A post becomes known that stands on the site."""
        published = seeded(post, text)
        new = self.do(self.store(process).remember([published], self.at))

        assert new == self.model.remember([published], self.at)

    # ── laws ─────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def answers_agree(self) -> None:
        """Whoever is asked, about anything, says what the model says."""
        self.steps += 1
        for request in "rs":
            asked = probe(request, self.at)

            self.agree(self.do(self.store(self.steps).peek(asked)), self.model.peek(asked))

    @invariant()
    def no_window_is_over_its_limit(self) -> None:
        """A repeat stands for the try that it replaces, until SOE is known to have taken both."""
        for charge in CAPS.values():
            times = [
                each.at
                for each in self.model.made
                if each.cap == charge.cap
                and each.owner is not None
                and not self.model.is_replaced(each.owner)
                and not each.owner.late
            ]
            for window in () if charge.attempts else charge.windows:
                for end in times:
                    held = sum(end - window.seconds < at <= end for at in times)

                    assert held <= window.limit

    @invariant()
    def at_most_one_copy_is_with_soe(self) -> None:
        """And of those that it took, one, within the time that the rule looks back."""
        sent = [each for each in self.model.known if each.id in self.sent and not each.gone]
        for text in "xy":
            copies = [each for each in sent if self.text_of(each) == text and not each.late]

            assert sum(self.model.in_flight(each) for each in copies) <= 1
            written = [each.at for each in copies if each.outcome is Outcome.OK]
            gaps = [later - at for at, later in pairwise(written)]
            assert all(gap >= REMEMBERED_FOR for gap in gaps)

    def text_of(self, entry: Known) -> str | None:
        """The text by which it is found; None where that is forgotten."""
        assert entry.write.fingerprint is not None
        return None if entry.forgotten else entry.write.fingerprint.text

    @invariant()
    def under_a_key_one_request_is_written_once(self) -> None:
        """Within a day."""
        written = [
            each
            for each in self.model.known
            if each.outcome is Outcome.OK and each.write.key is not None and not each.late
        ]
        for one, other in combinations(written, 2):
            if one.write.key == other.write.key:
                assert abs(other.at - one.at) >= KEY_SECONDS


class MemoryMachine(StateMachine):
    """One process."""

    make = InMemory


class SqliteMachine(StateMachine):
    """Two processes over a file, one call at a time: what fails once fails always."""

    make = OverFile
    races = False


class RacingSqliteMachine(SqliteMachine):
    """Two processes over a file, whose threads meet there."""

    races = True


class RedisMachine(StateMachine):
    """Three processes over a server."""

    server: ClassVar[Valkey]

    @classmethod
    def make(cls) -> OverServer:
        """Empty the server."""
        return OverServer(cls.server)


@pytest.fixture
def server(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for machines, whose debtors do not wait long."""
    monkeypatch.setattr("gateway.state.redis.store._PAUSES", (0.0, 0.002))
    RedisMachine.server = valkey


@pytest.mark.parametrize(
    "machine",
    [
        MemoryMachine,
        SqliteMachine,
        pytest.param(RacingSqliteMachine, marks=long_form),
        pytest.param(RedisMachine, marks=long_form),
    ],
)
def test_engines_keep_their_laws_whatever_processes_do(
    machine: type[StateMachine], server: None
) -> None:
    """Every answer is that of the simplest store there could be; the laws hold after each step."""
    run(machine)
