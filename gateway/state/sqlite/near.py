"""Near-copies over the file: the search before the lock, and what is listed under it.

The number of the newest write is read before the search. So what the search finds up to it, and the
writes that came after it, which are looked at under the lock, are all there are.

A post that is released is taken out of the table in the transaction after: nothing is taken out that
a failing commit would keep.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model import Lookup, Reservation
from gateway.state import prints
from gateway.state.prints import salt
from gateway.state.sqlite.rows import Row, Rows
from gateway.state.sqlite.schema import ACROSS
from gateway.state.sqlite.table import MappedTable
from gateway.state.sqlite.transactions import Edges

_ENDS = "SELECT number, coalesce((SELECT min(seq) FROM writes), number + 1) FROM clock"
_MISSING = """
SELECT seq, flags, team, prints FROM writes CROSS JOIN sources USING (source)
WHERE seq > ? AND prints IS NOT NULL ORDER BY seq LIMIT ?
"""
_ADDED_AT_ONCE = 256


@dataclass(slots=True)
class Search:
    """What a reservation's look-ups for near-copies found, for all of them at once.

    `last` is the number up to which was searched; `rows` are by the salt of their list.
    """

    asked: bytes = b""
    last: int = 0
    rows: dict[int, list[Row]] = field(default_factory=dict)

    def near(self, lookup: Lookup) -> list[Row]:
        """Give the posts of a look-up's list, the most shared first, then the newer."""
        rows = self.rows.get(prints.searched(lookup), ()) if lookup.near else ()
        return prints.nearest(self.asked, rows)


class Neighbours(Edges):
    """Which posts of the file stand in which lists."""

    def __init__(self, db: sqlite3.Connection, rows: Rows, table: MappedTable) -> None:
        """Take a table and make up for what a power cut may have taken from it."""
        self._db = db
        self._rows = rows
        self._table = table
        self._first = 1
        self._gone: list[Row] = []
        self._owed: list[Row] = []
        if table.alone:
            self._make_up()

    # ── before the transaction ───────────────────────────────────────────────────────────────

    def search(self, reservation: Reservation) -> Search:
        """Find the posts up to now that share prints."""
        salts, found = prints.salts(reservation), reservation.write.fingerprint
        if not salts or found is None:
            return Search()
        last, self._first = self._db.execute(_ENDS).fetchone()
        search = Search(asked=found.prints, last=last)
        for each in salts:
            numbers = self._table.prints.most_hit(found.prints, self._first, last, each)
            search.rows[each] = _in_list(self._rows.numbered(numbers), each) if numbers else []
        return search

    # ── in it ────────────────────────────────────────────────────────────────────────────────

    def begun(self) -> None:
        """As `Edges.begun`: take out what is gone since."""
        for row in self._owed:
            for each in _lists(row.team, row.flags):
                self._table.prints.remove(row.number, row.prints or b"", each)
        self._owed = []

    def complete(self, search: Search, last: int) -> Search:
        """Add the posts that came after the search, up to the last; each is a candidate."""
        came = self._rows.since(search.last) if search.rows and last > search.last else ()
        if not came:
            return search
        more = {each: [*rows, *_in_list(came, each)] for each, rows in search.rows.items()}
        return Search(asked=search.asked, last=search.last, rows=more)

    def add(self, number: int, stored: bytes | None, team: str | None, flags: int) -> None:
        """List a post under the prints that are stored; again where it was pushed out."""
        if stored:
            for each in _lists(team, flags):
                self._table.prints.add(number, stored, self._first, each)

    def leave(self, row: Row) -> None:
        """Take a post out when this transaction is through."""
        if row.prints:
            self._gone.append(row)

    # ── after it ─────────────────────────────────────────────────────────────────────────────

    def committed(self) -> None:
        """As `Edges.committed`."""
        self._owed += self._gone
        self._gone = []

    def rolled_back(self) -> None:
        """As `Edges.rolled_back`."""
        self._gone = []
        self._rows.forget()

    def close(self) -> None:
        """Let the table go."""
        self._table.close()

    def _make_up(self) -> None:
        """List the posts that may be missing: those since the table was put on disk."""
        last, self._first = self._db.execute(_ENDS).fetchone()
        # A power cut may also have taken posts whose numbers were on disk here already.
        done = min(self._table.synced, last)
        while True:
            self._db.execute("BEGIN IMMEDIATE")  # others may be adding
            rows = self._db.execute(_MISSING, (done, _ADDED_AT_ONCE)).fetchall()
            for number, flags, team, stored in rows:
                self.add(number, stored, team, flags)
            self._db.execute("COMMIT")
            if not rows:
                break
            done = rows[-1][0]
        if self._table.synced != last:
            self._table.sync(last)


def _lists(team: str | None, flags: int) -> tuple[int, ...]:
    """The salts of the lists in which a post's prints stand."""
    return (salt(team), prints.ACROSS) if flags & ACROSS else (salt(team),)


def _in_list(rows: Sequence[Row], list_: int) -> list[Row]:
    if list_ == prints.ACROSS:
        return [row for row in rows if row.flags & ACROSS]
    return [row for row in rows if salt(row.team) == list_]
