"""State in one SQLite file, shared by the processes of one machine.

A thread of its own holds the connection and takes what waits in one transaction. `BEGIN IMMEDIATE`
makes each transaction the only writer, also among processes. The journal is WAL with
`synchronous=NORMAL`: a killed process loses nothing, a power cut may lose the last transactions;
what was decided is in the audit log, which is synced.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.model import (
    Answer,
    Charge,
    Found,
    Lookup,
    Outcome,
    Remembered,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Store
from gateway.state.accounting import PENDING_SECONDS, charged, charges, is_taken, longest

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE writes (
    id TEXT PRIMARY KEY, at REAL NOT NULL, request TEXT NOT NULL, outcome TEXT,
    integration TEXT NOT NULL, token TEXT, author TEXT NOT NULL, operation TEXT NOT NULL,
    team TEXT, thread TEXT, target TEXT, post TEXT, url TEXT, text TEXT, event TEXT
) WITHOUT ROWID;
CREATE INDEX writes_request ON writes (request);
CREATE INDEX writes_text ON writes (text, at) WHERE text IS NOT NULL;
CREATE INDEX writes_event ON writes (event, at) WHERE event IS NOT NULL;
CREATE INDEX writes_at ON writes (at);
CREATE TABLE charges (cap TEXT NOT NULL, at REAL NOT NULL, write_id TEXT);
CREATE INDEX charges_cap ON charges (cap, at, write_id);
CREATE INDEX charges_write ON charges (write_id) WHERE write_id IS NOT NULL;
CREATE INDEX charges_at ON charges (at);
CREATE TABLE clock (last REAL NOT NULL);
INSERT INTO clock VALUES (0);
"""
_FIND = """
SELECT id, at, outcome, integration, token, author, operation, team, thread,
       coalesce(post, target), url, request
FROM writes WHERE {compare} = :digest AND at > :since
  AND (:across OR team IS :team) AND (:author IS NULL OR author = :author)
  AND id NOT IN (SELECT value FROM json_each(:replaced))
ORDER BY at DESC LIMIT 64
"""
_INSERT = "INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PRUNED_AT_ONCE = 256


def open_sqlite(path: str, keep: float, timeout: float) -> Store:
    """Open or make the file.

    Raises:
        StoreError: it cannot be opened, is damaged, or is of a newer version.
    """
    return SqliteStore(Path(path), keep, timeout)


