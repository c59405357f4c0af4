"""The order in which state was asked, out of the order in which records were written.

A decision is recorded when it is durable, after state answered, and what was refused when it was
released; and the record of an outcome is written before state hears of it. So decisions are given
by their number in state, and an end waits for every decision that found its write in flight, or
that had its answer before the end was recorded.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.model import Consulted, Effect, Settlement
from gateway.offline.records.decision import Recorded
from gateway.offline.records.read import Line, Record

_AHEAD = 5.0
"""Seconds of the log that are looked at ahead: state and disk have one each to answer."""
_AHEAD_AT_MOST = 50_000


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, at its place."""

    decision: Recorded
    writer: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A write ended: by its outcome, or, where that is None, by its refusal."""

    write_id: str
    outcome: Settlement | None


@dataclass(frozen=True, slots=True)
class Done:
    """Something was done to the gateway."""

    record: Record


Event = Decided | Ended | Done
_Place = tuple[int, float, int, Line]


def in_order(lines: Iterable[Line]) -> Iterator[Event]:
    """Give what happened, as state saw it."""
    ahead = _Ahead()
    for line in lines:
        yield from ahead.due(line.at - _AHEAD)
        ahead.take(line)
    yield from ahead.due(float("inf"))


class _Ahead:
    """The lines that are looked at ahead."""

    def __init__(self) -> None:
        self._count = 0
        self._lines: deque[tuple[int, Line]] = deque()
        self._numbered: list[_Place] = []
        self._answered: list[tuple[float, int]] = []
        self._given: set[int] = set()
        self._passed = 0
        self._wanted: Counter[str] = Counter()
        self._waiting: dict[str, Ended] = {}

    def take(self, line: Line) -> None:
        """Take the next line."""
        self._count += 1
        self._lines.append((self._count, line))
        asked = _asked(line)
        if asked is not None:
            heapq.heappush(self._numbered, (asked.number, asked.at, self._count, line))
            heapq.heappush(self._answered, (asked.answered, self._count))
            self._wanted.update(asked.in_flight)

    def due(self, until: float) -> Iterator[Event]:
        """Give what lies so far back that nothing can come before it."""
        while self._lines and (self._lines[0][1].at < until or len(self._lines) > _AHEAD_AT_MOST):
            count, line = self._lines.popleft()
            self._passed = count
            while self._answered and self._answered[0][1] <= count:
                heapq.heappop(self._answered)
            if count in self._given:
                self._given.discard(count)
            elif _asked(line) is not None:
                yield from self._numbered_until(count)
                self._given.discard(count)
            else:
                if line.ended is not None:
                    yield from self._answered_until(line.at)
                yield from self._give(line)

    def _numbered_until(self, count: int) -> Iterator[Event]:
        given = 0
        while given != count:
            *_, given, line = heapq.heappop(self._numbered)
            self._given.add(given)
            yield from self._give(line)

    def _answered_until(self, at: float) -> Iterator[Event]:
        """Give the decisions that had their answer by then, and so all that were asked before."""
        while self._answered and self._answered[0][0] <= at:
            _, count = heapq.heappop(self._answered)
            if count > self._passed and count not in self._given:
                yield from self._numbered_until(count)

    def _give(self, line: Line) -> Iterator[Event]:
        decision = line.decision
        if decision is not None:
            yield Decided(decision, line.writer)
            asked = _asked(line)
            for write_id in asked.in_flight if asked else ():
                yield from self._found(write_id)
            if decision.effect is not Effect.ALLOW:
                yield from self._end(Ended(decision.write.id, None))
        elif line.ended is not None:
            yield from self._end(Ended(line.record["write_id"], line.ended))
        else:
            yield Done(line.record)

    def _end(self, ended: Ended) -> Iterator[Event]:
        if self._wanted[ended.write_id] > 0:
            self._waiting[ended.write_id] = ended
        else:
            del self._wanted[ended.write_id]
            yield ended

    def _found(self, write_id: str) -> Iterator[Event]:
        self._wanted[write_id] -= 1
        if self._wanted[write_id] > 0:
            return
        del self._wanted[write_id]
        if write_id in self._waiting:
            yield self._waiting.pop(write_id)


def _asked(line: Line) -> Consulted | None:
    """How state answered, where it did."""
    asked = line.decision.consulted if line.decision else None
    return None if asked is None or asked.failed else asked
