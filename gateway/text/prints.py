"""Prints: hashes of pieces of a text, chosen so that copies share them. Pure.

A text is squeezed to its letters; each run of nine is hashed, and of every five neighbouring hashes
the smallest stays (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003). So each passage of 13
letters that two texts share gives both the same print, wherever it stands.

The hashes lie in state for months: they must come out alike on every machine and in every version.
They are bytes here, in native order, as they lie there: 32 bits each, or the lower 16 of them.

    winnow(letters): the print of each five neighbours, as they stand; fewer than 13 letters have one
    distinct(hashes): of 32 bits, ascending, each once
    halved(hashes): the lower 16 bits, ascending, each once
    common(some, others): how many of 16 bits two have in common, each ascending
    word_crcs(words, others): 16 bits of the CRC-32 of each word that is none of others, ascending,
        each once
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from gateway.text.prints_numpy import GRAM, WINDOW

try:
    from gateway.text.prints_c import common, distinct, halved, winnow, word_crcs
except ImportError:  # no compiler was there when the package was built
    from gateway.text.prints_numpy import common, distinct, halved, winnow, word_crcs

__all__ = ["MIDDLE", "common", "distinct", "halved", "winnow", "word_crcs", "word_hashes"]

MIDDLE = (GRAM + WINDOW - 1) // 2
"""Letters before the middle of those among which a print was chosen."""


def word_hashes(words: Iterable[str], others: frozenset[str] = frozenset()) -> array[int]:
    """Give 16 bits of each word that is none of others, ascending, each once."""
    return array("H", word_crcs(words, others))
