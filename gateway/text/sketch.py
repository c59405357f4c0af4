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
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from gateway.text.normalize import Normal
from gateway.text.prints import MIDDLE, distinct, halved, winnow, word_hashes
from gateway.text.prose import prose
from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS

SHORT = 20
"""Below this many words a text has too few prints; its small words count, too."""
_PRINTS_AT_MOST = 128
_WORDS_AT_MOST = 64

_HEAD = Struct("<H??8H")
_HEAD_OF_PRINTS = Struct("<4xHH4xHH")
"""Of the head: how many prints there are of the own view and the rest, and how many are kept."""
_COUNT = Struct("=H")
_HALF = 2
"""Bytes of a print or word as they are kept."""
_TELLS = 3
"""Where the head says whether prose is told."""
_MOST = 0xFFFF
_MUCH = 40
"""Words below which prose is not told apart: too little to be telling."""
_UNTELLING = SMALL_WORDS.union(MASKS)


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
    if _is_damaged(data):
        return _EMPTY
    words, framed, tells_prose, *totals, own, rest, own_words, rest_words = _HEAD.unpack_from(data)
    values = array("H", data[_HEAD.size :])
    end = len(values) - values.pop() - 1 if tells_prose and values else len(values)
    rest += own
    own_words += rest
    rest_words += own_words
    return Sketch(
        words,
        framed,
        Part(values[:own], totals[0]),
        Part(values[own:rest], totals[1]),
        Part(values[rest:own_words], totals[2]),
        Part(values[own_words:rest_words], totals[3]),
        values[rest_words:end],
        values[end:],
    )


@lru_cache(maxsize=256)
def read_prints(data: bytes) -> tuple[Part, Part]:
    """Read of a sketch the prints of its own view and the rest, as in `Sketch`."""
    if _is_damaged(data):
        return _NOTHING, _NOTHING
    own_total, rest_total, own, rest = _HEAD_OF_PRINTS.unpack_from(data)
    values = array("H", data[_HEAD.size : _HEAD.size + _HALF * (own + rest)])
    return Part(values[:own], own_total), Part(values[own:], rest_total)


def _is_damaged(data: bytes) -> bool:
    return len(data) < _HEAD.size or len(data) % _HALF != 0


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
    """What a view of a text leaves: its prints, and 16 bits of each word, ascending, each once.

    They are `chosen` in the order in which they stand in the text, some more than once.
    """

    chosen: bytes
    prints: array[int]
    words: array[int]


class Parted(NamedTuple):
    """Hashes of the own view, and those that only the full one has."""

    own: array[int]
    rest: array[int]


class Samples:
    """What both views of a text leave."""

    def __init__(self, normal: Normal, full: Sample, own: Sample) -> None:
        self.prints = full.prints
        if own is not full:
            self.prints = array("I", distinct(full.prints + own.prints))
        self._prints = Parted(own.prints, _without(full.prints, own.prints))
        self._words = Parted(own.words, _without(full.words, own.words))
        small = SMALL_WORDS.intersection(normal.full) if normal.words < SHORT else ()
        self._small = word_hashes(small)
        self._head = min(_MOST, normal.words), normal.framed
        self._prose = _in_prose(normal.own, own)

    def sketches(self) -> tuple[bytes, bytes]:
        """Give what state is to keep, and the whole, to compare this text with earlier ones."""
        whole = self._sketch(self._prints, self._words)
        prints, words = _cut(self._prints, _PRINTS_AT_MOST), _cut(self._words, _WORDS_AT_MOST)
        cut = prints is not self._prints or words is not self._words
        return self._sketch(prints, words) if cut else whole, _told(whole, self._prose)

    def _sketch(self, prints: Parted, words: Parted) -> bytes:
        own, rest = halved(prints.own), halved(prints.rest)
        totals = map(len, (*self._prints, *self._words))
        kept = (len(own) // _HALF, len(rest) // _HALF, len(words.own), len(words.rest))
        counts = [*totals, *kept]
        if max(counts) > _MOST:
            counts = [min(_MOST, count) for count in counts]
        head = _HEAD.pack(*self._head, False, *counts)  # noqa: FBT003 - no prose
        return b"".join((head, own, rest, *words, self._small))


def _without(full: array[int], own: array[int]) -> array[int]:
    """Give what only the full view has."""
    if full is own:
        return full[:0]
    return array(full.typecode, sorted({*full}.difference(own)))


def _cut(parted: Parted, most: int) -> Parted:
    """Keep the smallest."""
    own, rest = parted
    if len(own) + len(rest) <= most:
        return parted
    last = sorted((*own[:most], *rest[:most]))[most - 1]
    return Parted(own[: bisect_right(own, last)], rest[: bisect_right(rest, last)])


def _told(sketch: bytes, prose: bytes) -> bytes:
    """Tell in a sketch what stands in prose."""
    if not prose:
        return sketch
    told = _COUNT.pack(len(prose) // _HALF)
    return b"".join((sketch[:_TELLS], b"\1", sketch[_TELLS + 1 :], prose, told))


def _in_prose(words: Sequence[str], own: Sample) -> bytes:
    """Give 16 bits of each print that stands in prose."""
    if len(words) < _MUCH:
        return b""
    told = b""
    at = end = 0
    for first, last in prose(words):
        begin = end + _letters(words[at:first])
        end = begin + _letters(words[first:last])
        told += own.chosen[4 * max(0, begin - MIDDLE) : 4 * max(0, end - MIDDLE)]
        at = last
    return halved(told)


def _letters(words: Sequence[str]) -> int:
    return len("".join(words))


def sample(words: Sequence[str]) -> Sample:
    """Take the prints and words of a view."""
    chosen = winnow("".join(words))
    telling = word_hashes(words, _UNTELLING)
    return Sample(chosen, array("I", distinct(chosen)), telling)
