"""What checks that compare with earlier posts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from gateway.model import Earlier, Found, Outcome, Post, Remembered, Violation, Write
from gateway.text import sketch
from gateway.text.fingerprint import fingerprint
from gateway.text.passages import passages
from gateway.text.similarity import (
    FEW_WORDS,
    FEW_WORDS_ASKED,
    Comparison,
    Likeness,
    Placed,
)

COPY = 0.84
"""The likeness from which on a text is a copy, as a rule."""
IN_FLIGHT_RETRY = 2.0
"""Seconds after which a copy that is in flight is worth asking about again."""
_ASKING = frozenset(["question.create", "question.edit", "article.create", "article.edit"])


@dataclass(frozen=True, slots=True)
class Alike:
    """An earlier post, and how alike the new one is to it."""

    post: Remembered
    likeness: Likeness


class Compared:
    """A write among the earlier posts that were found for it.

    Args:
        write: it has a fingerprint.
        found: what state found; a post that does not count against this write is passed over.
        templates: texts that are common property.
    """

    def __init__(self, write: Write, found: Found, templates: tuple[str, ...]) -> None:
        assert write.fingerprint is not None
        self._write = write
        self.posts = [post for post in found.posts if is_other(post, write) and post.sketch]
        new = sketch.read(write.fingerprint.whole)
        self._placed = {post.write_id: _placed(post) for post in self.posts}
        self._comparison = Comparison(
            Placed(new, write.author, place_of(write.thread, write.target, write.id)),
            [self._placed[post.write_id] for post in self.posts if not was_refused(post)],
            few=few_words(write),
            common=common_prints(templates),
        )

    def alike(self, posts: Sequence[Remembered]) -> list[Alike]:
        """Compare with some of the posts; the most alike come first."""
        found = [
            Alike(post, self._comparison.likeness(self._placed[post.write_id])) for post in posts
        ]
        return sorted(found, key=lambda each: -each.likeness.score)

    def template(self, posts: Sequence[Remembered]) -> Template | None:
        """Find what the author of the write repeats in some of the posts."""
        return self._comparison.template([self._placed[post.write_id] for post in posts])
