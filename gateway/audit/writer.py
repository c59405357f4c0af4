"""The writer: lines in order, and one sync for all that wait.

A line is handed to the operating system at once, in the caller's thread: it survives kill -9. A
thread of its own syncs, again and again while somebody waits; every decision that was written
before a sync began is durable when it ends, so the more wait, the less each costs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter

from gateway.audit import record
from gateway.audit.chain import Chain
from gateway.audit.record import Record
from gateway.audit.sinks import Sink
from gateway.errors import AuditError
from gateway.model import Decision, Settlement, Write
from gateway.ports import Clock

DURABLE_WITHIN = 1.0
"""Seconds after which a decision that is not yet durable is given up, and its write refused."""
OWED_AT_MOST = 10_000
"""Outcomes that wait for a disk that failed; more are left to the next start's recovery."""


class AuditWriter:
    """The audit log of one process, over all its sinks."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        chain: Chain,
        clock: Clock,
        on_sync: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._sinks = sinks
        self._chain = chain
        self._clock = clock
        self._on_sync = on_sync
        self._lock = threading.Lock()
        self._owed: deque[Record] = deque(maxlen=OWED_AT_MOST)
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._sync_on, name="audit", daemon=True)
        self._thread.start()

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `ports.AuditLog.decided`."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._append(record.decision(write, decision))
        self._waiting.append((loop, durable))
        self._wake.set()
        try:
            async with asyncio.timeout(DURABLE_WITHIN):
                await durable
        except TimeoutError:
            raise AuditError("the audit log was not synced in time") from None

    def sending(self, write_id: str) -> None:
        """As `ports.AuditLog.sending`."""
        self._append(record.sending(write_id))

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `ports.AuditLog.settled`; an outcome that cannot be written now is owed."""
        told = record.outcome(write, settlement, status, self._clock.now())
        self._append_or_owe(told)
        self._wake.set()

    def told(self, event: str, **facts: object) -> None:
        """Record something that was done to the gateway."""
        self._append_or_owe(record.admin(event, self._clock.now(), **facts))
        self._wake.set()

    async def close(self) -> None:
        """Record the end, sync and close."""
        self.told("audit.closed")
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        for sink in self._sinks:
            sink.close()

    # ── lines ────────────────────────────────────────────────────────────────────────────────

    def _append(self, told: Record) -> None:
        with self._lock:  # a line's place in the chain and in the file are one
            while self._owed:
                self._write(self._owed[0])
                self._owed.popleft()
            self._write(told)

    def _write(self, told: Record) -> None:
        line = self._chain.line(told)
        for sink in self._sinks:
            sink.append(line)
        self._chain.advance(line)

    def _append_or_owe(self, told: Record) -> None:
        try:
            self._append(told)
        except AuditError:
            self._owed.append(told)
            raise

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    def _sync_on(self) -> None:
        while not (self._stopping and not self._waiting and not self._wake.is_set()):
            self._wake.wait()
            self._wake.clear()
            # Who is in the queue wrote before; who comes now waits for the next sync.
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            failure = self._sync()
            for loop, durable in waiting:
                loop.call_soon_threadsafe(_tell, durable, failure)

    def _sync(self) -> AuditError | None:
        started = perf_counter()
        try:
            for sink in self._sinks:
                sink.sync()
        except AuditError as error:
            return error
        self._on_sync(perf_counter() - started)
        return None


def _tell(durable: asyncio.Future[None], failure: AuditError | None) -> None:
    if durable.done():
        return
    if failure is None:
        durable.set_result(None)
    else:
        durable.set_exception(failure)
