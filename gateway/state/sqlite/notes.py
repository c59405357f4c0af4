"""Notes as rows of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import islice

from gateway.state.notes import (
    Wanted,
    bounded,
    check_name,
    check_value,
    full,
    is_full,
    is_wanted,
)
from gateway.state.sqlite.transactions import Transactions

_GET = "SELECT value FROM notes WHERE name = ? AND until > ?"
_PUT = "REPLACE INTO notes (name, at, until, size, value) VALUES (?, ?, ?, ?, ?)"
_NAMES = "SELECT name FROM notes WHERE until > ? ORDER BY at DESC, name DESC"
_TAKEN = "SELECT count(*), coalesce(sum(size), 0) FROM notes WHERE until > ?"


class SqliteNotes:
    """The rows of `notes`; those that have ended are the janitor's."""

    def __init__(
        self,
        db: sqlite3.Connection,
        transactions: Transactions,
        clock: Callable[[], tuple[float, int]],
        advance: Callable[[float, int], None],
    ) -> None:
        """Take what the store has.

        Args:
            clock: gives the newest stamp and number, or raises where data was lost.
            advance: sets them.
        """
        self._db = db
        self._transactions = transactions
        self._clock = clock
        self._advance = advance

    async def get(self, name: str, at: float) -> bytes | None:
        """As `ports.Notes.get`."""
        check_name(name)
        return await self._transactions.run(lambda: self._get(name, self._now(at)))

    async def put(
        self, name: str, value: bytes, at: float, *, until: float, expected: Wanted
    ) -> bool:
        """As `ports.Notes.put`."""
        check_name(name)
        check_value(value)
        return await self._transactions.run(lambda: self._put(name, value, at, until, expected))

    async def names(self, prefix: str, limit: int, at: float) -> list[str]:
        """As `ports.Notes.names`."""
        return await self._transactions.run(lambda: self._names(prefix, limit, self._now(at)))

    async def drop(self, name: str, at: float) -> bool:
        """As `ports.Notes.drop`."""
        check_name(name)
        return await self._transactions.run(lambda: self._drop(name, self._stamp(at)))

    # ── inside a transaction ─────────────────────────────────────────────────────────────────

    def _now(self, at: float) -> float:
        return max(at, self._clock()[0])

    def _stamp(self, at: float) -> float:
        last, number = self._clock()
        now = max(at, last)
        self._advance(now, number)
        return now

    def _get(self, name: str, now: float) -> bytes | None:
        found = self._db.execute(_GET, (name, now)).fetchone()
        return found and bytes(found[0])

    def _put(self, name: str, value: bytes, at: float, until: float, expected: Wanted) -> bool:
        now = self._stamp(at)
        there = self._get(name, now)
        if not is_wanted(there, expected):
            return False
        notes, size = self._db.execute(_TAKEN, (now,)).fetchone()
        if is_full(notes + (there is None), size + len(value) - len(there or b"")):
            raise full()
        self._db.execute(_PUT, (name, now, until, len(value), value))
        return True

    def _names(self, prefix: str, limit: int, now: float) -> list[str]:
        names = (name for (name,) in self._db.execute(_NAMES, (now,)))
        return list(islice((name for name in names if name.startswith(prefix)), bounded(limit)))

    def _drop(self, name: str, now: float) -> bool:
        there = self._get(name, now) is not None
        self._db.execute("DELETE FROM notes WHERE name = ?", (name,))
        return there
