"""Who used what: of writes in flight by their number, of those that were kept under none."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.state.sharing import MEMBERS_AT_MOST, Use

_OF = "SELECT member, at FROM uses WHERE name = ? AND at > ?"
_KEEP = """
INSERT INTO uses SELECT name, member, 0, at FROM uses WHERE seq = ? AND seq != 0
ON CONFLICT DO UPDATE SET at = max(at, excluded.at)
"""
_NAMES = "SELECT DISTINCT name FROM uses WHERE seq = ? AND seq != 0"
_GIVE_BACK = "DELETE FROM uses WHERE seq = ? AND seq != 0"
_BOUND = """
DELETE FROM uses WHERE name = :name AND seq = 0 AND member NOT IN (
    SELECT member FROM uses WHERE name = :name AND seq = 0 ORDER BY at DESC, member DESC LIMIT :most
)
"""


class Uses:
    """The rows of `uses`."""

    def __init__(self, db: sqlite3.Connection, keep: float) -> None:
        self._db = db
        self._keep = keep

    def of(self, name: str, now: float) -> list[tuple[str, float]]:
        """Give the members that used a thing, and when."""
        return self._db.execute(_OF, (name, now - self._keep)).fetchall()

    def record(self, number: int, uses: Sequence[Use], now: float) -> None:
        """Record the uses of a write, as long as it is in flight."""
        rows = [(name, member, number, now) for name, member in uses]
        self._db.executemany("INSERT INTO uses VALUES (?, ?, ?, ?)", rows)

    def keep(self, number: int) -> None:
        """Keep the uses of a write that was kept, of each member the newest."""
        names = self._db.execute(_NAMES, (number,)).fetchall()
        self._db.execute(_KEEP, (number,))
        self.give_back(number)
        for (name,) in names:
            self._db.execute(_BOUND, {"name": name, "most": MEMBERS_AT_MOST})

    def give_back(self, number: int) -> None:
        """Take back the uses of a write that is in flight."""
        self._db.execute(_GIVE_BACK, (number,))
