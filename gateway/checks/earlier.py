"""What checks that compare with earlier posts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gateway.model import Earlier, Found, Outcome, Post, Remembered, Write
from gateway.text import sketch
from gateway.text.fingerprint import fingerprint
from gateway.text.passages import passages
from gateway.text.similarity import (
    FEW_WORDS,
    FEW_WORDS_ASKED,
    NOTHING,
    REPEATED_THREADS,
    Comparison,
    Likeness,
    Placed,
    Registered,
    Template,
    compare,
    may_reach,
    may_repeat,
)

Figure = str | int | float | bool

COPY = 0.84
"""From this likeness on a text is a copy, where a rule says nothing else."""
IN_FLIGHT_RETRY = 2.0
"""Seconds after which a copy that is in flight is worth asking about again."""
_ASKS = ("question.", "article.")
_CUT_AT_MOST = 8_192
"""Characters of a text of which passages are shown."""


THE_SAME = Likeness(1.0, 1.0, 1.0)
"""What the same words are, where they are not too few."""


@dataclass(frozen=True, slots=True)
class Alike:
    """An earlier post, and how alike the new one is to it."""

    post: Remembered
    likeness: Likeness


class Compared:
    """A write among the earlier posts that state found for it.

    `posts` are those that count against it. Of what the gateway refused, only the author's own is
    among them: it makes nobody else's text a copy or common property.
    """

    def __init__(self, write: Write, found: Found, templates: tuple[str, ...] = ()) -> None:
        assert write.fingerprint is not None
        self._write, self._author, self._templates = write, write.author, templates
        self._whole = write.fingerprint.whole
        self._enough = write.fingerprint.words >= few_words(write)
        self.posts = [post for post in found.posts if counts(post, write, self._author)]
        self.thread = _place(write.team, write.thread, write.target, write.id)

    def alike(self, at_least: float) -> list[Alike]:
        """Give the posts that are alike, or equal; those that certainly are less alike are neither."""
        found = []
        for post in self.posts:
            likeness = self._likeness(post, at_least) if self._enough else NOTHING
            if post.equal or likeness is not NOTHING:
                found.append(Alike(post, likeness))
        return found

    def _likeness(self, post: Remembered, at_least: float) -> Likeness:
        if post.equal:
            return THE_SAME
        if not self._may_reach(post, at_least):
            return NOTHING
        return self._comparison.likeness(_placed(post))

    def _may_reach(self, post: Remembered, at_least: float) -> bool:
        """Whether it is worth a comparison: most are told apart without."""
        if post.author != self._author:
            return may_reach(self._whole, post.sketch, at_least)
        return bool(self._templates) or may_repeat(self._whole, post.sketch, at_least)

    @cached_property
    def _comparison(self) -> Comparison:
        """Made for those of whom it is worth it: they are few."""
        return compare(
            Placed(self._whole, self._author, self.thread),
            tuple(map(_placed, self.posts)),
            few_words(self._write),
            registered(self._templates),
        )

    @property
    def all_seen(self) -> bool:
        """Whether the author of the write may see all of the posts."""
        return all(is_seen(post, self._write) for post in self.posts)

    def thread_of(self, post: Remembered) -> str:
        """Name the thread in which a post stands."""
        return _place(post.team, post.thread, post.post, post.write_id)

    def template(self) -> Template | None:
        """Find what the author of the write repeats in the posts."""
        return self._comparison.template() if len(self.posts) >= REPEATED_THREADS else None


def counts(post: Remembered, write: Write, author: str) -> bool:
    """Whether an earlier post counts against this write, by an author.

    Not the post's own earlier text on an edit; not the same request whose outcome SOE did not
    tell: that one may be sent again; and not what was refused to somebody else, or in this place
    with another text: that was put right.
    """
    if write.target is not None and (post.team, post.post) == (write.team, write.target):
        return False
    if was_refused(post):
        return post.author == author and (post.equal or not in_place(post, write))
    unsettled = post.outcome in (Outcome.FAILED, Outcome.UNKNOWN) and not post.pending
    return not (unsettled and post.request == write.request)


def was_refused(post: Remembered) -> bool:
    """Whether a post never stood on the site: the gateway refused it for its likeness."""
    return post.outcome is Outcome.REFUSED


def few_words(write: Write) -> int:
    """The number of words below which likeness tells nothing."""
    return FEW_WORDS_ASKED if write.operation.startswith(_ASKS) else FEW_WORDS


def in_place(post: Remembered, write: Write) -> bool:
    """Whether both stand in the same place: one thread, or each at the head of its own."""
    return (post.team, post.thread) == (write.team, write.thread)


def closest(alike: Sequence[Alike]) -> Alike:
    """Choose the most alike; of several, one that stood on the site, and the newest of those."""
    return max(
        alike, key=lambda each: (each.likeness.score, not was_refused(each.post), each.post.at)
    )


def share_of(text: str, write: Write) -> float:
    """The share of a registered text that stands in a write."""
    assert write.fingerprint is not None
    new = sketch.read(write.fingerprint.whole)
    prints = registered((text,)).prints
    return len(prints.intersection([*new.own.kept, *new.rest.kept])) / max(1, len(prints))


def figures(alike: Alike, earlier: Earlier | None, threshold: float) -> dict[str, Figure]:
    """Give what a violation says of the likeness: of a post that is not to be seen, nothing."""
    if earlier is None:
        return {"threshold": threshold}
    return {
        "threshold": threshold,
        "similarity": earlier.similarity,
        "relation": earlier.relation,
        "of_this": round(alike.likeness.of_new, 2),
        "of_the_earlier": round(alike.likeness.of_earlier, 2),
    }


def is_seen(post: Remembered, write: Write) -> bool:
    """Whether whoever writes may see a post: it stands on the main site, or in the same team."""
    return post.team in (None, write.team)


def seen_by(write: Write, alike: Alike) -> Earlier | None:
    """Describe an earlier post to eyes that may see it; None keeps another team's to itself."""
    post = alike.post
    if not is_seen(post, write):
        return None
    return Earlier(
        url=post.url,
        at=post.at,
        integration=post.integration,
        relation=_relation(post, write),
        similarity=round(alike.likeness.score, 2),
        passages=_passages(write.post, post.sketch),
    )


