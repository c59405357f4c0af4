"""One thread over one SQLite connection: what waits shares a transaction.

A caller waits for at most the time-out. Work that is done when its caller has gone is undone in a
later transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import StoreError

_T = TypeVar("_T")
_OWED_AT_MOST = 10_000
_TRY_AGAIN = 0.2
"""Seconds after which what is owed is tried again, where nobody asks for anything meanwhile."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Work for the thread, and the future of whoever waits for it.

    `ahead` is done before the transaction; `undo` takes work back whose caller is gone; `again`
    does it once more where the database failed.
    """

    work: Callable[[], Any]
    future: asyncio.Future[Any]
    ahead: Callable[[], None] | None = None
    undo: Callable[[], None] | None = None
    again: bool = False

    @property
    def abandoned(self) -> bool:
        """Whether it need not be begun: its caller has gone, and would have it undone."""
        return self.undo is not None and self.future.done()


class Edges:
    """What is done at the edges of every transaction: here, nothing."""

    def begun(self) -> None:
        """In a transaction, first of all: nobody else writes."""

    def committed(self) -> None:
        """What was done in it is done."""

    def rolled_back(self) -> None:
        """What was done in it is not."""


class Transactions:
    """Runs work on a connection, batch by batch."""

    def __init__(
        self, db: sqlite3.Connection, *, timeout: float, edges: Edges | None = None
    ) -> None:
        """Start the thread; `timeout` is the seconds that a caller waits at most."""
        self._db = db
        self._timeout = timeout
        self._edges = edges or Edges()
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._owed: deque[_Job] = deque(maxlen=_OWED_AT_MOST)
        self._thread = threading.Thread(target=self._run_on, name="state", daemon=True)
        self._thread.start()

    async def run(
        self,
        work: Callable[[], _T],
        *,
        ahead: Callable[[], None] | None = None,
        undo: Callable[[], None] | None = None,
        again: bool = False,
    ) -> _T:
        """Do work in a transaction and give its result.

        Args:
            ahead: what is done before it, while others may write; once more for each new attempt.
            undo: takes the work back if it is done when its caller has gone.
            again: the work must be done and may be done late: if the database fails, it comes
                first in a later transaction, though its caller gets the error.

        Raises:
            StoreError: it failed, or took longer than the time-out.
        """
        if self._closed:
            raise StoreError("the state is closed")
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future, ahead, undo, again))
        try:
            async with asyncio.timeout(self._timeout):
                return await future
        except (TimeoutError, asyncio.CancelledError) as error:
            # A result may be here already, of which the caller would have heard in this very turn.
            came = future.done() and not future.cancelled() and future.exception() is None
            if came and undo is not None:
                self._jobs.put(_Job(undo, future, again=True))
            if isinstance(error, TimeoutError):
                raise StoreError("the state did not answer in time") from None
            raise

    async def close(self) -> None:
        """Do what waits, undo what nobody waits for any more, and close the connection."""
        if self._closed:
            return
        try:
            await self.run(_nothing)  # then late results have reached the loop, which undoes them
        except StoreError:
            pass  # what it owes it owes for good
        finally:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    # ── in the loop's thread ─────────────────────────────────────────────────────────────────

    def _deliver(self, done: list[tuple[_Job, Any]]) -> None:
        # Where the time-outs run too: who is not gone by now gets its result, or `run` undoes it.
        for job, result in done:
            if not job.future.done():
                job.future.set_result(result)
            elif job.undo is not None:
                self._jobs.put(_Job(job.undo, job.future, again=True))

    # ── in the thread ────────────────────────────────────────────────────────────────────────

    def _run_on(self) -> None:
        stop = False
        while not stop:
            waiting: list[_Job | None] = []
            with contextlib.suppress(queue.Empty):
                waiting.append(self._jobs.get(timeout=_TRY_AGAIN if self._owed else None))
                while True:
                    waiting.append(self._jobs.get_nowait())
            stop = None in waiting
            batch = [*self._owed, *(job for job in waiting if job is not None)]
            self._owed.clear()
            if batch:
                self._transact(batch)
        self._db.close()

    def _transact(self, batch: list[_Job]) -> None:
        """Do a batch in one transaction: all of it, or nothing."""
        try:
            for job in batch:
                if job.ahead is not None and not job.abandoned:
                    job.ahead()
            self._db.execute("BEGIN IMMEDIATE")
            self._edges.begun()
            results = [(job, job.work()) for job in batch if not job.abandoned]
            self._db.execute("COMMIT")
            self._edges.committed()
        except sqlite3.OperationalError as error:  # locked, full, gone: no job's fault
            self._roll_back()
            self._owed.extend(job for job in batch if job.again)
            self._fail(batch, error)
        except (sqlite3.Error, UnicodeError, StoreError) as error:
            self._roll_back()
            if len(batch) == 1:
                self._fail(batch, error)
                return
            for job in batch:  # what cannot be done must not stop its neighbours
                self._transact([job])
        else:
            _call(batch, self._deliver, results)

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        self._edges.rolled_back()

    def _fail(self, batch: list[_Job], error: Exception) -> None:
        told = error if isinstance(error, StoreError) else StoreError(f"the state failed: {error}")
        _call(batch, _deliver_error, batch, told)


def _nothing() -> None:
    """Work that only shows that it is its turn."""


def _deliver_error(batch: list[_Job], error: StoreError) -> None:
    for job in batch:
        if not job.future.done():
            job.future.set_exception(error)


def _call(batch: list[_Job], deliver: Callable[..., None], *told: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        batch[0].future.get_loop().call_soon_threadsafe(deliver, *told)
