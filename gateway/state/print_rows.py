"""Rows of the table of prints: what stands in them, and how they are used without a compiler.

A row holds sixteen entries: all marks, then the numbers of the posts. `print_rows_c.c` does the same,
faster; a test holds them equal.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from mmap import mmap
from struct import Struct

import numpy as np

HEAD = 4096
"""Bytes before the first row, for whoever keeps the table."""
ENTRIES = 16
_OLDEST, _LISTED = 4, 12
"""The entries of a row that one print keeps for its oldest posts, and those it may take at all."""

_MARK, _NUMBER = Struct("=H"), Struct("=I")
_MARKS, _NUMBERS = Struct(f"={ENTRIES}H"), Struct(f"={ENTRIES}I")
ROW = _MARKS.size + _NUMBERS.size
AT_LEAST = 2
"""Prints that a post shares, to be named: one is chance, or a phrase."""
_NAMED = 64
"""Posts that are named: of some, the team, the author or the age is not what was asked for."""
_WHOLE = np.dtype((np.void, ROW))
"""A row that is copied in one piece, which is several times faster than by its entries."""
_UPPER = 1 if sys.byteorder == "little" else 0
"""Which of a print's halves is its mark."""


def salted(prints: bytes | array[int], salt: int) -> array[int]:
    """Read prints, and mix a salt into each: those that differ differ afterwards."""
    return array("I", (np.frombuffer(prints, np.uint32) ^ np.uint32(salt)).tobytes())


def rows_in(memory: mmap) -> int:
    """How many rows a table has."""
    return (len(memory) - HEAD) // ROW


def hits(memory: mmap, prints: bytes | array[int], salt: int) -> list[int]:
    """Give the numbers of the posts that share prints, once for each."""
    asked = np.frombuffer(prints, np.uint32) ^ np.uint32(salt)
    table = np.frombuffer(memory, _WHOLE, offset=HEAD)
    rows = table.take(asked & (len(table) - 1))
    marks = rows.view(np.uint16).reshape(-1, ROW // _MARK.size)[:, :ENTRIES]
    numbers = rows.view(np.uint32).reshape(-1, ROW // _NUMBER.size)[:, -ENTRIES:]
    shared = marks == asked.view(np.uint16)[_UPPER::2, np.newaxis]
    return [*filter(None, numbers[shared].tolist())]


def most_hit(
    memory: mmap, prints: bytes | array[int], salt: int, first: int, last: int
) -> list[int]:
    """Give the posts that share the most prints, the newer first among equals.

    Args:
        first: no number below it is of a post that is still there.
        last: posts above it are not asked for.
    """
    often = [
        (n, post)
        for post, n in Counter(hits(memory, prints, salt)).items()
        if n >= AT_LEAST and first <= post <= last
    ]
    often.sort(reverse=True)
    return [post for _, post in often[:_NAMED]]


def add(memory: mmap, prints: bytes | array[int], salt: int, number: int, first: int) -> None:
    """List a post under prints; no number below `first` is of a post that is still there."""
    mask = rows_in(memory) - 1
    for value in salted(prints, salt):
        at, mark = HEAD + (value & mask) * ROW, value >> 16
        marks = _MARKS.unpack_from(memory, at)
        numbers = _NUMBERS.unpack_from(memory, at + _MARKS.size)
        entry = _place(marks, numbers, mark, number, first)
        if entry is not None:
            _NUMBER.pack_into(memory, at + _MARKS.size + _NUMBER.size * entry, number)
            _MARK.pack_into(memory, at + _MARK.size * entry, mark)


def remove(memory: mmap, prints: bytes | array[int], salt: int, number: int) -> None:
    """Take a post out of the lists of its prints."""
    mask = rows_in(memory) - 1
    for value in salted(prints, salt):
        at = HEAD + (value & mask) * ROW
        marks = _MARKS.unpack_from(memory, at)
        numbers = _NUMBERS.unpack_from(memory, at + _MARKS.size)
        for entry, found in enumerate(zip(marks, numbers, strict=True)):
            if found == (value >> 16, number):
                _NUMBER.pack_into(memory, at + _MARKS.size + _NUMBER.size * entry, 0)


def shared(prints: bytes | array[int], others: bytes | array[int]) -> int:
    """Count the prints that stand in both, each ascending."""
    return len({*array("I", prints)}.intersection(array("I", others)))


def _place(
    marks: tuple[int, ...], numbers: tuple[int, ...], mark: int, number: int, first: int
) -> int | None:
    """Give the entry that a post takes in a row; None where it is not to have one."""
    oldest = numbers.index(min(numbers))  # free, or of a post that is gone, or the oldest
    if mark not in marks:
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
