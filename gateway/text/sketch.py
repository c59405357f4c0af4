"""The sketch of a text: what state keeps of it, so that later texts can be compared with it. Pure.

A sketch holds 16 bits of each print and word, in five sets: the prints of the writer's own words
and of the rest (headings, task lists, details), the words likewise, and for a short text its small
words as well. Of a long text only the smallest are kept, which is a fair sample: what share of it
stands elsewhere is estimated from that. Nobody can read the text in it, but whoever has the text
can tell that it is this one.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct

import numpy as np

from gateway.text.normalize import Normal
from gateway.text.prints import Prints, prints, word_hash
from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS

SHORT = 20
"""Below this many words a text has too few prints; its small words count, too."""
_PRINTS_AT_MOST = 192
_WORDS_AT_MOST = 96

_HEAD = Struct("<H?x8H")
_MOST = 0xFFFF


@dataclass(frozen=True, slots=True)
class Part:
    """Some hashes of a kind; `total` is how many there are where not all are kept."""

    kept: array[int]
    total: int


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch, read.

    `words` counts the real words of the text; it is `framed` where nearly all is quote or form.
    """

    words: int
    framed: bool
    own: Part
    rest: Part
    own_words: Part
    rest_words: Part
    small_words: array[int]


def read(data: bytes) -> Sketch:
    """Read a sketch as `Samples` made it."""
    words, framed, *counts = _HEAD.unpack_from(data)
    values = array("H", data[_HEAD.size :])
    ends = list(accumulate(counts[4:], initial=0))
    own, rest, own_words, rest_words = (
        Part(values[first:last], total)
        for (first, last), total in zip(pairwise(ends), counts[:4], strict=True)
    )
    return Sketch(words, framed, own, rest, own_words, rest_words, values[ends[-1] :])


@dataclass(frozen=True, slots=True)
class Sample:
    """The prints of a view of a text, and 16 bits of each of its words."""

    prints: Prints
    words: frozenset[int]
    small: frozenset[int]


class Samples:
    """What both views of a text leave."""

    def __init__(self, normal: Normal) -> None:
        self._words = normal.words
        self._framed = normal.framed
        self._full = self._own = _sample(normal.full)
        self.prints = self._full.prints
        if normal.own != normal.full:
            self._own = _sample(normal.own)
            self.prints = np.union1d(self._full.prints, self._own.prints)

    def sketch(self) -> bytes:
        """Give what state is to keep."""
        return self._sketch(_PRINTS_AT_MOST, _WORDS_AT_MOST)

    def whole(self) -> bytes:
        """Give everything, to compare this text with earlier ones."""
        return self._sketch(_MOST, _MOST)

    def _sketch(self, prints_at_most: int, words_at_most: int) -> bytes:
        chosen, own = self.prints[:prints_at_most], self._own
        is_own = np.isin(chosen, own.prints, assume_unique=True)
        every_word = self._full.words | own.words
        words = sorted(every_word)[:words_at_most]
        own_words = [word for word in words if word in own.words]
        rest_words = [word for word in words if word not in own.words]
        small = sorted(self._full.small) if self._words < SHORT else []
        kept: tuple[Prints | list[int], ...] = (
            *(chosen[is_own], chosen[~is_own]),
            *(own_words, rest_words),
        )
        totals = (
            len(own.prints),
            len(self.prints) - len(own.prints),
            len(own.words),
            len(every_word) - len(own.words),
        )
        counts = (min(_MOST, count) for count in (*totals, *(len(each) for each in kept)))
        head = _HEAD.pack(min(_MOST, self._words), self._framed, *counts)
        hashes = np.concatenate([np.asarray(each, np.uint32) for each in (*kept, small)])
        return head + (hashes & 0xFFFF).astype(np.uint16).tobytes()


def _sample(words: Sequence[str]) -> Sample:
    each = set(words).difference(MASKS)
    return Sample(
        prints(words),
        frozenset(map(word_hash, each - SMALL_WORDS)),
        frozenset(map(word_hash, each & SMALL_WORDS)),
    )
