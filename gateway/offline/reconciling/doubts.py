"""What became of writes whose outcome the log leaves open, by the texts that stand on the site. Pure.

Laws: nothing is told as found or as not found that could be otherwise; a post that has a record of
its own answers no doubt; one post answers one write.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.audit.index.entries import Entry
from gateway.offline.reconciling.accounts import CREATING
from gateway.offline.reconciling.site import KINDS, Name, Standing

CLOCKS_DIFFER = 600.0
"""Seconds by which a post may be older or younger than its write: SOE's clock is not ours."""
_EDITING = tuple(f"{kind}.edit" for kind in KINDS)


class Answer(StrEnum):
    """What the site says to a doubt."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    UNDECIDABLE = "undecidable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A write of which the log does not tell what became, or which post it made.

    Attributes:
        text: the digest of its text, as its record holds it; None without a text.
    """

    entry: Entry
    text: str | None

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """What must be the same of a post: operation, team, thread."""
        return self.entry.operation, self.entry.team, self.entry.thread

    @property
    def target(self) -> Name | None:
        """The post that an edit meant; None for what is no edit."""
        entry = self.entry
        if entry.operation not in _EDITING or entry.target is None:
            return None
        return Name(entry.team, entry.target)

    def may_be(self, post: Standing) -> bool:
        """Whether a post could be the one that the write made, whatever it reads, and when."""
        entry = self.entry
        if f"{post.name.kind}.create" != entry.operation or post.name.team != entry.team:
            return False
        return post.thread is None or f"{post.thread}" == (entry.thread or "").partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A doubt with the site's answer.

    Attributes:
        post: the one that was found.
        perhaps: of an undecidable one, the posts that it may have made.
        why: for people.
    """

    entry: Entry
    answer: Answer
    post: Standing | None = None
    perhaps: tuple[Name, ...] = ()
    why: str = ""


def candidates(
    doubts: Iterable[Doubt], standing: Sequence[Standing], known: Collection[Name]
) -> dict[str, tuple[Standing, ...]]:
    """Give by decision id the posts that may be those of the writes, without what is on record."""
    unknown = sorted((post for post in standing if post.name not in known), key=_at)
    instants = [post.at for post in unknown]
    possible = {}
    for doubt in doubts:
        if doubt.entry.operation in CREATING:
            first = bisect_left(instants, doubt.entry.at - CLOCKS_DIFFER)
            end = bisect_right(instants, doubt.entry.at + CLOCKS_DIFFER)
            possible[doubt.entry.id] = tuple(filter(doubt.may_be, unknown[first:end]))
    return possible


def answered(
    doubts: Sequence[Doubt],
    standing: Mapping[str, Sequence[Standing]],
    targets: Mapping[Name, Standing | None],
    texts: Mapping[Name, str],
    unread: Collection[tuple[str | None, str]],
) -> list[Answered]:
    """Answer every doubt.

    Args:
        standing: as `candidates` gave it.
        targets: the posts that edits meant.
        texts: the digests of all these posts.
        unread: teams and kinds of posts that were not read.
    """
    alike: dict[object, list[Doubt]] = defaultdict(list)
    told: dict[str, Answered] = {}
    for doubt in doubts:
        kind = doubt.entry.operation.partition(".")[0]
        if (doubt.entry.team, kind) in unread:
            why = "its team was not read" if doubt.entry.team else f"{kind}s were not read"
            told[doubt.entry.id] = _undecidable(doubt, why)
        elif doubt.target is not None:
            told[doubt.entry.id] = _of_edit(doubt, targets.get(doubt.target), texts)
        elif doubt.entry.operation not in CREATING or doubt.text is None:
            told[doubt.entry.id] = _undecidable(doubt, "it left nothing on the site to know it by")
        else:
            alike[doubt.place, doubt.text].append(doubt)
    for group in alike.values():
        told |= {each.entry.id: each for each in _of_group(group, standing, texts)}
    return [told[doubt.entry.id] for doubt in doubts]


def _of_edit(doubt: Doubt, post: Standing | None, texts: Mapping[Name, str]) -> Answered:
    if post is None:
        return _undecidable(doubt, "the post stands no more")
    if doubt.text is not None and texts.get(post.name) == doubt.text:
        return Answered(entry=doubt.entry, answer=Answer.FOUND, post=post)
    if post.edited is None or post.edited < doubt.entry.at - CLOCKS_DIFFER:
        return Answered(entry=doubt.entry, answer=Answer.NOT_FOUND, why="the post was not edited")
    return _undecidable(doubt, "the post was edited, and reads otherwise than this write")


def _of_group(
    group: Sequence[Doubt], standing: Mapping[str, Sequence[Standing]], texts: Mapping[Name, str]
) -> Iterable[Answered]:
    """Answer the doubts of one text in one place, the earliest first."""
    same = {
        doubt.entry.id: {
            post.name: post
            for post in standing[doubt.entry.id]
            if texts.get(post.name) == doubt.text
        }
        for doubt in group
    }
    rivals = sum(bool(posts) for posts in same.values())
    free = {name: post for posts in same.values() for name, post in posts.items()}
    enough = len(free) >= rivals
    for doubt in sorted(group, key=lambda doubt: doubt.entry.at):
        own = same[doubt.entry.id]
        first = min((post for name, post in own.items() if name in free), key=_at, default=None)
        if not own:
            yield _of_none(doubt, standing[doubt.entry.id], texts)
        elif first is not None and enough:
            del free[first.name]
            yield Answered(entry=doubt.entry, answer=Answer.FOUND, post=first)
        else:
            why = f"{rivals} writes had this text, and fewer such posts stand"
            yield _undecidable(doubt, why, [*own.values()])


def _of_none(doubt: Doubt, posts: Sequence[Standing], texts: Mapping[Name, str]) -> Answered:
    """Answer for a write whose text stands nowhere now: it may have been edited since."""
    perhaps = [post for post in posts if post.edited is not None or post.name not in texts]
    if perhaps:
        why = "posts of that place and time were edited since, or cannot be compared"
        return _undecidable(doubt, why, perhaps)
    return Answered(entry=doubt.entry, answer=Answer.NOT_FOUND)


def _undecidable(doubt: Doubt, why: str, posts: Sequence[Standing] = ()) -> Answered:
    perhaps = tuple(post.name for post in posts)
    return Answered(entry=doubt.entry, answer=Answer.UNDECIDABLE, perhaps=perhaps, why=why)


def _at(post: Standing) -> tuple[float, str]:
    return post.at, post.name.post
