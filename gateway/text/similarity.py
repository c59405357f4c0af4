"""How alike two texts are, 0 to 1, and what one author repeats. Pure.

What makes a copy is not the share of equal pieces alone: honest people quote, fill in forms, and
answer in few words. Three facts tell them apart, and all scores rest on them: who wrote both (one
author, or two), where (one thread, or two), and whose words they are (the writer's own, or common
property: what the posts of two other authors have among the candidates, as quotes, forms and
greetings). The measure itself: the share of one text's words that stand in the other, damped by the
share of its prints, which tell that they come in the same order, and by the amount of text.
Between authors, sentences count more than logs, code and lists do.

The scores are calibrated: from 0.60 on it is worth a second look, from 0.84 on it is a copy
(docs/detection.md has the figures). Identical texts of twelve words or more score 1.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from gateway.text.prints import common
from gateway.text.sketch import SHORT, Part, Sketch, read, read_prints

FEW_WORDS = 8
"""Below this many words honest people repeat themselves ("Done.", "See the docs")."""
FEW_WORDS_ASKED = 4
"""The same for questions and articles: their titles say much in little."""

_IDENTICAL_WORDS = 12
_IDENTICAL = 0.99
"""The share from which on two sets are the same: of 16 bits each, some hashes meet by chance."""
_OWNERS = 2
"""Other authors whose posts share a print before it is common property."""
REPEATED_THREADS = 3
"""Other threads in which an author has a passage before it counts as a template."""
_Curve = tuple[tuple[float, float], ...]
_BETWEEN_AUTHORS: _Curve = ((0.0, 0.0), (0.62, 0.60), (0.74, 0.84), (1.0, 1.0))
_OF_ONE_AUTHOR: _Curve = ((0.0, 0.0), (0.60, 0.60), (0.90, 0.84), (1.0, 1.0))


class Placed(NamedTuple):
    """The sketch of a text, who wrote it and where it stands: `thread` is unique for what begins one."""

    text: bytes
    author: str
    thread: str

    @property
    def sketch(self) -> Sketch:
        """The sketch, read."""
        return read(self.text)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a new text is to an earlier one.

    `of_new` and `of_earlier` are the shares of each text that stand in the other.
    """

    score: float
    of_new: float
    of_earlier: float