class SqliteStore:
    """The store over one connection on one thread."""

    def __init__(self, path: Path, keep: float, timeout: float) -> None:
        self._keep = keep
        self._timeout = timeout
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._late: set[asyncio.Future[None]] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _connect(path, timeout)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} cannot be used as state: {error}") from error
        self._thread = threading.Thread(target=self._work, name="state", daemon=True)
        self._thread.start()

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.reserve`."""
        if reservation.write.preview:
            return await self.peek(reservation)

        def undo() -> None:
            # The loop keeps only a weak reference to a task.
            task = asyncio.ensure_future(self._release(reservation.write.id))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

        return await self._run(lambda: self._reserve(reservation), undo)  # type: ignore[no-any-return]  # a job returns what its work does

    async def _release(self, write_id: str) -> None:
        with contextlib.suppress(StoreError):  # then it keeps itself: nobody can tell
            await self.settle(write_id, Settlement(outcome=Outcome.NOT_SENT))

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.peek`."""
        return await self._run(lambda: self._peek(reservation))  # type: ignore[no-any-return]  # as above

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `ports.Store.settle`."""
        await self._run(lambda: self._settle(write_id, settlement))

    async def close(self) -> None:
        """Finish what waits, and close the file."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    async def _run(self, work: Callable[[], Any], undo: Callable[[], None] | None = None) -> Any:
        """Run work in a transaction; a reservation that comes too late is undone.

        Raises:
            StoreError: it failed, or took longer than the time-out.
        """
        if self._closed:
            raise StoreError("the state is closed")
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future(), undo)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._timeout):
                return await job.future
        except TimeoutError:
            raise StoreError("the state did not answer in time") from None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            stop = False
            while not stop and not self._jobs.empty():
                following = self._jobs.get()
                stop = following is None
                if following is not None:
                    batch.append(following)
            self._transact(batch)
            if stop:
                break
        self._db.close()

    def _transact(self, batch: list[_Job]) -> None:
        """Do a batch in one transaction: all of it is there, or nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            results = [job.work() for job in batch]
            self._prune()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for job in batch:
                job.fail(StoreError(f"the state failed: {error}"))
            return
        for job, result in zip(batch, results, strict=True):
            job.finish(result)

    # ── inside a transaction ─────────────────────────────────────────────────────────────────

    def _reserve(self, reservation: Reservation) -> Reserved:
        write = reservation.write
        now = max(write.at, self._last())
        self._db.execute("UPDATE clock SET last = ?", (now,))
        replaced = self._replaced(write, now)
        reserved = self._answers(reservation, replaced, now)
        self._db.executemany(
            "INSERT INTO charges VALUES (?, ?, ?)",
            [
                (charge.cap, now, None if charge.attempts else write.id)
                for charge in charges(reservation, reserved.answers)
            ],
        )
        if reserved.taken and reservation.remember:
            for old in replaced:
                self._forget(old)
            self._remember(write, now)
        return reserved

    def _peek(self, reservation: Reservation) -> Reserved:
        now = max(reservation.write.at, self._last())
        return self._answers(reservation, self._replaced(reservation.write, now), now)

    def _settle(self, write_id: str, settlement: Settlement) -> None:
        pending = "SELECT 1 FROM writes WHERE id = ? AND outcome IS NULL"
        if self._db.execute(pending, (write_id,)).fetchone() is None:
            return
        if not settlement.outcome.keeps:
            self._forget(write_id)
            return
        self._db.execute(
            "UPDATE writes SET outcome = ?, post = ?, url = ? WHERE id = ?",
            (settlement.outcome.value, settlement.post, settlement.url, write_id),
        )

    def _last(self) -> float:
        return float(self._db.execute("SELECT last FROM clock").fetchone()[0])

    def _replaced(self, write: Write, now: float) -> list[str]:
        """The earlier tries of the same request of which nobody can tell that they took effect."""
        rows = self._db.execute(
            "SELECT id FROM writes WHERE request = ? AND (outcome IN ('failed', 'unknown')"
            " OR (outcome IS NULL AND at <= ?))",
            (write.request, now - PENDING_SECONDS),
        )
        return [row[0] for row in rows]

    def _answers(self, reservation: Reservation, replaced: Collection[str], now: float) -> Reserved:
        answers: dict[str, Answer] = {}
        for group in reservation.groups:
            for rule, need in group.items():
                if isinstance(need, Charge):
                    answers[rule] = charged(need, self._times(need, replaced, now), now)
                else:
                    answers[rule] = self._find(need, replaced, now)
        return Reserved(answers=answers, taken=is_taken(reservation.groups[0], answers))

    def _times(self, charge: Charge, replaced: Collection[str], now: float) -> list[float]:
        rows = self._db.execute(
            "SELECT at, write_id FROM charges WHERE cap = ? AND at > ? ORDER BY at",
            (charge.cap, now - longest(charge)),
        )
        return [at for at, owner in rows if owner not in replaced]

    def _find(self, lookup: Lookup, replaced: Collection[str], now: float) -> Found:
        column = {"text": "text", "event": "event"}[lookup.compare]
        rows = self._db.execute(
            _FIND.format(compare=column),
            {
                "digest": lookup.digest,
                "since": now - lookup.within,
                "across": lookup.across_teams,
                "team": lookup.team,
                "author": lookup.author,
                "replaced": _json_list(replaced),
            },
        )
        return Found(posts=tuple(_remembered(row, now) for row in rows))

    def _remember(self, write: Write, now: float) -> None:
        print_ = write.fingerprint if write.publishes else None
        row = (
            *(write.id, now, write.request, None, write.integration, write.token),
            *(write.author, write.operation, write.team, write.thread, write.target),
            *(None, None, print_ and print_.text, print_ and print_.event),
        )
        self._db.execute(_INSERT, row)

    def _forget(self, write_id: str) -> None:
        self._db.execute("DELETE FROM charges WHERE write_id = ?", (write_id,))
        self._db.execute("DELETE FROM writes WHERE id = ?", (write_id,))

    def _prune(self) -> None:
        """Forget what is older than `keep`, some at a time, so that no call pays for many."""
        before = self._last() - self._keep
        self._db.execute(
            "DELETE FROM writes WHERE id IN (SELECT id FROM writes WHERE at <= ? LIMIT ?)",
            (before, _PRUNED_AT_ONCE),
        )
        self._db.execute(
            "DELETE FROM charges WHERE rowid IN (SELECT rowid FROM charges WHERE at <= ? LIMIT ?)",
            (before, _PRUNED_AT_ONCE),
        )


class _Job:
    """Work for the thread, and the future of whoever waits for it."""

    __slots__ = ("_loop", "_undo", "future", "work")

    def __init__(
        self,
        work: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        undo: Callable[[], None] | None,
    ) -> None:
        self.work = work
        self.future = future
        self._loop = loop
        self._undo = undo

    def finish(self, result: Any) -> None:
        self._loop.call_soon_threadsafe(self._deliver, result)

    def fail(self, error: StoreError) -> None:
        self._loop.call_soon_threadsafe(self._deliver_error, error)

    def _deliver(self, result: Any) -> None:
        # In the loop's thread, as the time-out is: either the waiter has the result, or it is gone.
        if not self.future.done():
            self.future.set_result(result)
        elif self._undo is not None:
            self._undo()

    def _deliver_error(self, error: StoreError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"schema {version} is of a newer gateway")
    if version == 0:
        for statement in _SCHEMA.strip().split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")
    path.chmod(0o600)
    return db


def _json_list(texts: Collection[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"  # ids are hexadecimal


def _remembered(row: tuple[Any, ...], now: float) -> Remembered:
    write_id, at, outcome, integration, token, author, operation, team, thread, post, url, req = row
    pending = outcome is None and now - at < PENDING_SECONDS
    settled = None if pending else Outcome(outcome or "unknown")
    return Remembered(
        write_id=write_id,
        at=at,
        pending=pending,
        outcome=settled,
        integration=integration,
        token=token,
        author=author,
        operation=operation,
        team=team,
        thread=thread,
        post=post,
        url=url,
        request=req,
    )
