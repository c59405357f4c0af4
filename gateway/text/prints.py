"""Prints: hashes of pieces of a text, chosen so that copies share them. Pure.

A text is squeezed to its letters; each run of nine is hashed, and of every five neighbouring hashes
the smallest stays (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003). So each passage of 13
letters that two texts share gives both the same print, wherever it stands.

The hashes lie in state for months: they must come out alike on every machine and in every version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

GRAM = 9
"""Letters that are hashed together: two short words."""
_WINDOW = 5
MIDDLE = (GRAM + _WINDOW - 1) // 2
"""Letters before the middle of those among which a print was chosen."""

Prints = NDArray[np.uint32]

_Bits = TypeVar("_Bits", np.uint16, np.uint32)

_FACTOR = 0x9E3779B97F4A7C15
_POWERS = np.array([pow(_FACTOR, GRAM - 1 - place, 1 << 64) for place in range(GRAM)], np.uint64)
_MIXER = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_SHIFT = np.uint64(29)
_FEW = 400
"""Hashes below which a call of numpy costs more than its work."""
NONE: Prints = np.zeros(0, np.uint32)
"""The prints of a text without letters."""


def prints(words: Sequence[str]) -> Prints:
    """Give the prints of a text, ascending, each once; a text below nine letters has one."""
    return distinct(winnowed(gram_hashes("".join(words))))


def distinct(hashes: NDArray[_Bits]) -> NDArray[_Bits]:
    """Sort hashes, and give each once."""
    if len(hashes) < _FEW:
        return np.array(sorted({*hashes.tolist()}), hashes.dtype)
    hashes = np.sort(hashes)
    first = np.empty(len(hashes), np.bool_)
    first[0] = True
    np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
    return hashes[first]


def gram_hashes(letters: str) -> Prints:
    """Hash each run of nine letters; all of them together where there are fewer."""
    code = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    if not len(code):
        return NONE
    if len(code) < GRAM:
        code = np.concatenate([code, np.zeros(GRAM - len(code), np.uint64)])
    nine = np.correlate(code, _POWERS)  # a polynomial of nine letters, modulo 2 ** 64
    nine ^= nine >> _SHIFT
    nine *= _MIXER
    return (nine >> _HALF).astype(np.uint32)


def winnowed(hashes: Prints) -> Prints:
    """Give the smallest of every five neighbours; one may come more than once."""
    windows = len(hashes) - _WINDOW + 1
    if windows < 2:
        return np.sort(hashes)[:1]
    size = hashes.itemsize
    shifted: Prints = np.ndarray((_WINDOW, windows), hashes.dtype, hashes, 0, (size, size))
    smallest: Prints = np.minimum.reduce(shifted)
    return smallest


def word_hashes(words: Collection[str]) -> frozenset[int]:
    """Give 16 bits of each word."""
    if not words:
        return frozenset()
    encoded = "\n".join(words).encode("utf-8", "surrogatepass").split(b"\n")
    return frozenset([crc32(word) & 0xFFFF for word in encoded])
