"""The writer: lines in order, and one sync for all that wait.

A line is handed to the operating system at once, in the caller's thread: it survives kill -9, and
`sending` need not wait for anybody. A thread of its own syncs, again and again while a decision
waits: each that was written before a sync began is durable when it ends, so the more wait, the less
each costs. The lock is held for building and writing a line, never during a sync.

Where there are several sinks, a line that one of them could not take is the first that it gets when
it works again, and until then no other line is written: each holds the whole chain.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Protocol

from gateway.audit import record
from gateway.audit.chain import Chain, Head
from gateway.audit.record import NOTHING, Keeping, Record
from gateway.audit.sinks import Segment, Sink
from gateway.errors import AuditError
from gateway.model import Decision, Effect, Settlement, Write
from gateway.ports import Clock

DURABLE_WITHIN = 1.0
"""Seconds after which a decision that is not yet durable is given up, and its write refused."""
LAZY_SECONDS = 0.5
"""Seconds after which what nobody waits for is synced, and what failed is tried again."""
WAITING_AT_MOST = 10_000
OWED_AT_MOST = 10_000
_PATIENCE = 30.0
"""Seconds that a thread waits for a record of its own to be durable."""
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decision that was written, and who waits until it is durable."""

    durable: asyncio.Future[None]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class _Unhurried:
    """A record that a thread waits for."""

    segments: tuple[Segment, ...]
    synced: threading.Event


