"""The writer: lines in order, and one sync for all that wait.

Decisions of one turn of the loop are handed to the operating system at its end, with one write; of
a write that is not yet durable nothing goes anywhere. All else is written at once, in the caller's
thread: it survives kill -9, and `sending` need not wait for anybody. A thread of its own syncs,
again and again while a decision waits: each that was written before a sync began is durable when
it ends, so the more wait, the less each costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import Protocol

from gateway.audit import record
from gateway.audit.chain import Chain, Head
from gateway.audit.lines import Lines, Told, encoded
from gateway.audit.record import NOTHING, Keeping
from gateway.audit.sinks import Segment, Sink
from gateway.errors import AuditError
from gateway.model import Decision, Settlement, Write
from gateway.ports import Clock

DURABLE_WITHIN = 1.0
"""Seconds after which a decision that is not yet durable is given up, and its write refused."""
LAZY_SECONDS = 0.5
"""Seconds after which what nobody waits for is synced, and what failed is tried again."""
WAITING_AT_MOST = 10_000
_PATIENCE = 30.0
"""Seconds that a thread waits for a record of its own to be durable."""
_STOOD_STILL = 0.2
"""Seconds by which a timer is late where the process was stopped, or its machine."""
_LOOKS_EVERY = 0.25
"""Seconds between two looks at how much room a disk has."""


class Upkeep(Protocol):
    """What is done for a log beside writing it, in a thread of its own."""

    def start(self, log: AuditWriter) -> None:
        """Begin."""

    def stop(self) -> None:
        """End; nothing is told to the log any more."""

    def checkpoint(self, head: Head) -> None:
        """Tell elsewhere how far a log has come."""


_LATE = "the audit log was not synced in time"
_LOST = "the audit log could not be synced"


class _Batch:
    """The decisions of one turn of the loop: one write carries them, and they share its fate."""

    def __init__(self, loop: asyncio.AbstractEventLoop, durable_within: float) -> None:
        self.loop = loop
        self.told: list[Told] = []
        self.durable: list[asyncio.Future[None]] = []
        due = loop.time() + durable_within
        self._late = loop.call_at(due, self._is_due, due)

    def _is_due(self, at: float) -> None:
        """Give up; where the whole process stood still, and its thread with it, that time later."""
        late = self.loop.time() - at
        if late > _STOOD_STILL:
            self._late = self.loop.call_later(late, self.end, _LATE)
        else:
            self.end(_LATE)

    def end(self, failure: str = "") -> None:
        """Tell all that wait how it ended."""
        self._late.cancel()
        for each in self.durable:
            if each.done():
                continue
            if failure:
                each.set_exception(AuditError(failure))
            else:
                each.set_result(None)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What was written and waits for a sync.

    Attributes:
        tell: called in the thread, with why it is not durable, or nothing.
    """

    segments: tuple[Segment, ...]
    tell: Callable[[str], object]


