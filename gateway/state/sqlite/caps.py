"""What caps have counted. A charge's number tells whose it is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from gateway.errors import StoreError
from gateway.model import Charge, Counted
from gateway.state.accounting import LOOKED_AT_MOST, fullest, is_counter_of, longest, most
from gateway.state.sqlite.schema import CHARGES, OF_NOBODY

_TIMES = "SELECT at, id FROM charges WHERE cap = ? AND at > ? ORDER BY at DESC LIMIT ?"
_COUNTERS = """
SELECT cap, count(*) FROM charges WHERE cap >= ? AND cap < ? AND at > ? GROUP BY cap LIMIT ?
"""
_CHARGE = "INSERT INTO charges VALUES (?, ?, ?)"


def counters(
    path: Path, asked: Sequence[tuple[str, float]], at: float, timeout: float
) -> list[tuple[Counted, ...]]:
    """Give what counters have counted, as `ports.Caps.counters`, over a connection of its own.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=timeout, uri=True)
        ) as db:
            now = max(at, db.execute("SELECT last FROM clock").fetchone()[0])
            return [_fullest(db, rule, now - seconds) for rule, seconds in asked]
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def _fullest(db: sqlite3.Connection, rule: str, since: float) -> tuple[Counted, ...]:
    # "}" comes just behind "|", with which the parts of a counter begin.
    named = (f"{rule}|", f"{rule}}}", since, LOOKED_AT_MOST)
    return fullest(db.execute(_COUNTERS, named).fetchall())


class Caps:
    """The rows of `charges`."""

    def __init__(self, db: sqlite3.Connection, keep: float) -> None:
        self._db = db
        self._keep = keep

    def times(self, charge: Charge, replaced: Collection[int], now: float) -> list[float]:
        """Give the instants of a cap's earlier charges, ascending; not those of replaced writes."""
        asked = (charge.cap, now - min(longest(charge), self._keep), most(charge) + len(replaced))
        rows = self._db.execute(_TIMES, asked)
        return [at for at, charged in rows if _owner(charged) not in replaced][::-1]

    def charge(self, number: int, made: Sequence[Charge], now: float) -> None:
        """Make the charges of a write."""
        self._db.executemany(_CHARGE, _numbered(number, made, now))

    def give_back(self, number: int) -> None:
        """Take back what a write was charged, but its tries."""
        first = number << CHARGES
        asked = (first, first + OF_NOBODY - 1)
        self._db.execute("DELETE FROM charges WHERE id BETWEEN ? AND ?", asked)

    def reset(self, cap: str) -> int:
        """Empty counters, as `ports.Administered.reset`."""
        counters = self._db.execute("SELECT DISTINCT cap FROM charges").fetchall()
        chosen = [row for row in counters if is_counter_of(row[0], cap)]
        self._db.executemany("DELETE FROM charges WHERE cap = ?", chosen)
        return len(chosen)


def _owner(charge: int) -> int:
    """Give the number of the write that gives a charge back; 0 for a try."""
    return 0 if charge & OF_NOBODY else charge >> CHARGES


def _numbered(number: int, made: Sequence[Charge], now: float) -> list[tuple[int, str, float]]:
    """Give each charge of a write its number."""
    return [
        ((number << CHARGES) + place + (OF_NOBODY if charge.attempts else 0), charge.cap, now)
        for place, charge in enumerate(made)
    ]