@lru_cache(maxsize=8)  # several rules tell of the same post
def _passages(post: Post, earlier: bytes) -> tuple[str, ...]:
    """Cut passages from what is not so long that others would wait for it."""
    if not 0 < len(post.title) + len(post.body) <= _CUT_AT_MOST:
        return ()
    return passages(post, sketch.read(earlier))


def _relation(post: Remembered, write: Write) -> str:
    if post.author == write.author:
        return "same_author"
    return "same_integration" if post.integration == write.integration else "other"


def where(earlier: Earlier | None) -> str:
    """Name the earlier post in a sentence."""
    return earlier.url if earlier and earlier.url else "another post"


def _placed(post: Remembered) -> Placed:
    place = _place(post.team, post.thread, post.post, post.write_id)
    return Placed(post.sketch, post.author, place)


def _place(team: str | None, thread: str | None, post: str | None, write_id: str) -> str:
    """Name the thread by its number, which a team gives once; a write that begins one by its id."""
    return f"{team or ''}/{(thread or post or write_id).rpartition('/')[2]}"


@lru_cache(maxsize=64)
def registered(texts: tuple[str, ...]) -> Registered:
    """Give the prints and words of registered texts."""
    sketches = [sketch.read(fingerprint(Post(body=text)).whole) for text in texts]
    return Registered(
        frozenset(v for each in sketches for part in (each.own, each.rest) for v in part.kept),
        frozenset(
            v for each in sketches for part in (each.own_words, each.rest_words) for v in part.kept
        ),
    )