NOTHING = Likeness(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Template:
    """What an author repeats: `share` of the new text stands in `threads` others of theirs."""

    score: float
    share: float
    threads: int


class Registered(NamedTuple):
    """The prints and words of texts that are common property by somebody's word."""

    prints: frozenset[int] = frozenset()
    words: frozenset[int] = frozenset()


_NONE_REGISTERED = Registered()


@lru_cache(maxsize=16)  # several rules look at the same few posts
def compare(
    new: Placed, earlier: tuple[Placed, ...], few: int, registered: Registered = _NONE_REGISTERED
) -> Comparison:
    """Put a new text among the earlier ones that share prints with it.

    Args:
        new: its whole sketch.
        earlier: the candidates, all of them: they also tell what is common property.
        few: the number of words below which likeness tells nothing.
        registered: what is common property beside that.
    """
    return Comparison(new, earlier, few, registered)


def may_reach(new: bytes, earlier: bytes, score: float) -> bool:
    """Whether a text may be so much like one of another author: most are told apart by this.

    Leaving out common property makes the shared prints fewer, and so it may lower the amount of
    text or leave two texts identical of which little is left (`Comparison`).

    Args:
        new: its whole sketch.
        earlier: the sketch of the other.
    """
    own, old = read_prints(new)[0].kept, read_prints(earlier)[0]
    hits = common(own, old.kept)
    shared = hits * old.total / len(old.kept) if hits else 0.0  # of what is not kept, by its sample
    raw = _raw_of(score, _BETWEEN_AUTHORS)
    identical = raw * _IDENTICAL * len(own) / 2
    return shared >= min(_MUCH * raw**2, identical) - 0.5  # half a print is what rounding adds


def may_repeat(new: bytes, earlier: bytes, score: float) -> bool:
    """Whether a text may be so much like one of the same author, whatever words both have.

    Only where nothing is registered: what is left without that may be more alike.

    Args:
        new: its whole sketch.
        earlier: the sketch of the other.
    """
    (own, rest), (old, old_rest) = read_prints(new), read_prints(earlier)
    if rest.kept or old_rest.total:
        return True  # what is whose is told by comparing
    hits = common(own.kept, old.kept)
    if not hits:
        return score <= 0
    prints = _shared(hits, len(own.kept), len(old.kept), old.total)
    raw = max(
        sqrt(sqrt(prints.of_both)), 0.9 * sqrt(sqrt(prints.of_new)) * _amount(prints.number, 8)
    )
    return raw * _REPEATED_MOST >= _raw_of(score, _OF_ONE_AUTHOR) - 0.001  # for rounding


class Comparison:
    """A new text among earlier ones, as `compare` puts it."""

    def __init__(
        self, new: Placed, earlier: tuple[Placed, ...], few: int, registered: Registered
    ) -> None:
        self._new = new
        self._text = new.sketch
        self._few = few
        self._earlier = earlier
        self._sets = _sets(new.text, registered)
        self._registered = registered
        self._found: dict[Placed, Likeness] = {}
        self._of_author: dict[Placed, tuple[float, float, float]] = {}

    def likeness(self, post: Placed) -> Likeness:
        """Compare with one of the earlier texts."""
        if self._text.words < self._few:
            return NOTHING
        other = post.author != self._new.author
        if other and post.thread == self._new.thread:
            return NOTHING  # who answers repeats what was asked
        if post not in self._found:
            self._found[post] = self._between(post) if other else self._repetition(post)
        return self._found[post]

    def template(self) -> Template | None:
        """Find what the author of the new text has put under three other threads, or more."""
        own = [post for post in self._earlier if self._is_own_elsewhere(post)]
        if len(own) < REPEATED_THREADS:
            return None
        found = [self._repeated_prints(own)]
        if self._text.words < SHORT:
            found.append(self._repeated_words(own))
        best = max(found, key=lambda template: template.score)
        return best if best.score > 0 else None

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _between(self, post: Placed) -> Likeness:
        raw, new, earlier = self._between_authors(post.sketch)
        return Likeness(_calibrated(raw, _BETWEEN_AUTHORS), new, earlier)

    def _repetition(self, post: Placed) -> Likeness:
        raw, new, earlier = self._of_one_author(post)
        if not raw or (post.thread == self._new.thread and new < _SAME_THREAD):
            return NOTHING
        raw *= min(_REPEATED_MOST, 1 + 0.25 * len(self._repeated_in))
        return Likeness(_calibrated(raw, _OF_ONE_AUTHOR), new, earlier)

    @cached_property
    def _common(self) -> AbstractSet[int]:
        return self._registered.prints | self._common_property(self._earlier)

    @cached_property
    def _own(self) -> _Set:
        return _Set(self._sets.own.values - self._common) if self._common else self._sets.own

    @cached_property
    def _prose(self) -> _Set:
        return _Set(self._sets.prose.values - self._common) if self._common else self._sets.prose

    @cached_property
    def _repeated_in(self) -> set[str]:
        return {
            post.thread
            for post in self._earlier
            if self._is_own_elsewhere(post) and self._of_one_author(post)[0] > _LOOK_ALIKE
        }

    def _is_own_elsewhere(self, post: Placed) -> bool:
        return post.author == self._new.author and post.thread != self._new.thread

    def _common_property(self, earlier: Sequence[Placed]) -> set[int]:
        """The prints that the posts of two other authors have."""
        if len({post.author for post in earlier} - {self._new.author}) < _OWNERS:
            return set()
        first: dict[int, str] = {}
        common: set[int] = set()
        for post in earlier:
            if post.author == self._new.author:
                continue
            for part in (post.sketch.own, post.sketch.rest):
                for value in self._sets.prints.values.intersection(part.kept):
                    if first.setdefault(value, post.author) != post.author:
                        common.add(value)
        return common

    def _of_one_author(self, post: Placed) -> tuple[float, float, float]:
        if post not in self._of_author:
            self._of_author[post] = self._between_own(post.sketch)
        return self._of_author[post]

    def _between_own(self, sketch: Sketch) -> tuple[float, float, float]:
        prints = self._sets.prints.shared(*self._prints_of(sketch))
        if prints.number < 2:
            return 0.0, 0.0, 0.0
        words = self._sets.words.shared(*self._words_of(sketch))
        amount = sqrt(_amount(words.number, 8))
        raw = max(
            sqrt(words.of_both * sqrt(prints.of_both)) * amount,
            0.9 * sqrt(words.of_new * sqrt(prints.of_new)) * amount * _amount(prints.number, 8),
            0.97 * sqrt(prints.of_both) * _amount(prints.number, _MUCH),
        )
        if self._text.words >= SHORT and min(prints.of_both, words.of_both) >= _IDENTICAL:
            raw = 1.0
        return raw, prints.of_new, prints.of_earlier

    def _between_authors(self, old: Sketch) -> tuple[float, float, float]:
        new_total = len(self._own.values)
        own = _without(old.own, self._common)
        prints = self._own.shared(own)
        if not new_total or prints.number < min(4, 0.5 * new_total):
            return 0.0, 0.0, 0.0
        words = self._sets.own_words.shared(_without(old.own_words, self._registered.words))
        amount = sqrt(_amount(words.number, 8) * _amount(prints.number, _MUCH))
        raw = max(
            sqrt(words.of_new * sqrt(prints.of_new)) * amount,
            0.9 * sqrt(words.of_earlier * sqrt(prints.of_earlier)) * amount
            * (0.7 if self._text.framed else 1.0),
            0.97 * sqrt(prints.of_both) * _amount(prints.number, _MUCH),
        )  # fmt: skip
        if self._is_telling(raw, prints):
            raw = self._with_prose(raw, prints, self._prose.shared(own))
        if old.words >= _IDENTICAL_WORDS and min(prints.of_both, words.of_both) >= _IDENTICAL:
            raw = 1.0
        raw *= min(1.0, 2 * new_total / len(self._text.own.kept))
        return raw, prints.of_new, prints.of_earlier

    def _is_telling(self, raw: float, prints: _Shared) -> bool:
        """Whether it matters what is shared: of most candidates nothing much is."""
        if raw < _LOOK_ALIKE and prints.number < _MUCH_PROSE / 2:
            return False
        return len(self._prose.values) > 0 and not self._text.framed

    def _with_prose(self, raw: float, prints: _Shared, prose: _Shared) -> float:
        """Weigh in how much of what is shared stands in sentences.

        Two who met the same failure share its log; by chance, nobody shares 45 words of sentences.
        So a log counts less among sentences of one's own, unless it is all that one of them has.
        And so many sentences are worth a look from a fifth of a text on, a copy from half of it.
        """
        if len(self._prose.values) > 0.1 * len(self._own.values):
            told = min(1.0, 2 * prose.of_new / prints.of_new)
            raw *= 0.7 + 0.3 * max(told, prints.of_new, prints.of_earlier)
        share = max(prose.number / len(self._text.own.kept), prose.of_earlier)
        of_prose: float = 0.86 * share**0.2 * _amount(prose.number, _MUCH_PROSE) ** 2
        return max(raw, of_prose)

    def _prints_of(self, sketch: Sketch) -> tuple[Part, Part]:
        registered = self._registered.prints
        return _without(sketch.own, registered), _without(sketch.rest, registered)

    def _words_of(self, sketch: Sketch) -> tuple[Part, Part]:
        registered = self._registered.words
        return _without(sketch.own_words, registered), _without(sketch.rest_words, registered)

    def _repeated_prints(self, own: Sequence[Placed]) -> Template:
        values = self._sets.prints.values
        found = _repeated(
            values, ((post.thread, (post.sketch.own, post.sketch.rest)) for post in own)
        )
        if len(found) < 8:
            return _NO_TEMPLATE
        share = len(found) / len(values)
        score = _amount(len(found), _MUCH) * min(1.0, 0.5 + share)
        return Template(score, share, min(found.values()))

    def _repeated_words(self, own: Sequence[Placed]) -> Template:
        """The same for a text that is too short for prints: two real words, and half of all."""
        if self._text.words < 3:
            return _NO_TEMPLATE
        small = self._text.small_words
        found = _repeated(
            self._sets.all_words,
            (
                (post.thread, (post.sketch.own_words, post.sketch.rest_words, _whole(post.sketch)))
                for post in own
                if 3 <= post.sketch.words < SHORT
            ),
        )
        if len(found.keys() - {*small}) < 2:
            return _NO_TEMPLATE
        share = len(found) / len(self._sets.all_words)
        return Template(min(1.0, 0.1 + share), share, min(found.values()))


_MUCH = 16
"""Prints from which on their number does not lower a likeness."""
_MUCH_PROSE = 72
"""The prints of some 45 words of sentences."""
_LOOK_ALIKE = 0.3
_REPEATED_MOST = 2.0
"""How many times as much a likeness counts where its author has the text in other threads."""
_SAME_THREAD = 0.9
_NO_TEMPLATE = Template(0.0, 0.0, 0)


class _Shared(NamedTuple):
    """What two sets of hashes share: how many, and which share of each and of both."""

    number: float
    of_new: float
    of_earlier: float

    @property
    def of_both(self) -> float:
        """The Jaccard index."""
        if not self.number:
            return 0.0
        return 1 / (1 / self.of_new + 1 / self.of_earlier - 1)


class _Set(NamedTuple):
    """Hashes of the new text."""

    values: frozenset[int]

    def shared(self, *parts: Part) -> _Shared:
        """Compare with the parts of an earlier text; of what is not kept, by its sample."""
        kept = total = hits = 0
        for part in parts:
            kept += len(part.kept)
            total += part.total
            hits += len(self.values.intersection(part.kept))
        return _shared(hits, len(self.values), kept, total) if hits else _NONE_SHARED


_NONE_SHARED = _Shared(0.0, 0.0, 0.0)


def _shared(hits: int, new: int, kept: int, total: int) -> _Shared:
    """Tell what hits are worth among so many of a new text and so many kept of an earlier one."""
    of_earlier = min(1.0, hits / kept)
    number = min(of_earlier * total, new)
    return _Shared(number, number / new, of_earlier)


class _Sets:
    """The hashes of the new text, as they are compared: each set is made when it is asked for."""

    def __init__(self, new: Sketch, registered: Registered) -> None:
        self._new = new
        self._registered = registered

    @cached_property
    def own(self) -> _Set:
        """The prints of its own view."""
        return _Set(frozenset(self._new.own.kept))

    @cached_property
    def prose(self) -> _Set:
        """Those of them that stand in prose."""
        return _Set(frozenset(self._new.prose))

    @cached_property
    def prints(self) -> _Set:
        """All prints but what is registered."""
        both = self.own.values.union(self._new.rest.kept)
        return _Set(_but(both, self._registered.prints))

    @cached_property
    def own_words(self) -> _Set:
        """The words of its own view, but what is registered."""
        return _Set(_but(frozenset(self._new.own_words.kept), self._registered.words))

    @cached_property
    def words(self) -> _Set:
        """All words but the small ones and what is registered."""
        rest = self._new.rest_words.kept
        if not rest:
            return self.own_words
        return _Set(_but(self.own_words.values.union(rest), self._registered.words))

    @cached_property
    def all_words(self) -> frozenset[int]:
        """All words but what is registered."""
        both = self.words.values.union(self._new.small_words)
        return _but(both, self._registered.words)


@lru_cache(maxsize=16)  # several rules compare the same text
def _sets(text: bytes, registered: Registered) -> _Sets:
    return _Sets(read(text), registered)


def _but(values: frozenset[int], common: frozenset[int]) -> frozenset[int]:
    return values - common if common else values


def _without(part: Part, common: AbstractSet[int]) -> Part:
    """Leave out what is common property; what is left is a sample of as much less."""
    if not common:
        return part
    kept = array("H", [value for value in part.kept if value not in common])
    return Part(kept, round(part.total * len(kept) / max(1, len(part.kept))))


def _whole(sketch: Sketch) -> Part:
    return Part(sketch.small_words, len(sketch.small_words))


def _repeated(
    values: frozenset[int], posts: Iterable[tuple[str, Sequence[Part]]]
) -> dict[int, int]:
    """Give the hashes that stand in three threads or more, each with the number of threads."""
    threads: defaultdict[int, set[str]] = defaultdict(set)
    for thread, parts in posts:
        for part in parts:
            for value in values.intersection(part.kept):
                threads[value].add(thread)
    return {value: len(found) for value, found in threads.items() if len(found) >= REPEATED_THREADS}


def _amount(number: float, enough: int) -> float:
    return min(1.0, number / enough)


@lru_cache(maxsize=64)
def _raw_of(score: float, curve: _Curve) -> float:
    """Give what is read as a score off a curve, from which on all scores are at least that."""
    return _calibrated(score, tuple((y, x) for x, y in curve))


def _calibrated(raw: float, curve: _Curve) -> float:
    """Read a score off a curve of straight lines."""
    raw = min(1.0, raw)
    for (x0, y0), (x1, y1) in pairwise(curve):
        if raw <= x1:
            return y0 + (y1 - y0) * (raw - x0) / (x1 - x0)
    return curve[-1][1]
