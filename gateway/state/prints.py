"""The table of prints: which posts are listed under a print, and which a new one asks for. Pure.

A post is the set of its prints (winnowed pieces of its text). It is listed under its smallest ones,
under more of them if it is long: of a long text only a part may be copied. A new post asks with all
of its own, so that whatever is added to a copy hides nothing. Posts that share two prints or more
are candidates.

The table is a hint, the posts are the truth. A row holds sixteen entries, each the mark of a print
(its upper half; the lower chooses the row) and the number of a post. Of one print it keeps the oldest few and the newest: so no flood of copies pushes
out the post that they copy. It never grows: where a row is full, the oldest of other prints goes. It
may name posts that are gone, which whoever reads them finds out.

Laws:
    Numbers rise from 1, and those below `first` are of no post any more. Adding and removing are
    done under a lock; finding needs none, also in another process that maps the same memory: at
    worst an entry that is just being replaced names another post.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from mmap import mmap
from struct import Struct

import numpy as np

from gateway.model import Lookup, Reservation

REMEMBERED = 15
"""The smallest prints of a post, under which it is found again: so many, if it has them."""
_REMEMBERED_AT_MOST = 28
_SHARE = 18
"""Of a long text one of so many prints is listed. On average it is 15 of a post."""

CANDIDATES = 24
"""The posts that share the most prints are told, and no others."""

AT_LEAST = 2
"""One shared print is chance, or a phrase."""

HEAD = 4096
"""Bytes before the first row, for whoever keeps the table."""

ACROSS = 0
"""The salt of the list across all teams."""

_READ = 64
"""Candidates that are read: of some, the team, the author or the age is not what was asked for."""
_ENTRIES = 16
_OLDEST, _LISTED = 4, 12
"""The entries of a row that one print keeps for its oldest posts, and those it may take at all."""
_LARGEST = 2**32 - 1
"""A post with a higher number is not listed: that is some 130 years of a write a second."""

_MARK, _NUMBER = Struct("=H"), Struct("=I")
_MARKS, _NUMBERS = (
    Struct(f"={_ENTRIES}H"),
    Struct(f"={_ENTRIES}I"),
)  # a row: all marks, then numbers
_ROW = _MARKS.size + _NUMBERS.size
_WHOLE = np.dtype((np.void, _ROW))
"""A row that is copied in one piece, which is several times faster than by its entries."""
_UPPER = 1 if sys.byteorder == "little" else 0
"""Which of a print's halves is its mark."""


@lru_cache(1024)
def salt(team: str | None) -> int:
    """Give what is mixed into the prints of a team, or of the main site.

    So the same text of two teams does not stand in the same row, where one could crowd out the other.
    """
    digest = blake2b((team or "").encode("utf-8", "replace"), digest_size=4).digest()
    return int.from_bytes(digest, "little") | 1  # not `ACROSS`


def salted(prints: bytes, salt: int) -> array[int]:
    """Read prints, and mix a salt into each: those that differ differ afterwards."""
    return array("I", (np.frombuffer(prints, np.uint32) ^ np.uint32(salt)).tobytes())


