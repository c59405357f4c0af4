"""How alike two texts are and why, for whoever writes policies. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Counts, Post
from gateway.text import markdown, sketch
from gateway.text.fingerprint import fingerprint
from gateway.text.normalize import Read, normalize
from gateway.text.passages import passages
from gateway.text.similarity import FEW_WORDS, Likeness, Placed, compare
from gateway.text.words import MASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, and how it is written: `page.read` for HTML."""

    post: Post
    read: Read = markdown.read


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What two texts share.

    Attributes:
        one_author: their likeness where one author wrote both, under two threads.
        two_authors: where two did.
        equal: they read the same, letter case and marks aside.
        same_event: they do but for numbers, ids, times, paths and addresses.
        words: the real words of both.
        few: one of them has so few that likeness tells nothing of an answer or comment.
        passages: the longest that they share, cut from the second.
        masked: how often a mask stands for something, in both, by its name.
        counts: what else was looked at or ignored, in both.
    """

    one_author: Likeness
    two_authors: Likeness
    equal: bool
    same_event: bool
    words: tuple[int, int]
    few: bool
    passages: tuple[str, ...]
    masked: tuple[dict[str, int], dict[str, int]]
    counts: tuple[Counts, Counts]


def explain(earlier: Text, new: Text) -> Explanation:
    """Compare a new text with an earlier one as the checks would."""
    before, after = (fingerprint(each.post, read=each.read) for each in (earlier, new))
    normals = [normalize(each.post.title, each.post.body, each.read) for each in (earlier, new)]
    masked = tuple({mask: each.full.count(mask) for mask in MASKS} for each in normals)
    return Explanation(
        one_author=_likeness(before.sketch, after.whole, "one"),
        two_authors=_likeness(before.sketch, after.whole, "two"),
        equal=before.text == after.text,
        same_event=before.event == after.event,
        words=(before.words, after.words),
        few=min(before.words, after.words) < FEW_WORDS,
        passages=passages(new.post, sketch.read(before.sketch), read=new.read),
        masked=(masked[0], masked[1]),
        counts=(normals[0].counts, normals[1].counts),
    )


def _likeness(old: bytes, new: bytes, author: str) -> Likeness:
    earlier = Placed(old, "one", "there")
    return compare(Placed(new, author, "here"), (earlier,), few=0).likeness(earlier)
