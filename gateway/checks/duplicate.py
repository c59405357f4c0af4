"""No copies: the same text, one much like it, or the same log event, was written before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from gateway.checks.earlier import (
    COPY,
    IN_FLIGHT_RETRY,
    THE_SAME,
    Alike,
    Compared,
    closest,
    figures,
    in_place,
    seen_by,
    was_refused,
    where,
)
from gateway.model import Answer, Found, Lookup, Violation, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Nothing that is as alike as `similarity` was written `within` a time.

    Attributes:
        within: seconds to look back.
        compare: `text`, or `event`: equal but for numbers, ids, times and paths counts too, however
            few words there are, also where the earlier one was refused.
        similarity: from which likeness on, 0 to 1 (`text.similarity`).
        across_teams: looks at all teams; else at the write's own, the main site being one.
        templates: texts that are common property: sharing them is no likeness.
    """

    name: ClassVar[str] = "duplicate"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = True
    needs_text: ClassVar[bool] = True
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ("percent", "earlier", "similarity", "threshold")

    within: float
    compare: str = "text"
    similarity: float = COPY
    across_teams: bool = False
    templates: tuple[str, ...] = ()

    def need(self, write: Write, rule: str) -> Lookup | None:
        """Ask for earlier posts that are the same, or share passages."""
        if write.fingerprint is None:
            return None
        return Lookup(
            compare=self.compare,
            digest=getattr(write.fingerprint, self.compare),
            within=self.within,
            team=write.team,
            across_teams=self.across_teams,
            near=self.similarity < 1,
        )

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the text that is like no other; a short one may stand in other threads."""
        if answer is None or write.fingerprint is None:
            return None
        assert isinstance(answer, Found)
        if not answer.posts:
            return None
        copies = list(self._copies(write, answer))
        if not copies:
            return None
        published = [each for each in copies if not each.post.pending]
        copy = closest(published or copies)
        earlier = seen_by(write, copy)
        evidence = figures(copy, earlier, self.similarity)
        if not published:
            return Violation(
                code="duplicate_in_flight",
                status=409,
                message="The same text, or nearly, is being posted at this moment.",
                fix=f"Wait {IN_FLIGHT_RETRY:g} s and look whether it is there.",
                evidence=evidence,
                earlier=earlier,
                retry_after=IN_FLIGHT_RETRY,
            )
        how = "This text" if copy.likeness.score >= 1 else "Much of this text"
        return Violation(
            code=self.name,
            status=self.status,
            message=f"{how} already stands in {where(earlier)}.",
            fix="Edit or comment there, or write what is new about this case.",
            evidence=evidence,
            earlier=earlier,
        )

    def _copies(self, write: Write, found: Found) -> Iterator[Alike]:
        """Give the posts that are too much like the write; few words only where they stand already.

        Honest people repeat themselves briefly. And what was refused counts for log events alone.
        """
        events = self.compare == "event"
        for each in Compared(write, found, self.templates).alike(self.similarity):
            post = each.post
            if was_refused(post) and not (events and post.equal):
                continue
            if each.likeness.score >= self.similarity:
                yield each
            elif post.equal and in_place(post, write) and (events or post.author == write.author):
                yield Alike(post, THE_SAME)
