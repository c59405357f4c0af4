"""Redis loses its data, or a replica takes over that was behind: who lives puts back what it knows.

What a live process knows still counts: no cap is exceeded, and no copy passes. It may count too
much, for what others released comes back too; so the model, which never loses anything, is the
least that must be known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from gateway.errors import StoreError
from gateway.model import Charged, Found, Outcome, Reserved, Settlement, Shared
from gateway.ports import ANY
from gateway.state import Terms
from gateway.state.redis import RedisStore
from tests.patience import PATIENCE
from tests.property.asking import (
    BACK,
    COPIES,
    ENDINGS,
    PROCESS,
    Ask,
    asks,
    long_form,
    probe,
    reservation,
    run,
    seeded,
)
from tests.property.model import Model
from tests.property.processes import KEEP, OverServer
from tests.servers import Valkey

_T = TypeVar("_T")
_EPOCH = ("HGET", "{soe-gateway}:meta", "epoch")
ASKS = asks(["a", "b"], [None, "k", "l"]).map(lambda ask: replace(ask, observed=False))
"""No tries, which are put back with what was held, and no observed caps, whose charges depend."""
FINAL = ENDINGS.map(lambda each: each if each.outcome is Outcome.OK else replace(each, answer=None))
"""No answers to what failed, which are not final, nor to what was refused, which nobody puts back."""
GAPS = st.sampled_from([0.5, 5.0, 10.0, 61.0])
"""No two writes in one instant: what is put back keeps the order of instants alone."""


class LostMachine(RuleBasedStateMachine):
    """Processes that live all the time, over a server that loses data."""

    server: ClassVar[Valkey]
    accept_loss: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        terms = Terms(keep=KEEP, timeout=PATIENCE, accept_loss=self.accept_loss)
        self.processes = OverServer(self.server, terms)
        self.stores = [self.do(self.processes.open()) for _ in range(self.processes.count)]
        self.model = Model()
        self.at = 1000.0
        self.writers: list[RedisStore] = []
        """By whom each write was reserved, which settles it too."""
        self.steps = 0
        self.refused = False
        """Whether a loss stands in the way."""
        self.noted: dict[str, bytes] = {}
        self.copied: dict[str, bytes] = {}
        """Notes, and those that the replica has heard of; they are not put back."""
        for store in self.stores:
            self.do(store.peek(probe("r", self.at)))  # from now on each knows whose data it is

    def teardown(self) -> None:
        """End it all."""
        for store in self.stores:
            self.do(store.close())
        self.loop.close()

    def do(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Run a call to its end."""
        return self.loop.run_until_complete(call)

    # ── what goes on ─────────────────────────────────────────────────────────────────────────

    @rule(process=PROCESS, gap=GAPS, ask=ASKS, settlement=st.none() | FINAL)
    def writes(self, process: int, gap: float, ask: Ask, settlement: Settlement | None) -> None:
        """A process reserves, and may settle at once; while a loss stands in the way, it cannot."""
        self.at += gap
        store = self.stores[process]
        self.writers.append(store)
        asked = reservation(ask, self.at, len(self.writers))
        if self.refused:
            with pytest.raises(StoreError, match="accept-loss"):
                self.do(store.reserve(asked))
            with pytest.raises(StoreError, match="LOST"):
                self.do(store.remember([seeded("question/1", ask.text)], self.at))
            return
        reserved = self.do(store.reserve(asked))

        if reserved.repeat is not None:
            return
        repeat = self.model.repeat(asked.write, self.at)

        assert asked.write.preview or repeat is None or self.model.find(repeat.write_id) is None
        assert_knows(reserved, self.model.peek(asked))
        if reserved.taken:
            self.model.reserve(asked)
        copies = reserved.answers.get(COPIES)
        if isinstance(copies, Found) and copies.posts:
            self.settles(0, Settlement(outcome=Outcome.NOT_SENT))
        elif settlement is not None:
            self.settles(0, settlement)

    @precondition(lambda self: self.writers)
    @rule(back=BACK, settlement=FINAL)
    def settles(self, back: int, settlement: Settlement) -> None:
        """A process ends a write of its own, whatever became of the data meanwhile."""
        number = max(len(self.writers) - back, 1)
        self.do(self.writers[number - 1].settle(f"w{number}", settlement))
        self.model.settle(f"w{number}", settlement)

    @rule(process=PROCESS, name=st.sampled_from("ab"), value=st.binary(max_size=1))
    def puts(self, process: int, name: str, value: bytes) -> None:
        """A process puts a note; while a loss stands in the way, it cannot."""
        put = self.stores[process].notes.put
        if self.refused:
            with pytest.raises(StoreError, match="accept-loss"):
                self.do(put(name, value, self.at, until=self.at + 1e6, expected=ANY))
            return
        expected = self.noted.get(name)

        assert self.do(put(name, value, self.at, until=self.at + 1e6, expected=expected))
        self.noted[name] = value

    # ── losses ───────────────────────────────────────────────────────────────────────────────

    @rule(order=st.permutations(range(3)))
    def loses_all(self, order: list[int]) -> None:
        """The server comes back empty."""
        self.server.ask("FLUSHDB")
        self.noted = {}
        self.hear(order)

    @rule(order=st.permutations(range(3)))
    def loses_all_but_its_name(self, order: list[int]) -> None:
        """A replica takes over that had heard of nothing yet but whose data it is."""
        epoch = self.server.ask(*_EPOCH).split(b"\r\n")[1].decode()
        self.server.ask("FLUSHDB")
        self.server.ask("HSET", "{soe-gateway}:meta", "epoch", epoch)
        self.noted = {}
        self.hear(order)

    @rule()
    def is_copied(self) -> None:
        """A replica hears of all that there is, and of nothing that comes later."""
        self.server.copy(0, 1)
        self.copied = dict(self.noted)

    @rule(order=st.permutations(range(3)))
    def falls_back(self, order: list[int]) -> None:
        """That replica takes over."""
        self.server.copy(1, 0)
        self.noted = dict(self.copied)
        self.hear(order)

    def hear(self, order: list[int]) -> None:
        """Let each process ask; where one is refused, all are."""
        first = [self.is_answered(self.stores[process]) for process in order]
        then = [self.is_answered(store) for store in self.stores]
        self.refused = not all(first)

        assert then == [not self.refused] * len(self.stores)
        assert not (self.refused and self.accept_loss)

    def is_answered(self, store: RedisStore) -> bool:
        """Whether state answers a process."""
        try:
            self.do(store.peek(probe("r", self.at)))
        except StoreError as error:
            assert error.code == "LOST"
            return False
        return True

    @precondition(lambda self: self.refused)
    @rule(order=st.permutations(range(3)))
    def is_accepted(self, order: list[int]) -> None:
        """An operator accepts the loss, with a process of their own."""
        operator = self.do(self.processes.open())

        assert [self.do(operator.accept_loss()) for _ in range(2)] == [True, False]
        self.do(operator.close())
        self.hear(order)

        assert not self.refused

    # ── laws ─────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def what_a_live_process_knew_is_known(self) -> None:
        """To each, until a loss stands in the way."""
        self.steps += 1
        store = self.stores[self.steps % len(self.stores)]
        for request in "rs":
            asked = probe(request, self.at)
            if self.refused:
                assert not self.is_answered(store)
            else:
                assert_knows(self.do(store.peek(asked)), self.model.peek(asked))

    @invariant()
    def notes_are_those_that_were_not_lost(self) -> None:
        """To each, until a loss stands in the way."""
        notes = self.stores[self.steps % len(self.stores)].notes
        for name in "ab":
            if self.refused:
                with pytest.raises(StoreError, match="accept-loss"):
                    self.do(notes.get(name, self.at))
            else:
                assert self.do(notes.get(name, self.at)) == self.noted.get(name)


def assert_knows(reserved: Reserved, least: Reserved) -> None:
    """What is accepted fits, and no post is missing or told otherwise."""
    for rule_, expected in least.answers.items():
        answer = reserved.answers[rule_]
        if isinstance(answer, Charged) and isinstance(expected, Charged):
            assert expected.accepted or not answer.accepted
        elif isinstance(answer, Found) and isinstance(expected, Found):
            assert [post for post in expected.posts if post not in answer.posts] == []
        elif isinstance(answer, Shared) and isinstance(expected, Shared):
            assert set(answer.others) >= set(expected.others)


class AcceptingMachine(LostMachine):
    """Losses are accepted beforehand."""

    accept_loss = True


class RefusingMachine(LostMachine):
    """Losses are an operator's to accept."""

    accept_loss = False


@long_form
@pytest.mark.parametrize("machine", [AcceptingMachine, RefusingMachine])
def test_what_live_processes_know_outlives_the_data(
    machine: type[LostMachine], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is lost, and in whatever order they hear of it."""
    monkeypatch.setattr("gateway.state.redis.store._PAUSES", (0.0, 0.002))
    LostMachine.server = valkey
    run(machine)
