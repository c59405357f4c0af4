"""Nothing hidden: what a post says is what its readers see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from gateway.model import Answer, Counts, Post, Violation, Write
from gateway.text.disguise import invisible_marks, mixed_words
from gateway.text.words import words

FEW = 6
"""Disguised words that do not count: formulas mix scripts, copied texts bring marks along."""
_KEY = "-----BEGIN "
"""How certificates and keys begin: people ask about them, and nobody reads them otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenText:
    """What the text says can be seen by a reader, and is written in the letters it seems to have.

    Attributes:
        ratio: so many hidden letters for each one that a reader sees are too many: those in one
            comment, in hidden elements or encoded are held against the body, all of them against
            title and body, since a template's help is many short comments.
        letters: fewer hidden letters do not count.
        share: of the long words that mix scripts, or of all words that have invisible characters
            in or beside them, from which it is too much, 0 to 1.
    """

    name: ClassVar[str] = "hidden_text"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = False
    needs_text: ClassVar[bool] = True
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ("percent", "hidden", "visible", "disguised")

    ratio: int = 10
    letters: int = 80
    share: float = 0.2

    def need(self, write: Write, rule: str) -> None:
        """Ask nothing: the text says it all."""

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the post whose readers see what it says."""
        counts = write.fingerprint.counts if write.fingerprint else None
        if counts is None:
            return None
        return self._hidden(write.post, counts) or self._disguised(write.post, counts)

    def _hidden(self, post: Post, counts: Counts) -> Violation | None:
        opaque = 0 if counts.opaque and _KEY in post.body else counts.opaque
        hidden = counts.unseen + counts.said + opaque
        if hidden < self.letters:
            return None
        visible = max(0, counts.seen - counts.said - opaque)
        body = max(0, visible - counts.title)
        largest = max(_largest_unseen(post.body, counts.unseen), counts.said, opaque)
        alone = largest >= self.letters and largest >= self.ratio * body
        if not alone and hidden < self.ratio * visible:
            return None
        return Violation(
            code=self.name,
            status=self.status,
            message=(
                f"A reader sees {visible} letters of this post and not the other {hidden}: they "
                "stand in comments or hidden elements, or are encoded."
            ),
            fix=(
                "Write what you have to say where readers see it. Of a form, leave out the help in "
                "its comments; put a file's content where files belong and link to it."
            ),
            evidence={
                "share": round(hidden / (hidden + visible), 4),
                "hidden": hidden,
                "visible": visible,
                "limit": self.ratio,
            },
        )

    def _disguised(self, post: Post, counts: Counts) -> Violation | None:
        for disguised, total in _disguises(post, counts):
            if disguised >= FEW and disguised >= self.share * total:
                return Violation(
                    code=self.name,
                    status=self.status,
                    message=(
                        f"{disguised} of {total} words mix letters of several scripts, or have "
                        "invisible characters in or beside them."
                    ),
                    fix="Send the text as it was typed, without characters that pass for others.",
                    evidence={
                        "share": round(disguised / total, 4),
                        "disguised": disguised,
                        "words": total,
                        "limit": self.share,
                    },
                )
        return None


def _disguises(post: Post, counts: Counts) -> Iterator[tuple[int, int]]:
    """Give how many words are disguised, of how many, for each disguise that there may be."""
    if counts.mixed >= FEW:
        yield mixed_words(f"{post.title}\n{post.body}")
    if counts.invisible >= FEW:
        text = f"{post.title}\n{post.body}"
        marks = invisible_marks(text)
        if marks >= FEW:
            yield marks, max(marks, len(words(text)))


def _largest_unseen(body: str, unseen: int) -> int:
    """Give the letters of the largest comment, or of all other hidden elements.

    Help in a template is many short comments; a text that is hidden is one.
    """
    if unseen == 0:
        return 0
    comments = [sum(map(str.isalnum, part.partition("-->")[0])) for part in body.split("<!--")[1:]]
    others = unseen - min(unseen, sum(comments))
    return max(min(max(comments, default=0), unseen), others)
