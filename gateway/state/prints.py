"""The table of prints: which posts are remembered under a print. Pure.

A post is the set of its prints (winnowed pieces of its text). It is remembered under its smallest
ones; a new post asks with all of its own, so that whatever is added to a copy hides nothing. Posts
that share two prints or more are candidates, and their whole sets are compared.

The table is a hint, the posts are the truth. A row holds sixteen entries, each a print and the
number of a post; where it is full, the oldest entry goes. So the table needs no deleting and never
grows: it forgets the oldest. It may name posts that are gone, which whoever reads them finds out.

Laws:
    Numbers rise from 1. Adding is done under a lock; finding needs none, also in another process
    that maps the same memory: at worst an entry that is just being replaced names another post.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from heapq import nlargest
from mmap import mmap
from struct import Struct

REMEMBERED = 8
"""The smallest prints of a post, under which it is found again."""

CANDIDATES = 24
"""The posts that share the most prints are compared, and no others."""

AT_LEAST = 2
"""One shared print is chance, or a phrase."""

HEAD = 4096
"""Bytes before the first row, for whoever keeps the table."""

_ENTRIES = 16
_LISTED = 12
"""The entries of a row that one print may take: phrases stand in very many posts."""

_HALF = Struct(f"={_ENTRIES}I")  # a row: its prints, then their numbers
_ENTRY = Struct("=I")
_ROW = 2 * _HALF.size


def packed(prints: Iterable[int]) -> array[int]:
    """Give prints as they are stored: in ascending order, of each the low 32 bits.

    By chance two posts of 100 prints share one of these once in 400,000 times.
    """
    return array("I", [value & 0xFFFFFFFF for value in sorted(prints)])


def shared(one: array[int], other: array[int]) -> int:
    """Count the prints that two posts share."""
    return len(set(one).intersection(other))


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
    return [post for _, post in nlargest(2 * CANDIDATES, often)]


def table_size(rows: int) -> int:
    """The bytes of a table: 128 for each row, and a row does for one post."""
    if rows < 1 or rows & (rows - 1):
        raise ValueError(f"{rows} is no power of two")
    return HEAD + rows * _ROW


class PrintTable:
    """Rows in a mapping, which may be of a file."""

    def __init__(self, memory: mmap, rows: int) -> None:
        assert len(memory) == table_size(rows)
        self._memory = memory
        self._mask = rows - 1

    def hits(self, prints: array[int]) -> list[int]:
        """Give the numbers of the posts that share prints, once for each."""
        memory, mask, half, size = self._memory, self._mask, _HALF.unpack_from, _ROW
        found: list[int] = []
        for value in prints:
            at = HEAD + (value & mask) * size
            row = half(memory, at)
            if value in row:
                numbers = half(memory, at + size // 2)
                found += [post for each, post in zip(row, numbers, strict=True) if each == value]
        return found

    def add(self, number: int, prints: array[int]) -> None:
        """Remember a post under its smallest prints; doing it twice is doing it once."""
        for value in prints[:REMEMBERED]:
            at = HEAD + (value & self._mask) * _ROW
            row = _HALF.unpack_from(self._memory, at)
            numbers = _HALF.unpack_from(self._memory, at + _HALF.size)
            own = [post for each, post in zip(row, numbers, strict=True) if each == value and post]
            if number in own:
                continue
            oldest = min(own if len(own) >= _LISTED else numbers)
            entry = at + _ENTRY.size * numbers.index(oldest)
            _ENTRY.pack_into(self._memory, entry + _HALF.size, number)
            _ENTRY.pack_into(self._memory, entry, value)
