"""A write that waits for a person: what is known of it, and who may decide about it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from gateway.model import Api, Approver, Outcome, Person

_ADDRESS = re.compile(r"[^\s,;:<>()]+@[^\s,;:<>()]+")
_UNSURE = (Outcome.FAILED, Outcome.UNKNOWN)


class Status(StrEnum):
    """How far a hold is. It begins `open`, and who decides makes it `confirmed` or `declined`.

    A write that passes by it makes it `used`; one that did not happen after all, `confirmed` again.
    `expired` is what nobody decided, or used, in time.
    """

    OPEN = "open"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A rule that asked for the confirmation, in its words; they hold figures, no text of a post.

    `owner` answers for its policy.
    """

    rule: str
    title: str
    owner: str
    message: str
    fix: str
    approver: Approver


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who opened the page of a hold, as he signed in; with nothing told, whoever has the link.

    Attributes:
        email: an address that the provider of identities vouches for; else it must be empty.
        account: the number by which SOE knows his account, where signing in tells it.
        subject: what names him where he signed in.
        groups: to which he belongs there, of those that matter here.
    """

    email: str = ""
    account: str = ""
    subject: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "groups", tuple(self.groups)
        )  # JSON, as which it is kept, has lists

    @property
    def signed_in(self) -> bool:
        """Whether it is known who it is."""
        return bool(self.id)

    @property
    def id(self) -> str:
        """What names him best; empty for whoever has the link."""
        return self.email or self.account or self.subject


ANYBODY = Visitor()
"""Whoever has the link."""


class Objection(StrEnum):
    """Why somebody may not decide about a hold."""

    SIGN_IN = "sign_in"
    """He must sign in; then it may be another."""
    NOT_THE_PERSON = "not_the_person"
    """The acting person must decide, and he is somebody else."""
    NOT_THE_OWNER = "not_the_owner"
    """The owner of the integration must decide, and he is somebody else."""
    PERSON_UNKNOWN = "person_unknown"
    """The acting person must decide, and SOE did not tell who that is: nobody can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A write that rules hold until somebody confirms it, or did.

    The text of the post is kept apart (`Holds.text`), and only while the hold is open.

    Attributes:
        id: 128 random bits; who has it has the link, so it stands in no log and no metric.
        write_id: the decision id of the write for which it was opened; the audit log names it so.
        owner: of the integration, as registered, and `contact`; empty where nobody registered it.
        thread_title: of the thread in which the post will stand; empty where it is not known.
        person: who acts, where known.
        rules: those that asked, in order.
        at: when it was opened.
        until: when it ends: undecided it expires, confirmed it can be used no more.
        pieces: of the sealed text.
        by: who decided; None before.
        known: as whom he is known.
        decided: when he did.
        used_by: the decision id of the write that passed by it last.
        used: when that was.
        outcome: what became of that write; None while it is on its way, or where nobody could note
            it.
        url: where its post stands, as SOE said; None where it did not.
        again: a write that passed by it has an outcome that nobody knows, and another took its
            place: no third may.
    """

    id: str = field(repr=False)
    write_id: str
    request: str
    integration: str
    owner: str = ""
    contact: str = ""
    api: Api
    operation: str
    team: str | None = None
    thread: str | None = None
    thread_title: str = field(default="", repr=False)
    target: str | None = None
    person: Person | None = field(default=None, repr=False)
    rules: tuple[Asking, ...]
    at: float
    until: float
    status: Status = Status.OPEN
    pieces: int = 0
    by: Visitor | None = field(default=None, repr=False)
    known: Approver | None = None
    decided: float | None = None
    used_by: str | None = None
    used: float | None = None
    outcome: Outcome | None = None
    url: str | None = None
    again: bool = False

    @property
    def approver(self) -> Approver:
        """Who must decide: the strictest of what the rules ask for."""
        return strictest(rule.approver for rule in self.rules)

    @property
    def passes(self) -> bool:
        """Whether the next request like this one passes by it, while it lasts.

        After a write whose outcome nobody knows, one more: state counts both as one.
        """
        if self.status is Status.CONFIRMED:
            return True
        return self.status is Status.USED and self.outcome in _UNSURE and not self.again

    def is_due(self, at: float) -> bool:
        """Whether it has come to its end without having been used or declined."""
        return at >= self.until and self.status in (Status.OPEN, Status.CONFIRMED)

    def known_as(self, visitor: Visitor) -> tuple[Approver, ...]:
        """As whom a visitor is known, the strictest first: as whoever has the link at least."""
        known = [Approver.LINK]
        email = visitor.email.casefold()
        if email and email in _addresses(self.owner, self.contact):
            known.insert(0, Approver.OWNER)
        if self.person is not None and _is(self.person, visitor):
            known.insert(0, Approver.PERSON)
        return tuple(known)

    def objection(self, visitor: Visitor) -> Objection | None:
        """Say why a visitor may not decide about it; None where he may."""
        if self.approver in self.known_as(visitor):
            return None
        if self.approver is Approver.PERSON and self.person is None:
            return Objection.PERSON_UNKNOWN
        if not visitor.signed_in:
            return Objection.SIGN_IN
        is_owners = self.approver is Approver.OWNER
        return Objection.NOT_THE_OWNER if is_owners else Objection.NOT_THE_PERSON


def strictest(approvers: Iterable[str]) -> Approver:
    """Give the strictest of some approvers."""
    order = tuple(Approver)
    return min(map(Approver, approvers), key=order.index)


def _is(person: Person, visitor: Visitor) -> bool:
    if visitor.account and visitor.account == person.id:
        return True
    if visitor.email and person.email:
        return visitor.email.casefold() == person.email.casefold()
    return bool(visitor.subject) and visitor.subject == person.external


def _addresses(*texts: str) -> frozenset[str]:
    return frozenset(found.casefold() for text in texts for found in _ADDRESS.findall(text))


# ── as state keeps it, before it is sealed ───────────────────────────────────────────────────


def packed(hold: Hold) -> bytes:
    """Give a hold as bytes."""
    return json.dumps(asdict(hold)).encode()


def unpacked(data: bytes) -> Hold:
    """Give the hold that was packed."""
    told: dict[str, Any] = json.loads(data)
    return Hold(
        **told
        | {
            "api": Api(told["api"]),
            "person": _made(Person, told["person"]),
            "rules": tuple(
                Asking(**rule | {"approver": Approver(rule["approver"])}) for rule in told["rules"]
            ),
            "status": Status(told["status"]),
            "by": _made(Visitor, told["by"]),
            "known": told["known"] and Approver(told["known"]),
            "outcome": told["outcome"] and Outcome(told["outcome"]),
        }
    )


def _made(kind: type[Any], told: Mapping[str, Any] | None) -> Any:
    return None if told is None else kind(**told)
