"""Which earlier posts are near-copies of a new one: the same questions to each engine.

To find and to remember is one step for whoever watches: of two copies that come at once, the
second finds the first. `prints.py` says how; here is where the posts and their table lie: for one
process in memory, for the processes of a machine in SQLite and a mapped file beside it.
"""

from __future__ import annotations

import fcntl
import mmap as mmap_
import os
import sqlite3
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from struct import Struct

from gateway.state.prints import CANDIDATES, PrintTable, most_hits, table_size


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An earlier post that may be a near-copy: its write, and all its prints."""

    write_id: str
    prints: array[int]


class MemoryNeighbours:
    """For one process. No await between `find` and `add`: that is the lock."""

    def __init__(self, rows: int) -> None:
        self._table = PrintTable(mmap(-1, table_size(rows)), rows)
        self._posts: dict[int, tuple[float, Neighbour]] = {}
        self._last = 0

    def find(self, prints: array[int]) -> list[Neighbour]:
        """Give the posts that share the most prints."""
        first = next(iter(self._posts), 0)
        numbers = most_hits(self._table.hits(prints), first, self._last)
        found = [self._posts[number][1] for number in numbers if number in self._posts]
        return found[:CANDIDATES]

    def add(self, write_id: str, at: float, prints: array[int]) -> int:
        """Remember a post, and give its number."""
        self._last += 1
        self._posts[self._last] = (at, Neighbour(write_id, prints))
        self._table.add(self._last, prints)
        return self._last

    def delete(self, number: int) -> None:
        """Forget a post."""
        self._posts.pop(number, None)

    def prune(self, before: float, most: int) -> None:
        """Forget posts of up to an instant, the oldest first, at most so many."""
        for _ in range(most):
            oldest = next(iter(self._posts), None)
            if oldest is None or self._posts[oldest][0] > before:
                return
            del self._posts[oldest]


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────

SCHEMA = """
CREATE TABLE numbers (last INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);
CREATE TABLE posts (
    number INTEGER PRIMARY KEY, write_id TEXT NOT NULL, at REAL NOT NULL, prints BLOB NOT NULL
);
"""
"""A counter, not SQLite's own choice: that would give the number of a deleted post once more."""

_ENDS = "SELECT last, coalesce((SELECT min(number) FROM posts), 0) FROM numbers"
_PRUNE = """
DELETE FROM posts
WHERE number IN (SELECT number FROM posts ORDER BY number LIMIT ?) AND at <= ?
"""
_SYNCED = Struct("=I")
_ADDED_AT_ONCE = 256
_SYNC_EVERY = 4096
_MAPPED = mmap_.MAP_SHARED | getattr(mmap_, "MAP_POPULATE", 0)
"""Where the kernel can, pages are mapped at the start and not by the first writes."""


class SqliteNeighbours:
    """For the processes of one machine: posts in SQLite, their table in a file that all map.

    `ahead` runs before the transaction, `since` and `add` inside it, `read` and `sync` after it.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, rows: int) -> None:
        """Map the table, and make up for what a power cut may have taken from it.

        Args:
            db: has `SCHEMA`, and is in no transaction.
            path: of the table; it is made where it is missing.
            rows: the posts that it remembers at least; the same for all processes.
        """
        self._db = db
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # of several that start at once, one builds
            if os.fstat(descriptor).st_size != table_size(rows):
                os.ftruncate(descriptor, 0)
                os.ftruncate(descriptor, table_size(rows))
            self._memory = mmap(descriptor, table_size(rows), flags=_MAPPED)
            self._table = PrintTable(self._memory, rows)
            self._make_up()
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # the mapping keeps a descriptor of its own
            os.close(descriptor)

    def ahead(self, prints: array[int]) -> tuple[int, list[int]]:
        """Without the lock: give the number of the newest post, and posts up to it that share prints.

        The number is read first. So these and what `since` gives for it are all there are.
        """
        last, first = self._db.execute(_ENDS).fetchone()
        return last, most_hits(self._table.hits(prints), first, last)

    def since(self, last: int) -> list[int]:
        """Inside the transaction: give the posts that came after `ahead`; each is a candidate."""
        asked = "SELECT number FROM posts WHERE number > ?"
        return [number for (number,) in self._db.execute(asked, (last,))]

    def add(self, write_id: str, at: float, prints: array[int]) -> int:
        """Inside the transaction: remember a post, and give its number."""
        self._db.execute("UPDATE numbers SET last = last + 1")
        number = self._last()
        self._db.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (number, write_id, at, prints))
        self._table.add(number, prints)  # before the commit, which lets others see the number
        return number

    def read(self, numbers: Iterable[int]) -> list[Neighbour]:
        """After the transaction: give the candidates that are still there."""
        found: list[Neighbour] = []
        for number in numbers:
            asked = "SELECT write_id, prints FROM posts WHERE number = ?"
            row = self._db.execute(asked, (number,)).fetchone()
            if row is not None:
                found.append(Neighbour(row[0], array("I", row[1])))
        return found

    def delete(self, number: int) -> None:
        """Inside the transaction: forget a post."""
        self._db.execute("DELETE FROM posts WHERE number = ?", (number,))

    def prune(self, before: float, most: int) -> None:
        """Inside the transaction: forget posts of up to an instant, oldest first, at most so many."""
        self._db.execute(_PRUNE, (most, before))

    def sync(self) -> None:
        """After a transaction: now and then put the table on disk, so that a start is short."""
        if self._last() - self._synced() >= _SYNC_EVERY:
            self._flush()

    def close(self) -> None:
        """Put the table on disk and let it go."""
        self._flush()
        self._memory.close()

    def _flush(self) -> None:
        last = self._last()
        self._memory.flush()
        _SYNCED.pack_into(self._memory, 0, last)

    def _make_up(self) -> None:
        """Add the posts that may be missing in the table: those since it was put on disk."""
        # A power cut may also have taken posts whose numbers were on disk here already.
        done = min(self._synced(), self._last())
        while True:
            self._db.execute("BEGIN IMMEDIATE")  # others may be adding
            asked = "SELECT number, prints FROM posts WHERE number > ? ORDER BY number LIMIT ?"
            rows = self._db.execute(asked, (done, _ADDED_AT_ONCE)).fetchall()
            for number, prints in rows:
                self._table.add(number, array("I", prints))
            self._db.execute("COMMIT")
            if not rows:
                break
            done = rows[-1][0]
        self._flush()

    def _last(self) -> int:
        return int(self._db.execute("SELECT last FROM numbers").fetchone()[0])

    def _synced(self) -> int:
        return int(_SYNCED.unpack_from(self._memory)[0])
