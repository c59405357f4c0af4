"""No copies: the same text, or the same log event, was written before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.checks.earlier import FEW_WORDS, IN_FLIGHT_RETRY, in_place, is_other, seen_by, where
from gateway.model import Answer, Found, Lookup, Violation, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Nothing that reads the same was written `within` a time.

    Attributes:
        within: seconds to look back.
        compare: `text`, or `event` with numbers, ids, times and paths masked.
        similarity: from which likeness on, 0 to 1; equality after normalisation is what counts
            here, so every value means the same.
        across_teams: looks at all teams; else at the write's own, the main site being one.
    """

    name: ClassVar[str] = "duplicate"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = True
    placeholders: ClassVar[tuple[str, ...]] = ("percent", "earlier")

    within: float
    compare: str = "text"
    similarity: float = 1.0
    across_teams: bool = False

    def need(self, write: Write, rule: str) -> Lookup | None:
        """Ask for earlier posts with the same digest."""
        if write.fingerprint is None:
            return None
        return Lookup(
            compare=self.compare,
            digest=getattr(write.fingerprint, self.compare),
            within=self.within,
            team=write.team,
            across_teams=self.across_teams,
        )

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the text that stands nowhere else; a short one may stand in other threads."""
        if answer is None or write.fingerprint is None:
            return None
        assert isinstance(answer, Found)
        short = write.fingerprint.words < FEW_WORDS
        copies = [
            post
            for post in answer.posts
            if is_other(post, write) and (not short or in_place(post, write))
        ]
        if not copies:
            return None
        published = [post for post in copies if not post.pending]
        earlier = seen_by(write, (published or copies)[0])
        evidence = {"similarity": 1.0, "threshold": self.similarity}
        if not published:
            return Violation(
                code="duplicate_in_flight",
                status=409,
                message="The same text is being posted at this moment.",
                fix=f"Wait {IN_FLIGHT_RETRY:g} s and look whether it is there.",
                evidence=evidence,
                earlier=earlier,
                retry_after=IN_FLIGHT_RETRY,
            )
        return Violation(
            code=self.name,
            status=self.status,
            message=f"This text already stands in {where(earlier)}.",
            fix="Edit or comment there, or write what is new about this case.",
            evidence=evidence,
            earlier=earlier,
        )
