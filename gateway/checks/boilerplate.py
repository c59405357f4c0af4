"""No boilerplate: one author's same text under several threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.checks.earlier import FEW_WORDS, IN_FLIGHT_RETRY, is_other, seen_by, where
from gateway.model import Answer, Found, Lookup, Violation, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Boilerplate:
    """The same author's text stands under fewer than `threads` threads, this one among them.

    Attributes:
        threads: the number of threads at which it is boilerplate, at least 2.
        within: seconds to look back.
        similarity, across_teams: as of `Duplicate`.
    """

    name: ClassVar[str] = "boilerplate"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = True
    placeholders: ClassVar[tuple[str, ...]] = ("percent", "earlier", "threads")

    threads: int
    within: float
    similarity: float = 1.0
    across_teams: bool = False

    def need(self, write: Write, rule: str) -> Lookup | None:
        """Ask for the author's earlier posts with the same digest."""
        if write.fingerprint is None or write.fingerprint.words < FEW_WORDS:
            return None
        return Lookup(
            compare="text",
            digest=write.fingerprint.text,
            within=self.within,
            team=write.team,
            across_teams=self.across_teams,
            author=write.author,
        )

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the text that does not stand under too many other threads."""
        if answer is None:
            return None
        assert isinstance(answer, Found)
        elsewhere = [
            post
            for post in answer.posts
            if is_other(post, write) and (post.thread or post.post) != write.thread
        ]
        threads = len({(post.thread or post.post or post.write_id) for post in elsewhere}) + 1
        if threads < self.threads:
            return None
        published = [post for post in elsewhere if not post.pending]
        earlier = seen_by(write, (published or elsewhere)[0])
        in_flight = not published
        return Violation(
            code="duplicate_in_flight" if in_flight else self.name,
            status=409 if in_flight else self.status,
            message=f"The same author's same text stands in {where(earlier)} already.",
            fix="Link to that post, or write what is particular to this question.",
            evidence={"similarity": 1.0, "threads": threads, "limit": self.threads},
            earlier=earlier,
            retry_after=IN_FLIGHT_RETRY if in_flight else None,
        )
