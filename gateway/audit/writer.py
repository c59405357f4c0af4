"""The writer: lines in order, and one sync for all that wait.

A line is handed to the operating system at once, in the caller's thread: it survives kill -9, and
`sending` need not wait for anybody. A thread of its own syncs, again and again while a decision
waits: each that was written before a sync began is durable when it ends, so the more wait, the less
each costs. The lock is held for building and writing a line, never during a sync.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from gateway.audit import record
from gateway.audit.chain import Chain
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decision that was written, and who waits until it is durable."""

    durable: asyncio.Future[None]
    segments: tuple[Segment, ...]


class AuditWriter:
    """The audit log of one process, over all its sinks."""

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
    ) -> None:
        """Start the thread.

        Args:
            on_sync: called in it with the seconds that each sync took that somebody waited for.
            on_write: called with the kind of each record that was written, in whichever thread.
            keeping: how much of a write is recorded.
            durable_within: seconds after which a decision that is not yet durable is given up.
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
        self._syncing = 0
        self._waking = False
        self._stopping = False
        self._thread = threading.Thread(target=self._sync_on, name="audit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Decisions that are not yet durable, and records that are owed."""
        return len(self._waiting) + self._syncing + len(self._owed)

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `ports.AuditLog.decided`."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise AuditError("too many decisions wait for the audit log")
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        told = record.decision(write, decision, self._clock.now(), self._keeping)
        segments = self._append(told)
        self._waiting.append(_Waiting(durable, segments))
        if not self._waking:
            # At the end of this turn of the loop: who comes in the same turn shares the sync.
            self._waking = True
            loop.call_soon(self._wake_up)
        late = loop.call_later(self._durable_within, _give_up, durable)
        try:
            await durable
        finally:
            late.cancel()

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

    def _wake_up(self) -> None:
        self._waking = False
        self._wake.set()

    # ── lines ────────────────────────────────────────────────────────────────────────────────

    def _append(self, told: Record) -> tuple[Segment, ...]:
        with self._lock:  # a line has the same place in the chain and in the files
            self._pay()
            return self._write(told)

    def _append_or_owe(self, told: Record) -> None:
        try:
            self._append(told)
        except AuditError:
            # Only what was sent before the disk failed is settled after it: they are few.
            if len(self._owed) < OWED_AT_MOST:
                self._owed.append(told)
            raise

    def _pay(self) -> None:
        while self._owed:
            self._write(self._owed[0])
            self._owed.popleft()

    def _write(self, told: Record) -> tuple[Segment, ...]:
        line = self._chain.line(told)
        segments = []
        failure: AuditError | None = None
        for sink in self._sinks:
            try:
                segments.append(sink.append(line))
            except AuditError as error:
                failure = error
        if segments:  # one sink has it: no other line may take its place in the chain
            self._chain.advance(line)
            self._keep_account(told)
            self._on_write(told["kind"])
        if failure is not None:
            raise failure
        return tuple(segments)

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
            started = perf_counter()
            for sink in self._sinks:
                with contextlib.suppress(AuditError):  # its segment says so to those who wait
                    sink.sync()
            if waiting:
                self._on_sync(perf_counter() - started)
                _tell(waiting)
            self._syncing = 0
            if self._owed:
                with self._lock, contextlib.suppress(AuditError):
                    self._pay()


def _give_up(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_exception(AuditError("the audit log was not synced in time"))


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
