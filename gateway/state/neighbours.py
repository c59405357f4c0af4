"""Which earlier posts are near-copies of a new one: the same questions for each engine.

A post is the set of its prints (winnowed pieces of its text). It is remembered under its smallest
ones; a new post asks with all of its own, so that whatever is added to a copy hides nothing. Posts
that share two prints or more are candidates, and their whole sets are compared by the caller.

Laws:
    Post numbers rise and are never used twice, also after a post was deleted: what is newer than
    a number is all that was added since it was the last.
    `ahead` may run before the lock; `since` inside it gives what came between. Together they miss
    nothing, so of two copies the second always finds the first.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

REMEMBERED = 16
"""The smallest prints of a post, under which it is found again."""

LISTED = 32
"""The newest posts that are listed under one print: phrases stand in very many."""

CANDIDATES = 24
"""The posts that share the most prints are compared, and no others."""

AT_LEAST = 2
"""One shared print is chance or a phrase."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An earlier post that may be a near-copy: its write, and all its prints."""

    write_id: str
    prints: array[int]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was found before the lock: up to which post, which posts, which lists are full."""

    seen: int
    numbers: tuple[int, ...]
    full: tuple[int, ...]


def packed(prints: Iterable[int]) -> array[int]:
    """Give prints as they are stored: in ascending order, of each the low 32 bits.

    Two posts of 512 prints share one of them by chance once in 16,000 times.
    """
    return array("I", [value & 0xFFFFFFFF for value in sorted(prints)])


def shared(one: array[int], other: array[int]) -> int:
    """Count the prints that two posts share."""
    return len(set(one).intersection(other))


def most_hits(hits: Iterable[int], at_least: int = AT_LEAST) -> tuple[int, ...]:
    """Give the posts that were hit most often, the newer first among equals."""
    often = [(n, number) for number, n in Counter(hits).items() if n >= at_least]
    return tuple(number for _, number in nlargest(CANDIDATES, often))


class MemoryNeighbours:
    """Over dicts, for one process. No await between `find` and `add`: that is the lock."""

    def __init__(self) -> None:
        self._last = 0
        self._posts: dict[int, tuple[float, str, array[int]]] = {}
        self._lists: dict[int, list[int]] = {}

    def find(self, prints: array[int], at_least: int = AT_LEAST) -> list[Neighbour]:
        """Give the posts that share the most prints."""
        lists = self._lists
        hits = [number for value in prints for number in lists.get(value, ())]
        found = (self._posts[number] for number in most_hits(hits, at_least))
        return [Neighbour(write_id, kept) for _, write_id, kept in found]

    def add(self, write_id: str, at: float, prints: array[int]) -> int:
        """Remember a post, and give its number."""
        self._last += 1
        self._posts[self._last] = (at, write_id, prints)
        for value in prints[:REMEMBERED]:
            listed = self._lists.setdefault(value, [])
            listed.append(self._last)
            del listed[:-LISTED]
        return self._last

    def delete(self, number: int) -> None:
        """Forget a post."""
        post = self._posts.pop(number, None)
        for value in post[2][:REMEMBERED] if post else ():
            listed = self._lists.get(value, [])
            if number in listed:
                listed.remove(number)
            if not listed:
                self._lists.pop(value, None)

    def prune(self, before: float, most: int) -> None:
        """Forget posts of up to an instant, the oldest first and at most so many."""
        old = []
        for number, (at, _, _) in self._posts.items():
            if at > before or len(old) == most:
                break
            old.append(number)
        for number in old:
            self.delete(number)


SCHEMA = """
CREATE TABLE numbers (last INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);
CREATE TABLE posts (
    number INTEGER PRIMARY KEY, write_id TEXT NOT NULL, at REAL NOT NULL, prints BLOB NOT NULL
);
CREATE TABLE prints (print INTEGER, post INTEGER, PRIMARY KEY (print, post)) WITHOUT ROWID;
"""
PRAGMAS = (
    "PRAGMA mmap_size = 2147418112",
    "PRAGMA cache_size = -8192",
)
"""Another process's commit empties SQLite's own cache, so the mapped file is the cache."""

_HITS = "SELECT print, post FROM json_each(?) CROSS JOIN prints ON print = value"
_TRIM = """
DELETE FROM prints WHERE print = ?1 AND post < (
    SELECT post FROM prints WHERE print = ?1 ORDER BY post DESC LIMIT 1 OFFSET ?2)
"""


class SqliteNeighbours:
    """Over two tables of the state's file."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def last(self) -> int:
        """Give the number of the newest post."""
        return int(self._db.execute("SELECT last FROM numbers").fetchone()[0])

    def ahead(self, prints: array[int], at_least: int = AT_LEAST) -> Ahead:
        """Look up a post without the lock; needs no transaction, for it reads `last` first."""
        seen = self.last()
        asked = f"[{','.join(map(str, prints))}]"
        rows = self._db.execute(_HITS, (asked,)).fetchall()
        lists = Counter(value for value, _ in rows)
        return Ahead(
            seen=seen,
            numbers=most_hits((number for _, number in rows), at_least),
            full=tuple(value for value in prints[:REMEMBERED] if lists[value] >= LISTED),
        )

    def since(self, seen: int) -> list[int]:
        """Inside the lock: give what was added after `ahead` looked. Each is a candidate."""
        asked = "SELECT number FROM posts WHERE number > ?"
        return [number for (number,) in self._db.execute(asked, (seen,))]

    def add(self, write_id: str, at: float, prints: array[int], full: Sequence[int]) -> int:
        """Inside the lock: remember a post, and give its number.

        Args:
            full: of `ahead`: lists that lose their oldest posts.
        """
        self._db.execute("UPDATE numbers SET last = last + 1")
        number = self.last()
        self._db.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (number, write_id, at, prints))
        self._trim(full)
        rows = [(value, number) for value in prints[:REMEMBERED]]
        self._db.executemany("INSERT OR IGNORE INTO prints VALUES (?, ?)", rows)
        return number

    def read(self, numbers: Iterable[int]) -> list[Neighbour]:
        """Without the lock: give candidates; one that is gone by now was released."""
        asked = "SELECT write_id, prints FROM posts WHERE number = ?"
        found = (self._db.execute(asked, (number,)).fetchone() for number in numbers)
        return [Neighbour(row[0], array("I", row[1])) for row in found if row is not None]

    def delete(self, number: int) -> None:
        """Inside the lock: forget a post."""
        row = self._db.execute("SELECT prints FROM posts WHERE number = ?", (number,)).fetchone()
        if row is not None:
            rows = [(value, number) for value in array("I", row[0])[:REMEMBERED]]
            self._db.executemany("DELETE FROM prints WHERE print = ? AND post = ?", rows)
            self._db.execute("DELETE FROM posts WHERE number = ?", (number,))

    def prune(self, before: float, most: int) -> None:
        """Inside the lock: forget posts of up to an instant, the oldest first, at most so many."""
        asked = "SELECT number, at FROM posts ORDER BY number LIMIT ?"
        for number, at in self._db.execute(asked, (most,)).fetchall():
            if at > before:
                break
            self.delete(number)

    def _trim(self, full: Sequence[int]) -> None:
        self._db.executemany(_TRIM, [(value, LISTED - 2) for value in full])


# What Redis answers: the post as `near_add` in neighbours.lua wrote it.


def from_redis(post: bytes) -> Neighbour:
    """Read a post that neighbours.lua stored."""
    write_id, _, prints = post[8:].partition(b"\0")
    return Neighbour(write_id.decode(), array("I", prints))
