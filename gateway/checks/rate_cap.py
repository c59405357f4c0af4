"""Not too many: exact sliding windows over what was accepted, or over what was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.model import Answer, Charge, Charged, Violation, Window, Write

PER = ("integration", "token", "person", "operation", "team", "tag", "thread")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCap:
    """At most `limit` writes in any `window`, for each of what it counts `per`.

    Attributes:
        attempts: counts every try; else only what SOE accepted, or may have.
    """

    name: ClassVar[str] = "rate_cap"
    status: ClassVar[int] = 429
    needs_state: ClassVar[bool] = True
    needs_text: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ("limit", "window", "used", "retry_after")

    @property
    def needs_person(self) -> bool:
        """As `Check.needs_person`."""
        return "person" in self.per

    windows: tuple[Window, ...]
    per: tuple[str, ...] = ("integration",)
    attempts: bool = False

    def need(self, write: Write, rule: str) -> Charge:
        """Ask for one write out of the cap; its counter outlives changes of limits and titles."""
        counted = "|".join(f"{part}={_value(write, part)}" for part in self.per)
        return Charge(cap=f"{rule}|{counted}", windows=self.windows, attempts=self.attempts)

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the write that the cap had room for."""
        assert isinstance(answer, Charged)
        if answer.accepted:
            return None
        limit, seconds = answer.window.limit, answer.window.seconds
        counted = " and ".join(self.per)
        return Violation(
            code=self.name,
            status=self.status,
            message=f"{limit} writes per {seconds:g} s and {counted} are used up.",
            fix=f"Wait {answer.retry_after:.0f} s. Post what a person asked for, not every event.",
            evidence={
                "limit": limit,
                "window": seconds,
                "used": answer.used,
                "retry_after": round(answer.retry_after, 3),
            },
            retry_after=answer.retry_after,
        )


def _value(write: Write, part: str) -> str:
    """Give what is counted apart; who is not known is counted by what else tells him apart."""
    if part == "person":
        return write.author
    if part == "token":
        return write.token or f"integration:{write.integration}"
    if part == "tag":
        return ",".join(sorted(write.post.tags))
    return str(getattr(write, part) or "")
