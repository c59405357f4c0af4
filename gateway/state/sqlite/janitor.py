"""Tidies up the file behind the transactions: forgets what has expired, and checkpoints.

On a thread and a connection of its own, in steps so short that a reservation that falls upon one
hardly waits. A checkpoint copies the journal into the file while readers and writers go on
(`PASSIVE`); only this thread waits for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path

from gateway.state.accounting import ANSWERS_AT_MOST
from gateway.state.sqlite.file import connect
from gateway.state.sqlite.rows import USED_SECONDS
from gateway.state.sqlite.table import MappedTable
from gateway.state.terms import Terms

_PAUSE = 1.0
_BETWEEN_STEPS = 0.02
_STEP = 100
"""Rows that are forgotten in one transaction."""
_CHECKPOINT_BYTES = 4 * 2**20
_SYNC_EVERY = 4096
"""Writes after which the table of prints is put on the disk."""
_EXPIRED = (
    "DELETE FROM writes WHERE at <= :before AND seq IN (SELECT seq FROM writes ORDER BY seq LIMIT :step)",
    "DELETE FROM charges WHERE at <= :before AND id IN (SELECT id FROM charges ORDER BY id LIMIT :step)",
    "DELETE FROM kept WHERE name IN (SELECT name FROM kept WHERE until <= :now LIMIT :step)",
    "DELETE FROM notes WHERE name IN (SELECT name FROM notes WHERE until <= :now LIMIT :step)",
    "DELETE FROM uses WHERE (name, member, seq) IN"
    " (SELECT name, member, seq FROM uses WHERE at <= :before LIMIT :step)",
    "DELETE FROM sources WHERE source IN (SELECT source FROM sources WHERE used <= :unused LIMIT :step)",
)
_SURPLUS = """
SELECT name FROM kept WHERE answer IS NOT NULL ORDER BY until DESC LIMIT ? OFFSET ?
"""


class Janitor:
    """The thread; it begins at once."""

    def __init__(self, path: Path, terms: Terms, table: MappedTable) -> None:
        self._path = path
        self._table = table
        self._journal = path.with_name(f"{path.name}-wal")
        self._terms = terms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End it."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with contextlib.ExitStack() as held:
            db: sqlite3.Connection | None = None
            while not self._stop.wait(_PAUSE):
                with contextlib.suppress(sqlite3.Error, OSError):  # the next round tries again
                    if db is None:
                        db = held.enter_context(
                            contextlib.closing(connect(self._path, self._terms))
                        )
                    self._forget(db)
                    self._bound_answers(db)
                    self._checkpoint(db)
                    self._sync(db)

    def _forget(self, db: sqlite3.Connection) -> None:
        while self._forget_some(db) and not self._stop.wait(_BETWEEN_STEPS):
            pass

    def _forget_some(self, db: sqlite3.Connection) -> bool:
        """Forget a step's rows of each table; whether there are more."""
        now = float(db.execute("SELECT last FROM clock").fetchone()[0])
        before = now - self._terms.keep
        unused = before - USED_SECONDS  # what was written last has been forgotten before
        asked = {"now": now, "before": before, "unused": unused, "step": _STEP}
        counts = [db.execute(statement, asked).rowcount for statement in _EXPIRED]
        return max(counts) == _STEP

    def _bound_answers(self, db: sqlite3.Connection) -> None:
        """Drop the oldest answers where too many are kept; what they answer stays known."""
        if db.execute("SELECT count(*) FROM kept").fetchone()[0] > ANSWERS_AT_MOST:
            names = db.execute(_SURPLUS, (_STEP, ANSWERS_AT_MOST)).fetchall()
            db.executemany("UPDATE kept SET answer = NULL WHERE name = ?", names)

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        if self._journal.exists() and self._journal.stat().st_size >= _CHECKPOINT_BYTES:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _sync(self, db: sqlite3.Connection) -> None:
        """Put the table on the disk now and then, so that a start after a power cut is short."""
        last = int(db.execute("SELECT number FROM clock").fetchone()[0])
        if last - self._table.synced >= _SYNC_EVERY:
            self._table.sync(last)
