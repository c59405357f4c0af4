"""The sketch of a text: what state keeps of it, so that later texts can be compared with it. Pure.

A sketch holds 16 bits of each print and word, in five sets: the prints of the writer's own words
and of the rest (headings, task lists, details), the words likewise, and for a short text its small
words as well. Of a long text only the smallest are kept, which is a fair sample: what share of it
stands elsewhere is estimated from that. Nobody can read the text in it, but whoever has the text
can tell that it is this one.

What compares a text itself is not cut, and tells besides which of its prints stand in prose.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.text.normalize import Normal
from gateway.text.prints import MIDDLE, NONE, Prints, distinct, gram_hashes, winnowed, word_hashes
from gateway.text.prose import prose
from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS

SHORT = 20
"""Below this many words a text has too few prints; its small words count, too."""
_PRINTS_AT_MOST = 128
_WORDS_AT_MOST = 64

_HEAD = Struct("<H??8H")
_TELLS = 3
"""Where the head says whether prose is told."""
_MOST = 0xFFFF
_MUCH = 40
"""Words below which prose is not told apart: too little to be telling."""
_NO_PROSE = np.zeros(0, np.uint16)


class Part(NamedTuple):
    """Some hashes of a kind; `total` is how many there are where not all are kept."""

    kept: array[int]
    total: int


class Sketch(NamedTuple):
    """A sketch, read.

    `words` counts the real words of the text; it is `framed` where nearly all is quote or form.
    `prose` are those of its own prints that stand in prose: only the whole sketch tells.
    """

    words: int
    framed: bool
    own: Part
    rest: Part
    own_words: Part
    rest_words: Part
    small_words: array[int]
    prose: array[int]


@lru_cache(maxsize=256)  # several rules look at the same few posts
def read(data: bytes) -> Sketch:
    """Read a sketch as `Samples` made it; an empty or damaged one is like nothing."""
    if len(data) < _HEAD.size or len(data) % 2:
        return _EMPTY
    words, framed, tells_prose, *counts = _HEAD.unpack_from(data)
    values = array("H", data[_HEAD.size :])
    parts, first = [], 0
    for total, kept in zip(counts[:4], counts[4:], strict=True):
        parts.append(Part(values[first : first + kept], total))
        first += kept
    own, rest, own_words, rest_words = parts
    end = len(values) - values.pop() - 1 if tells_prose and values else len(values)
    small, in_prose = values[first:end], values[end:]
    return Sketch(words, framed, own, rest, own_words, rest_words, small, in_prose)


_NOTHING = Part(array("H"), 0)
_EMPTY = Sketch(
    words=0,
    framed=False,
    own=_NOTHING,
    rest=_NOTHING,
    own_words=_NOTHING,
    rest_words=_NOTHING,
    small_words=array("H"),
    prose=array("H"),
)


class Sample(NamedTuple):
    """What a view of a text leaves: 16 bits of each word, and its prints.

    They are `chosen` in the order in which they stand in the text, some more than once.
    """

    chosen: Prints
    prints: Prints
    words: frozenset[int]


class Samples:
    """What both views of a text leave."""

    def __init__(self, normal: Normal) -> None:
        self._words = min(_MOST, normal.words)
        self._framed = normal.framed
        self._full = self._own = _sample(normal.full)
        self._small = SMALL_WORDS.intersection(normal.full) if normal.words < SHORT else ()
        self.prints = self._full.prints
        if normal.own != normal.full:
            self._own = _sample(normal.own)
            self.prints = distinct(np.concatenate([self._full.prints, self._own.prints]))
        self._prose = _in_prose(normal.own, self._own.chosen)

    def sketches(self) -> tuple[bytes, bytes]:
        """Give what state is to keep, and the whole, to compare this text with earlier ones."""
        kept = whole = self._sketch(_MOST, _MOST)
        words = max(len(self._full.words), len(self._own.words))
        if len(self.prints) > _PRINTS_AT_MOST or words > _WORDS_AT_MOST:
            kept = self._sketch(_PRINTS_AT_MOST, _WORDS_AT_MOST)
        return kept, _told(whole, self._prose)

    def _sketch(self, prints_at_most: int, words_at_most: int) -> bytes:
        full, own = self._full, self._own
        own_prints, rest_prints = self.prints[:prints_at_most], NONE
        own_words, rest_words = sorted(full.words | own.words)[:words_at_most], list[int]()
        if own is not full:
            places = own.prints.searchsorted(own_prints)
            is_own = own.prints.searchsorted(own_prints, "right") > places
            own_prints, rest_prints = own_prints[is_own], own_prints[~is_own]
            rest_words = [word for word in own_words if word not in own.words]
            own_words = [word for word in own_words if word in own.words]
        own_kept, rest_kept = _short(own_prints), _short(rest_prints)
        counts = (*self._totals, len(own_kept), len(rest_kept), len(own_words), len(rest_words))
        words = array("H", [*own_words, *rest_words, *sorted(word_hashes(self._small))])
        head = _HEAD.pack(self._words, self._framed, False, *counts)  # noqa: FBT003 - no prose
        return b"".join((head, own_kept.tobytes(), rest_kept.tobytes(), words.tobytes()))

    @property
    def _totals(self) -> tuple[int, ...]:
        prints, words = len(self._own.prints), len(self._own.words)
        rest = len(self._full.words - self._own.words)
        totals = (prints, len(self.prints) - prints, words, rest)
        return tuple([min(_MOST, total) for total in totals])


def _told(sketch: bytes, prose: NDArray[np.uint16]) -> bytes:
    """Tell in a sketch what stands in prose."""
    if not len(prose):
        return sketch
    told = np.append(prose, np.uint16(len(prose)))
    return b"".join((sketch[:_TELLS], b"\1", sketch[_TELLS + 1 :], told.tobytes()))


def _short(prints: Prints) -> NDArray[np.uint16]:
    """Give 16 bits of each, each once."""
    return distinct(prints.astype(np.uint16))


def _in_prose(words: Sequence[str], chosen: Prints) -> NDArray[np.uint16]:
    """Give 16 bits of each print that stands in prose."""
    if len(words) < _MUCH or not (is_prose := prose(words)).any():
        return _NO_PROSE
    letters = is_prose.repeat(np.fromiter(map(len, words), np.intp, len(words)))
    return _short(chosen[letters[MIDDLE : MIDDLE + len(chosen)]])


def _sample(words: Sequence[str]) -> Sample:
    chosen = winnowed(gram_hashes("".join(words)))
    each = word_hashes({*words}.difference(MASKS, SMALL_WORDS))
    return Sample(chosen, distinct(chosen), each)
