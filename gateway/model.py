"""The vocabulary: what every part of the gateway talks about, as frozen values.

Instants are `at`, Unix seconds; durations are seconds. Nothing here reads a clock, a file or a
socket. Text of a post never shows in a `repr`. What each write makes several of is a named tuple,
and of what it makes one the slots are set directly: the one is made three times as fast, the other
in three fifths of the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from gateway.slots import set_by_slots

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, names in lower case."""

ANONYMOUS = "anonymous"
"""The integration of a caller that nobody registered."""


class Api(StrEnum):
    """The surfaces of SOE that the gateway knows. Only `V2` answers in its own wrapper."""

    V2 = "v2.3"
    V3 = "v3"
    OAUTH = "oauth"
    SCIM = "scim"


class Mode(StrEnum):
    """What a rule's failure does, from nothing to refusal."""

    DISABLED = "disabled"
    OBSERVE = "observe"
    WARN = "warn"
    HOLD = "hold"
    ENFORCE = "enforce"

    @property
    def decides(self) -> bool:
        """Whether a failure of such a rule changes the decision."""
        return self in (Mode.HOLD, Mode.ENFORCE)


class Effect(StrEnum):
    """What was decided about a write."""

    ALLOW = "allow"
    HOLD = "hold"
    REFUSE = "refuse"
    REPLAY = "replay"
    """The stored answer to the same request is given again: nothing is sent."""


class Result(StrEnum):
    """What a rule found."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Outcome(StrEnum):
    """What became of a write."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"

    @property
    def keeps(self) -> bool:
        """Whether what was reserved stays: the write happened, or nobody can tell."""
        return self in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN)


# ── what is written ──────────────────────────────────────────────────────────────────────────


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """The text that a write would publish; empty where the operation has none."""

    title: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    tags: tuple[str, ...] = ()

    @property
    def has_text(self) -> bool:
        """Whether there is a title or a body to judge."""
        return bool(self.title or self.body)


NO_POST = Post()
"""The post of a write that has no text."""