def listed(prints: bytes) -> bytes:
    """Give the prints under which a post is listed; the smallest before any salt is mixed in."""
    among = len(prints) // 4
    return prints[: 4 * min(max(REMEMBERED, among // _SHARE), _REMEMBERED_AT_MOST)]


def salts(reservation: Reservation) -> frozenset[int]:
    """Give the lists in which the look-ups of a reservation search for near-copies."""
    found = reservation.write.fingerprint
    if found is None or not found.prints:
        return frozenset()
    return frozenset(
        searched(need)
        for group in reservation.groups
        for need in group.values()
        if isinstance(need, Lookup) and need.near
    )


def searched(lookup: Lookup) -> int:
    """Give the salt of the list that a look-up searches."""
    return ACROSS if lookup.across_teams else salt(lookup.team)


def most_hits(hits: Iterable[int], first: int, last: int) -> list[int]:
    """Give the posts that were hit most often, the newer first among equals.

    Args:
        hits: numbers of posts, one for each shared print.
        first: no number below it is of a post that is still there.
        last: posts above it are not asked for.
    """
    often = [
        (n, post) for post, n in Counter(hits).items() if n >= AT_LEAST and first <= post <= last
    ]
    often.sort(reverse=True)
    return [post for _, post in often[:_READ]]


def table_size(rows: int) -> int:
    """The bytes of a table: 96 for each row, and a row does for one post."""
    if rows < 1 or rows & (rows - 1):
        raise ValueError(f"{rows} is no power of two")
    return HEAD + rows * _ROW


def rows_for(posts: int) -> int:
    """The rows that remember so many posts, or somewhat more: always a power of two."""
    return int(1 << (max(1, posts) - 1).bit_length())


class PrintTable:
    """Rows in a mapping, which may be of a file."""

    def __init__(self, memory: mmap, rows: int) -> None:
        assert len(memory) == table_size(rows)
        self._memory = memory
        self._mask = rows - 1
        self._rows = np.frombuffer(memory, _WHOLE, rows, HEAD)

    def hits(self, prints: array[int]) -> list[int]:
        """Give the numbers of the posts that share prints, once for each."""
        asked = np.frombuffer(prints, np.uint32)
        rows = self._rows.take(asked & self._mask)
        marks = rows.view(np.uint16).reshape(-1, _ROW // _MARK.size)[:, :_ENTRIES]
        numbers = rows.view(np.uint32).reshape(-1, _ROW // _NUMBER.size)[:, -_ENTRIES:]
        shared = marks == asked.view(np.uint16)[_UPPER::2, np.newaxis]
        return [*filter(None, numbers[shared].tolist())]

    def release(self) -> None:
        """Let the memory go, so that it can be closed."""
        del self._rows

    def add(self, number: int, prints: array[int], first: int) -> None:
        """List a post under its prints; doing it twice is doing it once."""
        if number > _LARGEST:
            return
        for value in prints:
            at, mark = self._at(value), value >> 16
            marks, numbers = self._row(at)
            entry = numbers.index(min(numbers))  # free, or of a post that is gone, or the oldest
            if mark in marks:
                place = _place(marks, numbers, mark, number, first, entry)
                if place is None:
                    continue
                entry = place
            _NUMBER.pack_into(self._memory, at + _MARKS.size + _NUMBER.size * entry, number)
            _MARK.pack_into(self._memory, at + _MARK.size * entry, mark)

    def remove(self, number: int, prints: array[int]) -> None:
        """Take a post out of the lists of its prints."""
        for value in prints:
            at = self._at(value)
            for index, entry in enumerate(zip(*self._row(at), strict=True)):
                if entry == (value >> 16, number):
                    _NUMBER.pack_into(self._memory, at + _MARKS.size + _NUMBER.size * index, 0)

    def _at(self, value: int) -> int:
        return HEAD + (value & self._mask) * _ROW

    def _row(self, at: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (
            _MARKS.unpack_from(self._memory, at),
            _NUMBERS.unpack_from(self._memory, at + _MARKS.size),
        )


def _place(
    marks: tuple[int, ...],
    numbers: tuple[int, ...],
    mark: int,
    number: int,
    first: int,
    oldest: int,
) -> int | None:
    """Give the entry that a post takes in a row that has its print; None where it is not to have one.

    Args:
        oldest: the entry of the smallest number.
    """
    is_other = marks[oldest] != mark or numbers[oldest] < first
    if is_other and number not in numbers and marks.count(mark) < _LISTED:
        return oldest
    own = sorted([n for each, n in zip(marks, numbers, strict=True) if each == mark and n >= first])
    if number in own:
        return None
    if len(own) >= _LISTED:
        leaves = sorted([*own, number])[_OLDEST]  # neither of the oldest few nor of the newest
        entries = [*zip(marks, numbers, strict=True)]
        return None if leaves == number else entries.index((mark, leaves))
    others = [(n, index) for index, n in enumerate(numbers) if marks[index] != mark or n < first]
    return min(others)[1]
