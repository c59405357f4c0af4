"""A user acted: the vendor asks that an explicit action of a person comes before any post."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import http_sf

from gateway.model import Answer, Approver, Violation, Write

SKEW = 30.0
"""Seconds by which an integration's clock may be ahead of ours."""


class Evidence(StrEnum):
    """How strongly the act is told; each level satisfies those before it."""

    LITERAL = "literal"
    ASSERTED = "asserted"
    CONFIRMED = "confirmed"
    """Not by the header: the acting person saw this very text, where it will stand and under which
    name, and pressed the button. What lacks it is held, so that he can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitAction:
    """`X-Explicit-Action` tells of a user's act, in exactly one field, byte for byte.

    Attributes:
        values: what counts as `literal`.
        max_age: seconds after the act, for `asserted`.
        members: what an assertion must tell beside `act`.
    """

    name: ClassVar[str] = "explicit_action"
    status: ClassVar[int] = 403
    needs_state: ClassVar[bool] = False
    needs_text: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ()

    evidence: Evidence = Evidence.LITERAL
    values: tuple[str, ...] = ("true",)
    max_age: float = 300.0
    members: tuple[str, ...] = ()

    def need(self, write: Write, rule: str) -> None:
        """Ask nothing: the request says it all."""

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the write that a person confirmed, or whose one field is the act that is wanted."""
        if write.confirmed is not None and write.confirmed.known is Approver.PERSON:
            return None
        if self.evidence is Evidence.CONFIRMED:
            return self._unconfirmed()
        if len(write.actions) != 1:
            found = "was not sent" if not write.actions else "was sent more than once"
            return self._violation(f"The header X-Explicit-Action {found}.")
        value = write.actions[0].strip(" \t")
        if self.evidence is Evidence.LITERAL and value in self.values:
            return None
        wrong = _wrong_assertion(value, write, self.max_age, self.members)
        if wrong is None:
            return None
        if self.evidence is Evidence.LITERAL:
            return self._violation("The header X-Explicit-Action has no value that counts.")
        return self._violation(f"The header X-Explicit-Action {wrong}.")

    @property
    def example(self) -> str:
        """A value that passes, or the shape of one."""
        literal = self.evidence is Evidence.LITERAL and self.values
        return self.values[0] if literal else 'act="…", by="…", at=@…'

    def _unconfirmed(self) -> Violation:
        return Violation(
            code=self.name,
            status=self.status,
            message="Who posts this has not confirmed it.",
            evidence={"evidence": self.evidence.value},
            confirmable=True,
        )

    def _violation(self, message: str) -> Violation:
        return Violation(
            code=self.name,
            status=self.status,
            message=message,
            fix=(
                f"Send exactly one field, such as `X-Explicit-Action: {self.example}`, from the handler of the person's "
                "own click, after showing where the post will stand. A constant on every "
                "request says nothing."
            ),
            evidence={"evidence": self.evidence.value},
        )


def _wrong_assertion(
    value: str, write: Write, max_age: float, members: tuple[str, ...]
) -> str | None:
    """Tell what is wrong with an RFC 9651 dictionary that asserts an act; None if nothing is."""
    try:
        parsed: Any = http_sf.parse(value.encode("latin-1"), tltype="dictionary")
        told: Mapping[str, Any] = {key: item[0] for key, item in parsed.items()}
    except ValueError:
        return "is no RFC 9651 dictionary"
    if not (isinstance(told.get("act"), str) and told["act"]):
        return 'does not tell the act (act="…")'
    missing = [member for member in members if not told.get(member)]
    if missing:
        return f"does not tell {', '.join(missing)}"
    return _wrong_time(told.get("at"), write.at, max_age) or _wrong_place(told.get("to"), write)


def _wrong_time(told: object, at: float, max_age: float) -> str | None:
    if told is None:
        return "does not tell when (at=@…)"
    if not isinstance(told, datetime):
        return "does not tell the time as a date (at=@…)"
    age = at - told.timestamp()
    if age < -SKEW:
        return "tells of an act in the future"
    if age > max_age:
        return f"tells of an act more than {max_age:g} s ago"
    return None


def _wrong_place(told: object, write: Write) -> str | None:
    place = f"team:{write.team}" if write.team else "site"
    return None if told in (None, place) else f"names another place than {place}"
