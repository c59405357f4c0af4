"""Which words of a text stand in sentences, and not in a log, in code or in a form. Pure.

Sentences are told by their small words, of which lists, logs and code have few. Only English ones
are known: what is written in another language is not taken for prose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS

_AROUND = 12
"""Words among which a word stands: about a sentence."""
_SMALL = 4
"""So many of them are small words in prose; half of the words are, mostly."""
_MASKED = 1
"""So many of them may be numbers, paths or addresses."""

_MASK = 16
_KINDS = dict.fromkeys(SMALL_WORDS, 1) | dict.fromkeys(MASKS, _MASK)
"""What a word counts, so that one sum of at most 12 words, which is a byte, holds both counts."""
_TOGETHER = int.from_bytes(b"\1" * _AROUND, "little")
"""A number of as many bytes as there are words around one; multiplied by it, a byte is their sum."""
_SENTENCES = re.compile(
    b"[%s]++"
    % b"".join(
        re.escape(bytes([masked * _MASK + small]))
        for masked in range(_MASKED + 1)
        for small in range(_SMALL, _AROUND + 1)
    )
)


def prose(words: Sequence[str]) -> list[tuple[int, int]]:
    """Give the stretches of masked words that stand in prose: each the first, and the one after."""
    kind = _KINDS.get
    kinds = bytes([kind(word, 0) for word in words])
    sums = int.from_bytes(kinds, "little") * _TOGETHER
    around = sums.to_bytes(len(words) + _AROUND, "little")[_AROUND - 1 : len(words)]
    last = len(around)
    before = _AROUND // 2  # as many are in front of a word; those at the ends have the next ones'
    return [
        (
            found.start() and found.start() + before,
            len(words) if found.end() == last else found.end() + before,
        )
        for found in _SENTENCES.finditer(around)
    ]
