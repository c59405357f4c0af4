"""Which words of a text stand in sentences, and not in a log, in code or in a form. Pure.

Sentences are told by their small words, of which lists, logs and code have few. Only English ones
are known: what is written in another language is not taken for prose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS

_AROUND = 12
"""Words among which a word stands: about a sentence."""
_SMALL = 4
"""So many of them are small words in prose; half of the words are, mostly."""
_MASKED = 1
"""So many of them may be numbers, paths or addresses."""

_MASK = 1 << 8
_KINDS = dict.fromkeys(SMALL_WORDS, 1) | dict.fromkeys(MASKS, _MASK)
"""What a word counts, so that one sum holds both counts."""


def prose(words: Sequence[str]) -> NDArray[np.bool_]:
    """Tell of each masked word whether it stands in prose."""
    if len(words) < _AROUND:
        return np.zeros(len(words), np.bool_)
    kind = _KINDS.get
    kinds = np.array([0, *[kind(word, 0) for word in words]], np.uint32)
    sums = kinds.cumsum(dtype=np.uint32)
    counts = sums[_AROUND:] - sums[:-_AROUND]
    found: NDArray[np.bool_] = (counts & (_MASK - 1) >= _SMALL) & (counts < (_MASKED + 1) * _MASK)
    before = _AROUND // 2
    return np.concatenate(
        [found[:1].repeat(before), found, found[-1:].repeat(_AROUND - 1 - before)]
    )