class Counts(NamedTuple):
    """What of a post a reader sees, and what not.

    Attributes:
        title: letters and digits of the title.
        seen: those of title and body that a reader sees, and of what was decoded.
        said: those of what was decoded: base64, characters that are tags.
        unseen: letters and digits that he does not: comments, hidden elements, titles.
        opaque: letters of what looks encoded and cannot be decoded.
        invisible: characters that nobody sees; emoji have some.
        mixed: words of which each mixes Latin letters with Greek, Cyrillic or others like them.
        quoted: words in quotes.
        form: words in headings, task lists and what folds away.
    """

    title: int
    seen: int
    said: int
    unseen: int
    opaque: int
    invisible: int
    mixed: int
    quoted: int
    form: int


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a post's normalised text leaves: enough to find and compare it, not to read it.

    Attributes:
        text: hex digest, equal for posts that read the same.
        event: hex digest that also masks numbers, ids, times and paths, so that two entries of one
            log event are equal.
        words: the number of real words.
        prints: hashes of pieces of the text, by which near-copies are found: 32 bits each, native
            order of bytes, ascending, each once. A post is remembered under the smallest few; a
            new one asks with all of its own, so that whatever is added to a copy hides nothing.
        sketch: what later texts are compared with; only `text.sketch` reads it.
        whole: the sketch before it was cut to what state keeps, to compare the text itself.
        counts: what was seen on the way; state does not keep it.
    """

    text: str
    event: str
    words: int
    prints: bytes = field(default=b"", repr=False)
    sketch: bytes = field(default=b"", repr=False)
    whole: bytes = field(default=b"", repr=False)
    counts: Counts | None = field(default=None, compare=False)


class Approver(StrEnum):
    """Who may confirm what is held, the strictest first; and as whom somebody is known who did."""

    PERSON = "person"
    """The acting person: whose SOE token it is."""
    OWNER = "owner"
    """Who owns the integration."""
    LINK = "link"
    """Whoever has the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Who confirmed this very request.

    Attributes:
        hold: the decision id of the write for which it was held first: so the audit log names a
            hold, for who knows its own id may be able to confirm it.
        by: an address, or an account's number; empty for whoever had the link.
        rules: those that he was told of, and that still ask the same person.
    """

    hold: str
    rules: frozenset[str]
    by: str = field(default="", repr=False)
    known: Approver


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write, read and identified: all that rules may look at.

    Attributes:
        id: the decision id, unique.
        at: the instant that holds for the whole write.
        integration: its name in the registry, or `ANONYMOUS`.
        tier: of the integration: `probation` or `trusted`; empty for `ANONYMOUS`.
        token: keyed digest of the SOE token, None without one.
        person: a keyed pseudonym of who acts, where known.
        acting: who that is, for the audit log alone: rules and state look at `person`.
        team: the team's slug in lower case, None for the main site.
        thread: where the post stands, as `question/11` or `post/11`; None for a new thread.
        target: the existing post that an edit, vote or deletion means, as `answer/12`.
        publishes: whether it publishes text (a question, answer, comment, article, …).
        preview: SOE is asked to validate only (`preview=true`): judged, nothing charged.
        actions: every value of `X-Explicit-Action`, as received, in order.
        user_agent: as received; empty without one.
        request: keyed digest of caller, method, target, content type and body: equal for a
            repeat of the same request.
        key: keyed digest of caller and idempotency key, for a write that publishes text; None
            without one.
        credential: `sha256:` and the digest of the SOE token, as a registry writes it, of a caller
            that nobody registered; else None.
        confirmed: who confirmed this very request; None where nobody did.
    """

    id: str
    at: float
    integration: str
    tier: str = ""
    token: str | None = None
    credential: str | None = None
    person: str | None = None
    acting: Person | None = field(default=None, repr=False, compare=False)
    api: Api
    operation: str
    team: str | None = None
    thread: str | None = None
    target: str | None = None
    publishes: bool = False
    preview: bool = False
    post: Post = NO_POST
    fingerprint: Fingerprint | None = None
    actions: tuple[str, ...] = ()
    user_agent: str = ""
    request: str = ""
    key: str | None = None
    confirmed: Confirmed | None = None

    @property
    def consent(self) -> frozenset[str]:
        """The rules whose hold on this very request a person has confirmed."""
        return self.confirmed.rules if self.confirmed is not None else frozenset()

    @property
    def author(self) -> str:
        """Under whom posts are compared."""
        return author_of(self.person, self.token, self.integration)


def author_of(person: str | None, token: str | None, integration: str) -> str:
    """Name an author: the person where known, else the token, else the integration."""
    if person is not None:
        return f"person:{person}"
    if token is not None:
        return f"token:{token}"
    return f"integration:{integration}"


