"""A user acted: the vendor asks that an explicit action of a person comes before any post."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from gateway.checks.assertion import assertion, is_told, text_of, told_by
from gateway.model import (
    ANONYMOUS,
    Answer,
    Approver,
    Charge,
    Charged,
    Violation,
    Window,
    Write,
)

SKEW = 30.0
"""Seconds by which an integration's clock may be ahead of ours."""
REF_AT_MOST = 128
"""Characters of a `ref`."""


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
    needs_state: ClassVar[bool] = True
    needs_text: ClassVar[bool] = False
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ()

    evidence: Evidence = Evidence.LITERAL
    values: tuple[str, ...] = ("true",)
    max_age: float = 300.0
    members: tuple[str, ...] = ()

    def need(self, write: Write, rule: str) -> Charge | None:
        """Ask whether the `ref` of an assertion is new: one act is one post.

        Who calls has refs of his own. They are known for as long as an assertion may be sent, and
        a little longer, for clocks differ and a window has no beginning.
        """
        asserts = self.evidence is Evidence.ASSERTED and not _is_confirmed(write)
        if not asserts or self._wrong(write) is not None:
            return None
        ref = text_of(told_by(write).get("ref"))
        if ref is None:
            return None
        caller = f"integration={write.integration}"
        if write.integration == ANONYMOUS:
            caller += f"|token={write.token or ''}"
        digest = hashlib.blake2b(ref.encode(), digest_size=16).hexdigest()
        once = Window(limit=1, seconds=self.max_age + 2 * SKEW)
        return Charge(cap=f"{rule}|{caller}|ref={digest}", windows=(once,))

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the write that a person confirmed, or the first with the act that the rule wants."""
        if _is_confirmed(write):
            return None
        if self.evidence is Evidence.CONFIRMED:
            return self._unconfirmed()
        wrong = self._wrong(write)
        if wrong is not None:
            return self._violation(self.name, f"The header X-Explicit-Action {wrong}.")
        if isinstance(answer, Charged) and not answer.accepted:
            told = "The act that X-Explicit-Action names by `ref` has led to a write already."
            return self._violation("ref_used", told, "One act is one write, each with its own ref.")
        return None

    @property
    def example(self) -> str:
        """A value that passes, or the shape of one."""
        if self.evidence is Evidence.LITERAL and self.values:
            return self.values[0]
        told = {"act": '"…"', "by": '"…"', "at": "@…"} | dict.fromkeys(self.members, '"…"')
        return ", ".join(f"{member}={value}" for member, value in (told | {"at": "@…"}).items())

    def _wrong(self, write: Write) -> str | None:
        """Tell what is wrong with the header; None if nothing is."""
        if len(write.actions) != 1:
            return "was not sent" if not write.actions else "was sent more than once"
        value = write.actions[0].strip(" \t")
        is_literal = self.evidence is Evidence.LITERAL
        if is_literal and value in self.values:
            return None
        wrong = _wrong_assertion(value, write, self.max_age, self.members)
        return "has no value that counts" if wrong and is_literal else wrong

    def _unconfirmed(self) -> Violation:
        return Violation(
            code=self.name,
            status=self.status,
            message="Who posts this has not confirmed it.",
            evidence={"evidence": self.evidence.value},
            confirmable=True,
        )

    def _violation(self, code: str, message: str, also: str = "") -> Violation:
        fix = (
            f"{also} Send exactly one field, such as `X-Explicit-Action: {self.example}`, from the "
            "handler of the person's own click, after showing where the post will stand. A "
            "constant on every request says nothing."
        )
        return Violation(
            code=code,
            status=self.status,
            message=message,
            fix=fix.strip(),
            evidence={"evidence": self.evidence.value},
        )


def _is_confirmed(write: Write) -> bool:
    return write.confirmed is not None and write.confirmed.known is Approver.PERSON


def _wrong_assertion(
    value: str, write: Write, max_age: float, members: tuple[str, ...]
) -> str | None:
    """Tell what is wrong with an assertion of an act; None if nothing is."""
    told = assertion(value)
    if not told:
        return "is no RFC 9651 dictionary that names each member once"
    if not (isinstance(told.get("act"), str) and told["act"]):
        return 'does not tell the act (act="…")'
    missing = [member for member in members if not is_told(told.get(member))]
    if missing:
        return f"does not tell {', '.join(missing)}"
    return (
        _wrong_time(told.get("at"), write.at, max_age)
        or _wrong_place(told.get("to"), write)
        or _wrong_ref(told)
    )


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


def _wrong_ref(told: Mapping[str, Any]) -> str | None:
    if "ref" not in told or 0 < len(text_of(told["ref"]) or "") <= REF_AT_MOST:
        return None
    return f'does not tell ref as a text of at most {REF_AT_MOST} characters (ref="…")'
