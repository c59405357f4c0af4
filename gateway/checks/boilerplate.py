"""No boilerplate: one author's same text under several threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from gateway.checks.earlier import (
    COPY,
    IN_FLIGHT_RETRY,
    Alike,
    Compared,
    closest,
    figures,
    seen_by,
    share_of,
    was_refused,
    where,
)
from gateway.model import Answer, Found, Lookup, Violation, Write
from gateway.text.similarity import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Boilerplate:
    """The same author's text stands under fewer than `threads` threads, this one among them.

    What the author has put under three other threads already is a template, however much of the
    rest is new. Texts that the gateway refused for their likeness count as well, so that a flood
    does not begin anew.

    Attributes:
        threads: the number of threads at which it is boilerplate, at least 2.
        within: seconds to look back.
        similarity, across_teams, templates: as of `Duplicate`.
        forbidden: texts that are boilerplate wherever they stand.
    """

    name: ClassVar[str] = "boilerplate"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = True
    needs_text: ClassVar[bool] = True
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = (
        "percent", "earlier", "threads", "similarity", "threshold",
    )  # fmt: skip

    threads: int
    within: float
    similarity: float = COPY
    across_teams: bool = False
    templates: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    def need(self, write: Write, rule: str) -> Lookup | None:
        """Ask for the author's earlier posts that are the same, or share passages."""
        if write.fingerprint is None:
            return None
        return Lookup(
            compare="text",
            digest=write.fingerprint.text,
            within=self.within,
            team=write.team,
            across_teams=self.across_teams,
            author=write.author,
            near=True,
        )

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the text that does not stand under too many other threads."""
        if answer is None or write.fingerprint is None:
            return None
        assert isinstance(answer, Found)
        share = max((share_of(text, write) for text in self.forbidden), default=0.0)
        if share >= self.similarity:
            return self._forbidden(share)
        if not answer.posts:
            return None
        compared = Compared(write, answer, self.templates)
        every = compared.alike(self.similarity)
        alike = [each for each in every if each.likeness.score >= self.similarity]
        threads = len({compared.thread_of(each.post) for each in alike} - {compared.thread}) + 1
        if threads >= self.threads:
            return self._repeated(write, alike, threads if compared.all_seen else None)
        template = compared.template()
        if template is not None and template.score >= self.similarity:
            return self._template(template, compared.all_seen)
        return None

    def _forbidden(self, share: float) -> Violation:
        return Violation(
            code=self.name,
            status=self.status,
            message="This is a text that is not wanted here, whoever posts it.",
            fix="Write what is particular to this question.",
            evidence={"threshold": self.similarity, "similarity": round(share, 2)},
        )

    def _repeated(self, write: Write, alike: list[Alike], threads: int | None) -> Violation:
        standing = [each for each in alike if not was_refused(each.post)] or alike
        published = [each for each in standing if not each.post.pending]
        first = closest(published or standing)
        earlier = seen_by(write, first)
        return Violation(
            code=self.name if published else "duplicate_in_flight",
            status=self.status if published else 409,
            message=f"The same author has written this, or nearly, in {where(earlier)} already.",
            fix="Link to that post, or write what is particular to this question.",
            evidence=figures(first, earlier, self.similarity)
            | ({} if threads is None else {"threads": threads})
            | {"limit": self.threads},
            earlier=earlier,
            retry_after=None if published else IN_FLIGHT_RETRY,
        )

    def _template(self, template: Template, all_seen: bool) -> Violation:  # noqa: FBT001 - a fact
        violation = Violation(
            code=self.name,
            status=self.status,
            message="Much of this text is what the same author has put under other threads.",
            fix="Write what is particular to this question, or have the template registered.",
            evidence={"threshold": self.similarity, "limit": self.threads},
        )
        if not all_seen:
            return violation
        return replace(
            violation,
            message=(
                f"{template.share:.0%} of this text is what the same author has put under "
                f"{template.threads} other threads."
            ),
            evidence={
                "threshold": self.similarity,
                "similarity": round(template.score, 2),
                "relation": "same_author",
                "of_this": round(template.share, 2),
                "threads": template.threads + 1,
                "limit": self.threads,
            },
        )
