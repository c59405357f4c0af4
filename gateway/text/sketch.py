"""The sketch of a text: what state keeps of it, so that later texts can be compared with it. Pure.

A sketch holds 16 bits of each print and word, in five sets: the prints of the writer's own words
and of the rest (headings, task lists, details), the words likewise, and for a short text its small
words as well. Of a long text only the smallest are kept, which is a fair sample: what share of it
stands elsewhere is estimated from that. Nobody can read the text in it, but whoever has the text
can tell that it is this one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct

import numpy as np

from gateway.text.prints import Prints, word_hash
from gateway.text.small_words import SMALL_WORDS

SHORT = 20
"""Below this many words a text has too few prints; its small words count, too."""
_PRINTS_AT_MOST = 192
_WORDS_AT_MOST = 96

_HEAD = Struct("<H?x8H")
_MOST = 0xFFFF
_NONE: Prints = np.zeros(0, np.uint32)


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
    """Read a sketch as `write` made it."""
    words, framed, *counts = _HEAD.unpack_from(data)
    values = array("H", data[_HEAD.size :])
    ends = list(accumulate(counts[4:], initial=0))
    own, rest, own_words, rest_words = (
        Part(values[first:last], total)
        for (first, last), total in zip(pairwise(ends), counts[:4], strict=True)
    )
    return Sketch(words, framed, own, rest, own_words, rest_words, values[ends[-1] :])


def write(words: int, framed: bool, full: Sample, own: Sample, *, whole: bool) -> bytes:  # noqa: FBT001 - a fact of the text
    """Write the sketch of a text.

    Args:
        words: its real words.
        framed: nearly all of it is quote or form.
        full: of all that a reader sees.
        own: of what is left without the furniture of forms.
        whole: keeps everything, to compare the text now; else what state is to remember.
    """
    most = _MOST if whole else _PRINTS_AT_MOST
    if own is full:
        sets: list[Prints] = [own.prints[:most], _NONE]
        totals = [len(own.prints), 0]
    else:
        prints = np.union1d(full.prints, own.prints)
        is_own = np.isin(prints[:most], own.prints, assume_unique=True)
        sets = [prints[:most][is_own], prints[:most][~is_own]]
        totals = [len(own.prints), len(prints) - len(own.prints)]
    words_kept = sorted(full.words | own.words)[: _MOST if whole else _WORDS_AT_MOST]
    own_words = [each for each in words_kept if each in own.words]
    rest_words = [each for each in words_kept if each not in own.words]
    small = sorted(full.small) if words < SHORT else []
    head = _HEAD.pack(
        min(words, _MOST),
        framed,
        *(
            min(total, _MOST) for total in (*totals, len(own.words), len(full.words - own.words))
        ),
        *(min(kept, _MOST) for kept in (*map(len, sets), len(own_words), len(rest_words))),
    )
    values = np.concatenate([*sets, np.array([*own_words, *rest_words, *small], np.uint32)])
    return head + (values & 0xFFFF).astype("<u2").tobytes()


@dataclass(frozen=True, slots=True)
class Sample:
    """The prints of a view of a text, and 16 bits of each of its words."""

    prints: Prints
    words: frozenset[int]
    small: frozenset[int]


def sample(words: Iterable[str], prints: Prints) -> Sample:
    """Take a sample of a view; masks are no words of it."""
    each = set(words) - MASKS
    return Sample(
        prints,
        frozenset(map(word_hash, each - SMALL_WORDS)),
        frozenset(map(word_hash, each & SMALL_WORDS)),
    )


MASKS = frozenset(["0", "url", "path"])
"""What stands for numbers, addresses and paths."""
