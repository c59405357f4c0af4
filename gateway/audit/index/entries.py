"""What the index of the audit log tells, as frozen values; pure.

An `Entry` is one write: its decision joined with its outcome. All of its record stands in the log,
at its `place`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.soe.addresses import Address


class Cursor(NamedTuple):
    """Where a page of entries ended: the next one has what is older."""

    at: float
    id: str


class Place(NamedTuple):
    """Where a line begins: its segment, and the byte as it is when unpacked."""

    writer: str
    number: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A rule that found something against a write: its result is `fail` or `error`."""

    rule: str
    mode: str
    result: str
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A write as the audit log tells it.

    Attributes:
        at: the instant of the decision.
        person: what stands for who acts, as `audit.people` says; `person_name` where names stand.
        on_word_of: what stands for who confirmed the write, else for who acted as was asserted.
        target: the existing post that an edit, vote or deletion means.
        effect: as in `model.Effect`.
        found: the rules that failed, or could not judge.
        outcome: as in `model.Outcome`; None while it is not known, and where nothing was sent.
        post: the new or edited post, as `question/12`, where SOE's answer told it.
        latency: seconds from the decision to the outcome.
        turn: grows as writes end: one whose outcome came later has a higher one; None before.
    """

    id: str
    at: float
    integration: str
    person: str | None
    person_name: str | None
    on_word_of: str | None
    operation: str
    team: str | None
    thread: str | None
    target: str | None
    effect: str
    revision: str
    found: tuple[Found, ...]
    outcome: str | None
    post: str | None
    url: str | None
    upstream_status: int | None
    latency: float | None
    turn: int | None = field(compare=False)
    place: Place

    @property
    def deciding(self) -> Found | None:
        """The rule that decided, or else the first that found something."""
        ranked = ("enforce", "hold", "warn", "observe")
        return min(self.found, key=lambda found: ranked.index(found.mode), default=None)

    @property
    def cursor(self) -> Cursor:
        """Where a page ends whose last entry this is."""
        return Cursor(self.at, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was done to the gateway, as `state.reset`; `facts` as they were recorded."""

    at: float
    event: str
    facts: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries are meant: all that fit each of what is given, one of its words each.

    Attributes:
        since: the first instant.
        until: the first instant no more.
        persons: who act, or on whose word the write was made.
        rules: that found something against the write.
        post: which the write published, edited or otherwise meant.
        url: of what the write published, as SOE told it.
    """

    since: float | None = None
    until: float | None = None
    ids: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    post: Address | None = None
    url: str | None = None


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """How many writes of an integration came to an effect in the hour from `at` on."""

    at: float
    integration: str
    effect: str
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHour:
    """How often a rule found something in the hour from `at` on."""

    at: float
    rule: str
    mode: str
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationTotals:
    """What an integration wrote: how often, how often in vain, and when last."""

    integration: str
    writes: int
    refused: int
    held: int
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTotals:
    """What a rule found.

    Attributes:
        hits: writes that it failed, in whatever mode it was.
        would_deny: those of them in which its mode was `observe` or `warn`.
        errors: writes that it could not judge.
        last: when it found something last.
    """

    rule: str
    hits: int
    would_deny: int
    errors: int
    last: float
