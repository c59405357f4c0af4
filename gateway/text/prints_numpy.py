"""Prints and their sets by numpy: what they are, and how they are made without a compiler. Pure.

`prints_c.c` does the same, faster; a test holds them equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

GRAM = 9
"""Letters that are hashed together: two short words."""
WINDOW = 5
"""Neighbouring hashes of which the smallest stays."""

Hashes = NDArray[np.uint32]

_FACTOR = 0x9E3779B97F4A7C15
_POWERS = np.array([pow(_FACTOR, GRAM - 1 - place, 1 << 64) for place in range(GRAM)], np.uint64)
_MIXER = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_SHIFT = np.uint64(29)


def gram_hashes(letters: str) -> Hashes:
    """Hash each run of nine letters; all of them together where there are fewer."""
    if not letters:
        return np.zeros(0, np.uint32)
    code = np.frombuffer(letters.ljust(GRAM, "\0").encode("utf-32-le", "surrogatepass"), "<u4")
    nine: NDArray[np.uint64] = np.correlate(code, _POWERS)  # a polynomial, modulo 2 ** 64
    nine ^= nine >> _SHIFT
    nine *= _MIXER
    return (nine >> _HALF).astype(np.uint32)


def winnowed(hashes: Hashes) -> Hashes:
    """Give the smallest of every five neighbours; one may come more than once."""
    windows = len(hashes) - WINDOW + 1
    if windows < 2:
        return np.sort(hashes)[:1]
    size = hashes.itemsize
    shifted: Hashes = np.ndarray((WINDOW, windows), hashes.dtype, hashes, 0, (size, size))
    smallest: Hashes = np.minimum.reduce(shifted)
    return smallest


def winnow(letters: str) -> bytes:
    """As `prints.winnow`."""
    return winnowed(gram_hashes(letters)).tobytes()


def distinct(hashes: bytes | array[int]) -> bytes:
    """As `prints.distinct`."""
    return np.unique(np.frombuffer(hashes, np.uint32)).tobytes()


def halved(hashes: bytes | array[int]) -> bytes:
    """As `prints.halved`."""
    return np.unique(np.frombuffer(hashes, np.uint32).astype(np.uint16)).tobytes()


def common(some: array[int], others: array[int]) -> int:
    """As `prints.common`."""
    return len({*some}.intersection(others))


def word_crcs(words: Iterable[str], others: AbstractSet[str]) -> bytes:
    """As `prints.word_crcs`."""
    utf8 = (word.encode("utf-8", "surrogatepass") for word in {*words} - others)
    return array("H", sorted({crc32(word) & 0xFFFF for word in utf8})).tobytes()