# ── questions to state, and its answers ──────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `limit` writes in any stretch of `seconds`."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a counter of a cap has counted: its name, as `Charge.cap`, and how many charges."""

    cap: str
    used: int


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Ask for one write out of a cap; all windows of it or none.

    `cap` names the counter (rule and what it counts per). With `attempts` every try counts, also
    one that is refused.
    """

    cap: str
    windows: tuple[Window, ...]
    attempts: bool = False


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """What a cap said: `window` is the one with the least left, after this write if accepted.

    `retry_after` is 0 when accepted, else the seconds until the cap has room again; `reset` the
    seconds until the oldest counted write leaves the window.
    """

    accepted: bool
    window: Window
    used: int
    retry_after: float
    reset: float


class Lookup(NamedTuple):
    """Ask for earlier posts with the same digest, newest first, at most 64; the refused ones last.

    `compare` is `text` or `event`; `team` and `across_teams` give the scope (the main site is its
    own scope); `author` narrows to one author. With `near`, those that share prints with the write
    follow, the most shared first, at most 24.
    """

    compare: str
    digest: str
    within: float
    team: str | None
    across_teams: bool = False
    author: str | None = None
    near: bool = False


class Remembered(NamedTuple):
    """An earlier post. `pending` while its write is in flight (60 s at most).

    `overdue` is one that nobody settled in that time: its outcome is `unknown` until somebody does.
    `equal` tells that its digest is the one that was looked up; else it shares prints. An outcome
    of `refused` is a text that the gateway refused for its likeness (`Settlement.template`).
    """

    write_id: str
    at: float
    pending: bool
    outcome: Outcome | None
    integration: str
    token: str | None
    author: str
    operation: str
    team: str | None
    thread: str | None
    post: str | None
    url: str | None
    request: str
    equal: bool = True
    overdue: bool = False
    sketch: bytes = b""


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The earlier posts that a `Lookup` asked for."""

    posts: tuple[Remembered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharers:
    """Ask who else than `member` used what `name` says, within so many seconds.

    The write's own use is recorded if it is remembered, and given back if it is released while it
    is in flight; once it was kept, the use stays, whatever an operator does with the write. As with
    caps, `name` begins with the rule, so that no rule's record answers another. An engine keeps the
    newest use of a member, and of a name the sixteen newest members.
    """

    name: str
    member: str
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The others that `Sharers` asked for: at most 16, who used it last first."""

    others: tuple[str, ...]


Need = Charge | Lookup | Sharers
Answer = Charged | Found | Shared


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one write asks of state, in one atomic call.

    Each group maps rule ids to needs and is charged whole or not at all; attempt charges are made
    always. The first group holds the enforcing and holding rules; each warning or observed rule is
    a group of its own. `write` is remembered as pending if the first group was taken, and found
    again if it publishes text; `remember=False` forbids that: then only attempts are charged.
    """

    write: Write
    groups: tuple[Mapping[str, Need], ...]
    remember: bool = True


class Repeated(StrEnum):
    """How an earlier write stands in the way of one that repeats it."""

    ANSWERED = "answered"
    IN_FLIGHT = "in_flight"
    MISMATCH = "mismatch"
    UNKEPT = "unkept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The earlier write that a request repeats, under its idempotency key or after a lost answer.

    `answer` is SOE's answer, sealed, where it is `ANSWERED`. `MISMATCH` is another request under
    the same key. `UNKEPT` was written, but its answer was not kept.
    """

    kind: Repeated
    write_id: str
    answer: bytes | None = field(default=None, repr=False)


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """State's answers by rule id, about what was there before; `taken` tells of the first group.

    With a `repeat` there are no answers, and nothing was charged or remembered. `overdue` are the
    earlier tries of the same request that do not count because nobody settled them in time. `at`
    is the stamp that it got, and `number` where it stands: of two reservations of one state the
    earlier never has the higher one.
    """

    answers: Mapping[str, Answer]
    taken: bool
    repeat: Repeat | None = None
    overdue: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)
    number: int = field(default=0, compare=False)


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a reservation ends. `post` is the new post as `question/123`, `url` where it stands.

    `answer` is SOE's final answer, sealed, for the next request under the same idempotency key;
    None where there is none to give again. `lost` is the sealed answer to what is `ok` whose client
    is gone already: it is kept with the ending, as by `Store.keep_answer`. `template` stands beside
    `not_sent` where the gateway refused the text for its likeness: charges and key are released,
    but the text is found again, with the outcome `refused`, so that a flood does not begin anew.
    """

    outcome: Outcome
    post: str | None = None
    url: str | None = None
    answer: bytes | None = field(default=None, repr=False)
    lost: bytes | None = field(default=None, repr=False)
    template: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A post that stands on the site and did not come through the gateway.

    `post` is as `question/123`; `author` as `Write.author`.
    """

    post: str
    author: str
    operation: str
    team: str | None
    thread: str | None
    url: str | None
    fingerprint: Fingerprint


# ── judgement ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The earlier post that a violation speaks of, for eyes that may see it.

    `relation` is `same_author`, `same_integration` or `other`; `similarity` 0 to 1. `passages` are
    the longest that both share, cut from the new text.
    """

    url: str | None
    at: float
    integration: str
    relation: str
    similarity: float
    passages: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Why a rule says no, for the integration's author.

    `message` says what is wrong, `fix` how to mend it. `evidence` holds figures, never post text.
    `retry_after`, in seconds, only where the same write may pass later. `confirmable` is what ends
    when the acting person confirms this very request: then there is no violation any more.
    """

    code: str
    status: int
    message: str
    fix: str = ""
    docs: str = ""
    evidence: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    earlier: Earlier | None = None
    retry_after: float | None = None
    confirmable: bool = False


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found. `check` is empty for a rule that is conditions alone.

    `violation` stands where the result is `fail`, or `error` under `on_error: refuse`. `open` is
    true for an error that the rule lets pass (`on_error: allow`). `charged` is the cap's word
    where the rule is a cap and state was asked. `consented` tells that a person confirmed what
    the rule held.
    """

    rule: str
    check: str
    mode: Mode
    result: Result
    violation: Violation | None = None
    open: bool = False
    charged: Charged | None = None
    consented: bool = False

    @property
    def refuses(self) -> bool:
        """Whether it stands against the write, whoever confirms.

        So does a rule in `hold` that could not be judged: nobody knows what he would confirm.
        """
        if self.violation is None or not self.mode.decides:
            return False
        final = self.mode is Mode.ENFORCE and not self.violation.confirmable
        return final or self.result is Result.ERROR

    @property
    def holds(self) -> bool:
        """Whether it stands against the write until a person confirms it."""
        decides = self.violation is not None and self.mode.decides
        return decides and not self.refuses and not self.consented


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Consulted:
    """How state was asked about a write, for whoever judges it again from its record.

    `at` and `number` as of `Reserved`; `in_flight` are the copies and the earlier tries of the same
    request that were found before state heard how they ended, however long that took. `answered` is
    when the answer was there, by the gateway's clock: what ended later was not in it. With `failed`
    state did not answer, and the rest says nothing.
    """

    at: float = 0.0
    number: int = 0
    answered: float = math.inf
    in_flight: tuple[str, ...] = ()
    failed: bool = False


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about a write, under one policy revision.

    `repeats` is the id of the earlier write, where that decided and not the rules. `consulted` is
    None where state was not asked, or told of a repeat.
    """

    effect: Effect
    revision: str
    findings: tuple[Finding, ...]
    repeats: str | None = None
    consulted: Consulted | None = field(default=None, compare=False)

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that decided against the write."""
        return tuple(f for f in self.findings if f.refuses or f.holds)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings of rules in `warn` that failed."""
        return tuple(f for f in self.findings if f.violation and f.mode is Mode.WARN)

    @property
    def observed(self) -> tuple[Finding, ...]:
        """The findings of rules in `observe` that failed."""
        return tuple(f for f in self.findings if f.violation and f.mode is Mode.OBSERVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of the site, as SOE says who a token writes as.

    `id` is the number of the account on all sites, where SOE tells it, else that of the user on this
    one; `external` is what names him where the site's people sign in; it and `email` are empty where
    SOE does not tell.
    """

    id: str
    name: str
    email: str = ""
    external: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to ask before writing through the gateway: a name, and an address or a page."""

    name: str
    url: str = ""
    email: str = ""

    def __str__(self) -> str:
        """The contact in one phrase, as refusals show it."""
        reached = ", ".join(filter(None, (self.url, self.email)))
        return f"{self.name} ({reached})" if reached else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What an operator did last to an integration as a whole: switched it off, or on again.

    `at` orders what was done; who switches gives it an instant after all that he knows.
    """

    integration: str
    off: bool
    at: float
    by: str
    reason: str = ""

    @property
    def rank(self) -> tuple[float, bool, str, str]:
        """Of two switches of an integration the one of the greater rank counts, whoever compares.

        Of one instant, `off` goes before `on`.
        """
        return (self.at, self.off, self.by, self.reason)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that the gateway gives itself."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
