"""One token, one user: a write token that several use tells nobody who wrote."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from gateway.checks.assertion import text_of, told_by
from gateway.model import Answer, Shared, Sharers, Violation, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedToken:
    """An SOE token is used by fewer than `users` integrations, or people, this one among them.

    Attributes:
        within: seconds to look back.
        by: `integrations`, or `people`: those whom assertions name as `by`.
        users: how many are too many, at least 2.
    """

    name: ClassVar[str] = "shared_token"
    status: ClassVar[int] = 403
    needs_state: ClassVar[bool] = True
    needs_text: ClassVar[bool] = False
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ("users", "limit")

    within: float
    by: str = "integrations"
    users: int = 2

    def need(self, write: Write, rule: str) -> Sharers | None:
        """Ask who else used the token; nothing where there is none, or nobody is named."""
        member = write.integration if self.by == "integrations" else _named(write)
        if write.token is None or not member:
            return None
        return Sharers(name=f"{rule}|token={write.token}", member=member, within=self.within)

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the token that has not too many users."""
        if answer is None:
            return None
        assert isinstance(answer, Shared)
        users = len(answer.others) + 1
        if users < self.users:
            return None
        return Violation(
            code=self.name,
            status=self.status,
            message=f"{users} {self.by} use this SOE token.",
            fix=(
                "Write with a token of your own, so that what is written has one author. If nobody "
                "else should have this one, revoke it: it may be stolen."
            ),
            evidence={"users": users, "limit": self.users},
        )


def _named(write: Write) -> str:
    """Give what stands for whom an assertion names: another name for each token."""
    by = text_of(told_by(write).get("by"))
    if not by or write.token is None:
        return ""
    key = write.token.encode()[: hashlib.blake2b.MAX_KEY_SIZE]
    return hashlib.blake2b(by.casefold().encode(), key=key, digest_size=16).hexdigest()