class _BehindError(AuditError):
    """A record stands in the chain, and one of several sinks could not take it yet."""


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
        self._chain = chain
        self._clock = clock
        self._on_sync = on_sync
        self._on_write = on_write
        self._keeping = keeping
        self._durable_within = durable_within
        self._lock = threading.Lock()
        self._open: set[str] = set()  # writes that may be sent and have no outcome yet
        self._owed: deque[Record] = deque()
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Event()
        self._promised: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._unhurried: deque[_Unhurried] = deque()
        self._behind: dict[int, bytes] = {}  # by sink, the line that it could not take
        self._min_free = min_free
        self._looked = -_LOOKS_EVERY
        self._look_for_room()
        self.durable = chain.head
        self._syncing = 0
        self._waking = False
        self._stopping = False
        self._upkeep = upkeep
        self._thread = threading.Thread(target=self._sync_on, name="audit", daemon=True)
        self._thread.start()
        if upkeep is not None:
            upkeep.start(self)

    @property
    def writer(self) -> str:
        """The name of this writer."""
        return self._chain.writer

    @property
    def waiting(self) -> int:
        """Decisions that are not yet durable, and records that are owed."""
        return len(self._waiting) + self._syncing + len(self._owed)

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `ports.AuditLog.decided`."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise AuditError("too many decisions wait for the audit log")
        if self.free_bytes is not None and self.free_bytes < self._min_free:
            raise AuditError(
                f"the disk of the audit log has {self.free_bytes} bytes left, "
                f"fewer than audit.min_free: {self._min_free}"
            )
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        told = record.decision(write, decision, self._clock.now(), self._keeping)
        segments = self._append(told)
        self._waiting.append(_Waiting(durable, segments))
        if not self._waking:
            # At the end of this turn of the loop: who comes in the same turn shares the sync.
            self._waking = True
            loop.call_soon(self._wake_up)
        self._promised.append((loop.time() + self._durable_within, durable))
        if len(self._promised) == 1:
            loop.call_later(self._durable_within, self._give_up, loop)
        await durable

    def sending(self, write_id: str) -> None:
        """As `ports.AuditLog.sending`."""
        self._append(record.sending(write_id, self._clock.now()))

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `ports.AuditLog.settled`; where it cannot be written now, it is owed.

        A write whose decision could not be written has no outcome either.
        """
        if write.id not in self._open:
            return
        self._append_or_owe(record.outcome(write, settlement, status, self._clock.now()))

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """As `ports.AuditLog.told`; owed like an outcome."""
        if person:
            facts["by"] = self._by(person)
        self._append_or_owe(record.admin(event, self._clock.now(), **facts))

    def told_durably(self, event: str, *, person: str = "", **facts: object) -> None:
        """Record something, and wait until it is durable. For threads other than the loop's.

        Raises:
            AuditError: it is not.
        """
        if person:
            facts["by"] = self._by(person)
        segments = self._append(record.admin(event, self._clock.now(), **facts))
        told = _Unhurried(segments, threading.Event())
        self._unhurried.append(told)
        self._wake.set()
        in_time = told.synced.wait(_PATIENCE)
        if not in_time or any(segment.failed for segment in segments):
            raise AuditError("the audit log could not be synced")

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
            with self._lock:
                self._pay()
            if not self._open:
                self._append(record.admin("audit.closed", self._clock.now()))
        finally:
            self._stopping = True
            self._wake.set()
            await asyncio.to_thread(self._thread.join, self._durable_within)
            if not self._thread.is_alive():  # else a sync hangs, on files that are still open
                for sink in self._sinks:
                    sink.close()
            if self._upkeep is not None:
                await asyncio.to_thread(self._upkeep.checkpoint, self.durable)

    def _wake_up(self) -> None:
        self._waking = False
        self._wake.set()

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up what is late; one timer for all, since one for each would cost more than a line."""
        while self._promised and (
            self._promised[0][1].done() or self._promised[0][0] <= loop.time()
        ):
            durable = self._promised.popleft()[1]
            if not durable.done():
                durable.set_exception(AuditError("the audit log was not synced in time"))
        if self._promised:
            loop.call_at(self._promised[0][0], self._give_up, loop)

    # ── lines ────────────────────────────────────────────────────────────────────────────────

    def _append(self, told: Record) -> tuple[Segment, ...]:
        with self._lock:  # a line has the same place in the chain and in the files
            self._pay()
            return self._write(told)

    def _append_or_owe(self, told: Record) -> None:
        try:
            self._append(told)
        except _BehindError:
            raise  # it stands in the chain: the sink that lacks it gets it first
        except AuditError:
            # Only what was sent before the disk failed is settled after it: they are few.
            if len(self._owed) < OWED_AT_MOST:
                self._owed.append(told)
            raise

    def _pay(self) -> None:
        for number, missed in list(self._behind.items()):
            self._sinks[number].append(missed)
            del self._behind[number]
        while self._owed:
            try:
                self._write(self._owed[0])
            except _BehindError:
                self._owed.popleft()
                raise
            self._owed.popleft()

    def _write(self, told: Record) -> tuple[Segment, ...]:
        line = self._chain.line(told)
        segments = []
        failures: dict[int, AuditError] = {}
        for number, sink in enumerate(self._sinks):
            try:
                segments.append(sink.append(line))
            except AuditError as error:
                failures[number] = error
        if segments:  # one sink has it: no other line may take its place in the chain
            self._chain.advance(line)
            self._keep_account(told)
            self._behind = dict.fromkeys(failures, line)
            self._on_write(told["kind"])
        if not failures:
            return tuple(segments)
        failure = next(iter(failures.values()))
        if segments:
            raise _BehindError(str(failure)) from failure
        raise failure

    def _keep_account(self, told: Record) -> None:
        if told["kind"] == "decision" and told["effect"] == Effect.ALLOW:
            self._open.add(told["write_id"])
        elif told["kind"] == "outcome":
            self._open.discard(told["write_id"])

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    def _sync_on(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait(LAZY_SECONDS)
            self._wake.clear()
            stopping = self._stopping
            # Who is in the queue wrote before; who comes now waits for the next sync.
            self._syncing = len(self._waiting)
            waiting = [self._waiting.popleft() for _ in range(self._syncing)]
            unhurried = [self._unhurried.popleft() for _ in range(len(self._unhurried))]
            started = perf_counter()
            self._sync()
            for each in unhurried:
                each.synced.set()
            if waiting:
                self._on_sync(perf_counter() - started)
                _tell(waiting)
            self._syncing = 0
            self._look_for_room()
            if self._owed or self._behind:
                with self._lock, contextlib.suppress(AuditError):
                    self._pay()

    def _sync(self) -> None:
        with self._lock:
            reached, whole = self._chain.head, not self._behind
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


def _tell(waiting: list[_Waiting]) -> None:
    """Tell all that waited at once: waking the loop costs more than telling."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        waiting[0].durable.get_loop().call_soon_threadsafe(_tell_each, waiting)


def _tell_each(waiting: list[_Waiting]) -> None:
    for each in waiting:
        if each.durable.done():
            continue
        if any(segment.failed for segment in each.segments):
            each.durable.set_exception(AuditError("the audit log could not be synced"))
        else:
            each.durable.set_result(None)