class AuditWriter:
    """The audit log of one process, over all its sinks.

    Attributes:
        durable: the last record that is known to be on all disks.
        free_bytes: what is free on the fullest of the sinks' disks; None where nobody can tell.
    """

    durable: Head
    free_bytes: int | None

    def __init__(
        self,
        sinks: Sequence[Sink],
        chain: Chain,
        clock: Clock,
        on_sync: Callable[[float], None] = lambda _: None,
        *,
        on_write: Callable[[str], None] = lambda _: None,
        keeping: Keeping = NOTHING,
        durable_within: float = DURABLE_WITHIN,
        min_free: int = 0,
        upkeep: Upkeep | None = None,
    ) -> None:
        """Start the thread.

        Args:
            on_sync: called in it with the seconds that each sync took that somebody waited for.
            on_write: called with the kind of each record that was written, in whichever thread.
            keeping: how much of a write is recorded.
            durable_within: seconds after which a decision that is not yet durable is given up.
            min_free: bytes that stay free for what has to be recorded still; with less, no
                decision is.
            upkeep: what is done beside; it ends with the log.
        """
        self._sinks = sinks
        self._clock = clock
        self._on_sync = on_sync
        self._keeping = keeping
        self._durable_within = durable_within
        self._lines = Lines(sinks, chain, on_write)
        self._undecided = 0  # decisions whose callers wait
        self._gathering: _Batch | None = None
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Event()
        self._min_free = min_free
        self._looked = -_LOOKS_EVERY
        self._look_for_room()
        self.durable = chain.head
        self._stopping = False
        self._upkeep = upkeep
        self._thread = threading.Thread(target=self._sync_on, name="audit", daemon=True)
        self._thread.start()
        if upkeep is not None:
            upkeep.start(self)

    @property
    def writer(self) -> str:
        """The name of this writer."""
        return self._lines.writer

    @property
    def waiting(self) -> int:
        """Decisions that are not yet durable, and records that are owed."""
        return self._undecided + self._lines.owed

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `ports.AuditLog.decided`."""
        if self._undecided >= WAITING_AT_MOST:
            raise AuditError("too many decisions wait for the audit log")
        if self.free_bytes is not None and self.free_bytes < self._min_free:
            raise AuditError(
                f"the disk of the audit log has {self.free_bytes} bytes left, "
                f"fewer than audit.min_free: {self._min_free}"
            )
        told = encoded(record.decision(write, decision, self._clock.now(), self._keeping))
        batch = self._gathering or self._gather()
        durable: asyncio.Future[None] = batch.loop.create_future()
        batch.told.append(told)
        batch.durable.append(durable)
        self._undecided += 1
        await durable

    def sending(self, write_id: str) -> None:
        """As `ports.AuditLog.sending`."""
        self._lines.append([encoded(record.sending(write_id, self._clock.now()))])

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `ports.AuditLog.settled`; where it cannot be written now, it is owed.

        A write whose decision could not be written has no outcome either.
        """
        if write.id not in self._lines.open:
            return
        self._lines.append_or_owe(record.outcome(write, settlement, status, self._clock.now()))

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """As `ports.AuditLog.told`; owed like an outcome."""
        if person:
            facts["by"] = self._by(person)
        self._lines.append_or_owe(record.admin(event, self._clock.now(), **facts))

    def told_durably(self, event: str, *, person: str = "", **facts: object) -> None:
        """Record something, and wait until it is durable. For threads other than the loop's.

        Raises:
            AuditError: it is not.
        """
        if person:
            facts["by"] = self._by(person)
        segments = self._lines.append([encoded(record.admin(event, self._clock.now(), **facts))])
        ended: Future[str] = Future()
        self._wait(segments, ended.set_result)
        try:
            failure = ended.result(_PATIENCE)
        except TimeoutError:
            failure = _LATE
        if failure:
            raise AuditError(failure)

    def _by(self, person: str) -> str:
        try:
            return self._keeping.people.told(person)
        except AuditError:  # that it was done must stand, whoever it was
            return ""

    async def close(self) -> None:
        """Record the end, sync and close.

        Where a decision has no outcome, the end is not recorded, so that the next start's recovery
        looks for it.

        Raises:
            AuditError: not all could be recorded; recovery tells what is missing.
        """
        try:
            if self._upkeep is not None:
                await asyncio.to_thread(self._upkeep.stop)
            self._hand_over()
            self._lines.pay()
            if not self._lines.open:
                self._lines.append([encoded(record.admin("audit.closed", self._clock.now()))])
        finally:
            self._stopping = True
            self._wake.set()
            await asyncio.to_thread(self._thread.join, self._durable_within)
            if not self._thread.is_alive():  # else a sync hangs, on files that are still open
                for sink in self._sinks:
                    sink.close()
            if self._upkeep is not None:
                await asyncio.to_thread(self._upkeep.checkpoint, self.durable)

    # ── decisions ────────────────────────────────────────────────────────────────────────────

    def _gather(self) -> _Batch:
        """Begin the batch of this turn of the loop."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._hand_over)
        self._gathering = _Batch(loop, self._durable_within)
        return self._gathering

    def _hand_over(self) -> None:
        """Write the batch, and have it synced."""
        batch, self._gathering = self._gathering, None
        if batch is None:  # the log was closed in the same turn
            return
        try:
            segments = self._lines.append(batch.told)
        except AuditError as error:
            self._end(batch, str(error))
        else:
            tell = partial(self._end, batch)
            self._wait(segments, lambda failure: batch.loop.call_soon_threadsafe(tell, failure))

    def _end(self, batch: _Batch, failure: str) -> None:
        self._undecided -= len(batch.durable)
        batch.end(failure)

    def _wait(self, segments: tuple[Segment, ...], tell: Callable[[str], object]) -> None:
        self._waiting.append(_Waiting(segments, tell))
        self._wake.set()

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    def _sync_on(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait(LAZY_SECONDS)
            self._wake.clear()
            stopping = self._stopping
            # Who is in the queue wrote before; who comes now waits for the next sync.
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            started = perf_counter()
            self._sync()
            if waiting:
                self._on_sync(perf_counter() - started)
            for each in waiting:
                lost = any(segment.failed for segment in each.segments)
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                    each.tell(_LOST if lost else "")
            self._look_for_room()
            with contextlib.suppress(AuditError):
                self._lines.pay()

    def _sync(self) -> None:
        reached, whole = self._lines.reached()
        for sink in self._sinks:
            try:
                sink.sync()
            except AuditError:  # its segment says so to those who wait
                whole = False
        if whole:
            self.durable = reached

    def _look_for_room(self) -> None:
        now = monotonic()
        if now - self._looked >= _LOOKS_EVERY:
            self._looked = now
            rooms = [room for sink in self._sinks if (room := sink.free()) is not None]
            self.free_bytes = min(rooms, default=None)
