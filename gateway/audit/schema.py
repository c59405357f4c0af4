"""Every line of the audit log, field by field: the one place that says what stands in it.

The JSON Schema and the reference page come from these tables, and tests hold every record against
them. To add a field, write it in `record` and give it a line here; a new event of `admin` is a line
in `EVENTS`. `since` is the version of the schema (`record.SCHEMA`) from which on it is always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.audit.record import EXCERPT, SCHEMA, USER_AGENT_AT_MOST
from gateway.model import Api, Approver, Effect, Mode, Outcome, Result


class Privacy(StrEnum):
    """Who could be identified by a field."""

    NOBODY = "nobody"
    PSEUDONYM = "pseudonym"
    KEYED = "keyed"
    DIGEST = "digest"
    CALLER = "caller"
    PUBLIC = "public"
    TEXT = "text"


MEANINGS: Mapping[Privacy, str] = {
    Privacy.NOBODY: "tells nothing of a person",
    Privacy.PSEUDONYM: "stands for a person as `audit.people` says: under `pseudonym`, whoever has the people file and `audit.key` can tell who, until `audit forget`; under `name`, everybody can; under `none` it is empty",
    Privacy.KEYED: "a digest under `audit.key`: whoever has the key and the thing itself (a token, a request) can tell that it is this one; equal ones are equal",
    Privacy.DIGEST: "a digest or hashes without a key: whoever has the thing itself (a token, a text) can tell that it is this one",
    Privacy.CALLER: "what a caller says of itself: meant for the name of a program, and it could hold that of a person",
    Privacy.PUBLIC: "leads to what stands on the site, which shows who wrote it to those who may see it there",
    Privacy.TEXT: "words of people: they may name anybody",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a record.

    Attributes:
        type: as JSON Schema; an object with fields of its own, or a list of such, as a `Table` or a
            list of one.
        nullable: whether it may be null; `meaning` says when.
        absent: when the field is not there; empty where it always is.
        since: the first version of the schema of which every record has it.
    """

    type: Mapping[str, Any] | Table | list[Table]
    meaning: str
    privacy: Privacy = Privacy.NOBODY
    nullable: bool = False
    absent: str = ""
    since: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of an object, by their names."""

    fields: Mapping[str, Field]


TEXT: Mapping[str, Any] = {"type": "string"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
INSTANT: Mapping[str, Any] = {"type": "number", "minimum": 0}
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
BASE64: Mapping[str, Any] = {"type": "string", "contentEncoding": "base64"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}


def _one_of(words: type[StrEnum]) -> Mapping[str, Any]:
    return {"type": "string", "enum": [word.value for word in words]}


def _hex(digits: int) -> Mapping[str, Any]:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{digits}}}$"}


# fmt: off
HEAD: Mapping[str, Field] = {
    "schema": Field(type={"type": "integer", "minimum": 1, "maximum": SCHEMA}, meaning="The version of this schema."),
    "kind": Field(type=TEXT, meaning="What the line tells: `decision`, `sending`, `outcome` or `admin`."),
    "at": Field(type=INSTANT, meaning="The instant, in seconds since 1970 (UTC); of a decision that of the write."),
}
"""What every record begins with."""

CHAIN: Mapping[str, Field] = {
    "key_id": Field(type=TEXT, meaning="The id of the key that signs from this line on.", absent="it is the key of the line before, or the only one"),
    "seq": Field(type={"type": "integer", "minimum": 1}, meaning="The number of the line in its writer's chain; the first is 1."),
    "writer": Field(type=TEXT, meaning="Which process wrote it: host and a random word."),
    "prev": Field(type=TEXT, meaning="`mac` of the line before; empty for the first."),
    "mac": Field(type=_hex(64), meaning="HMAC-SHA256 of the line up to here, by `audit.key`."),
}
"""What every line ends with; the chain puts it there."""

_WRITE_ID = Field(type=TEXT, meaning="The decision id, as `Gateway-Decision` told the client: it ties the lines of one write together.")

STATE = Table({
    "at": Field(type=INSTANT, meaning="When state says it was asked.", absent="state did not answer"),
    "number": Field(type=COUNT, meaning="Where the reservation stands among all of one state.", absent="state did not answer"),
    "answered": Field(type=INSTANT, meaning="When the gateway had its answer: what ended later was not in it.", absent="state did not answer, or the record is older than this"),
    "in_flight": Field(type=TEXTS, meaning="Decision ids of the writes that state found and had not heard the end of: copies, and earlier tries of the same request.", absent="there were none"),
    "failed": Field(type=BOOLEAN, meaning="True where state did not answer.", absent="it answered"),
})

CONFIRMED = Table({
    "hold": Field(type=TEXT, meaning="The decision id of the write that was held first."),
    "by": Field(type=TEXT, meaning="Who confirmed; empty for whoever had the link.", privacy=Privacy.PSEUDONYM),
    "known": Field(type=_one_of(Approver), meaning="As whom he was known: the acting `person`, the `owner`, or whoever had the `link`."),
    "rules": Field(type=TEXTS, meaning="The rules that he was told of."),
})

EARLIER = Table({
    "url": Field(type=TEXT, meaning="Where it stands, as SOE told it; null where that is not known.", nullable=True),
    "at": Field(type=INSTANT, meaning="When it was written."),
    "integration": Field(type=TEXT, meaning="Which integration wrote it."),
})

FINDING = Table({
    "rule": Field(type=TEXT, meaning="The rule's id."),
    "check": Field(type=TEXT, meaning="Its check; empty for a rule that is conditions alone."),
    "mode": Field(type=_one_of(Mode), meaning="Its mode."),
    "result": Field(type=_one_of(Result), meaning="What it found: `skip` where it was not asked, `error` where it could not judge."),
    "code": Field(type=TEXT, meaning="The code of the violation; null where there was none.", nullable=True),
    "open": Field(type=BOOLEAN, meaning="True where it could not judge and lets pass (`on_error: allow`)."),
    "status": Field(type=COUNT, meaning="The HTTP status that it refuses with.", absent="there was no violation"),
    "evidence": Field(type={"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}, meaning="The check's figures, by name; no text of a post. The [checks](checks.md) list the names.", absent="there was no violation"),
    "earlier": Field(type=EARLIER, meaning="The earlier post that it speaks of.", absent="it speaks of none, or of one in another private team"),
    "confirmable": Field(type=BOOLEAN, meaning="True where the acting person's confirmation would satisfy it.", absent="it would not"),
    "consented": Field(type=BOOLEAN, meaning="True where somebody confirmed what it held.", absent="nobody did"),
})

SIZES = Table({
    "title": Field(type=COUNT, meaning="Characters of the title."),
    "body": Field(type=COUNT, meaning="Characters of the body."),
    "tags": Field(type=COUNT, meaning="Tags."),
    "user_agent": Field(type=COUNT, meaning="Characters of the User-Agent.", since=2),
})

COUNTS = Table({
    "title": Field(type=COUNT, meaning="Letters and digits of the title."),
    "seen": Field(type=COUNT, meaning="Those that a reader sees, and of what was decoded."),
    "said": Field(type=COUNT, meaning="Those of what was decoded."),
    "unseen": Field(type=COUNT, meaning="Those that a reader does not see."),
    "opaque": Field(type=COUNT, meaning="Letters of what looks encoded and cannot be decoded."),
    "invisible": Field(type=COUNT, meaning="Characters that nobody sees."),
    "mixed": Field(type=COUNT, meaning="Words that mix alphabets."),
    "quoted": Field(type=COUNT, meaning="Words in quotes."),
    "form": Field(type=COUNT, meaning="Words in headings, task lists and what folds away."),
})

FINGERPRINT = Table({
    "text": Field(type=TEXT, meaning="Digest of the words as read: equal for texts that read the same.", privacy=Privacy.DIGEST),
    "event": Field(type=TEXT, meaning="The same with numbers, ids, times and paths masked.", privacy=Privacy.DIGEST),
    "words": Field(type=COUNT, meaning="Real words."),
    "prints": Field(type=BASE64, meaning="Hashes of pieces of the text, by which near-copies are found; of a short text two of its author as well, as he stands in this record.", privacy=Privacy.DIGEST, since=2),
    "sketch": Field(type=BASE64, meaning="What other texts are compared with, as state keeps it.", privacy=Privacy.DIGEST, since=2),
    "whole": Field(type=BASE64, meaning="The same before it was cut to what state keeps; null where it is too long.", privacy=Privacy.DIGEST, nullable=True, absent="nothing was cut"),
    "counts": Field(type=COUNTS, meaning="What a reader sees of the text, and what not; null where it was not counted.", nullable=True, since=2),
})

KEPT_TEXT = Table({
    "title": Field(type=TEXT, meaning=f"The title; {EXCERPT} characters of it under `excerpt`.", privacy=Privacy.TEXT),
    "body": Field(type=TEXT, meaning=f"The body; {EXCERPT} characters of it under `excerpt`.", privacy=Privacy.TEXT),
})

DECISION: Mapping[str, Field] = {
    "logged": Field(type=INSTANT, meaning="When the line was written.", since=2),
    "write_id": _WRITE_ID,
    "effect": Field(type=_one_of(Effect), meaning="What was decided. `replay`: the stored answer to the same request was given again."),
    "revision": Field(type=TEXT, meaning="The revision of the policies that decided; it ends in `+discover` where they only warned."),
    "repeats": Field(type=TEXT, meaning="The decision id of the earlier write that decided in place of the rules; else null.", nullable=True, since=2),
    "state": Field(type=STATE, meaning="How state was asked; null where it was not, or told of a repeat.", nullable=True, since=2),
    "integration": Field(type=TEXT, meaning="Which integration wrote, by its name in the registry; `anonymous` where nobody registered it.", privacy=Privacy.NOBODY),
    "tier": Field(type=TEXT, meaning="Its tier; empty for `anonymous`.", since=2),
    "person": Field(type=TEXT, meaning="Who acts, as SOE tells whose the token is; null where nobody asked or SOE did not say. Under `audit.people: name` the number of the account. Records made before pseudonyms were random hold a digest under `audit.key`.", privacy=Privacy.PSEUDONYM, nullable=True),
    "person_name": Field(type=TEXT, meaning="That person's name and address.", privacy=Privacy.PSEUDONYM, absent="`audit.people` is not `name`, or `person` is null"),
    "token": Field(type=TEXT, meaning="Digest of the SOE token; null without one. A token that was exchanged for another stands under that one.", privacy=Privacy.KEYED, nullable=True),
    "credential": Field(type={"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, meaning="SHA-256 of the SOE token of a caller that nobody registered, as `integrations.yaml` takes it; else null.", privacy=Privacy.DIGEST, nullable=True, since=2),
    "api": Field(type=_one_of(Api), meaning="Which API it came through."),
    "operation": Field(type=TEXT, meaning="What it does, as in [operations](operations.md)."),
    "team": Field(type=TEXT, meaning="The team's slug; null for the main site.", nullable=True),
    "thread": Field(type=TEXT, meaning="The thread in which the post stands, as `question/11`; null for a new one.", privacy=Privacy.PUBLIC, nullable=True),
    "target": Field(type=TEXT, meaning="The existing post that is edited, voted on or deleted, as `answer/12`; else null. It is made of the path's numbers: nothing of a query or path stands here.", privacy=Privacy.PUBLIC, nullable=True),
    "publishes": Field(type=BOOLEAN, meaning="Whether it publishes text.", since=2),
    "preview": Field(type=BOOLEAN, meaning="SOE was asked to validate only."),
    "user_agent": Field(type={"type": "string", "maxLength": USER_AGENT_AT_MOST}, meaning=f"The User-Agent, {USER_AGENT_AT_MOST} characters at most; what looks like a credential in it is masked.", privacy=Privacy.CALLER, since=2),
    "explicit_action": Field(type={"type": "array", "items": {"type": ["string", "null"]}}, meaning="Each `X-Explicit-Action`: a word as it came; of an assertion `act`, `at`, `ref` and `to`, what stands for a person in the place of `by`, and of other members `-`, for they are there; null for what could not be read.", privacy=Privacy.PSEUDONYM, since=2),
    "confirmed": Field(type=CONFIRMED, meaning="Who confirmed this very request; null where nobody did.", nullable=True, since=2),
    "findings": Field(type=[FINDING], meaning="What each rule found that looked at the write."),
    "sizes": Field(type=SIZES, meaning="How much there was of what is not kept whole."),
    "tags": Field(type=TEXTS, meaning="The tags, those of at most 64 characters among the first 20.", privacy=Privacy.TEXT, since=2),
    "digest": Field(type=TEXT, meaning="Digest of caller, method, target, content type and body: equal for the same request.", privacy=Privacy.KEYED),
    "key": Field(type=TEXT, meaning="Digest of caller and `Idempotency-Key` (v2.3: `request_id`); null without one.", privacy=Privacy.KEYED, nullable=True, since=2),
    "fingerprint": Field(type=FINGERPRINT, meaning="What the text leaves; null where the write has none.", privacy=Privacy.DIGEST, nullable=True),
    "text": Field(type=KEPT_TEXT, meaning="The text itself.", privacy=Privacy.TEXT, absent="`audit.content` is `none`"),
}

SENDING: Mapping[str, Field] = {"write_id": _WRITE_ID}

POST = Table({
    "id": Field(type=TEXT, meaning="The new post, as `question/123`; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True),
    "url": Field(type=TEXT, meaning="Where it stands; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True),
})

_BY_RECOVERY = "a start wrote the line for a process that had died"

OUTCOME: Mapping[str, Field] = {
    "write_id": _WRITE_ID,
    "outcome": Field(type=_one_of(Outcome), meaning="What became of it: SOE took it (`ok`), said no (`refused`) or broke (`failed`); nobody can tell (`unknown`); nothing was sent (`not_sent`)."),
    "integration": Field(type=TEXT, meaning="As in the decision.", absent=_BY_RECOVERY),
    "operation": Field(type=TEXT, meaning="As in the decision.", absent=_BY_RECOVERY),
    "upstream_status": Field(type=COUNT, meaning="The HTTP status of SOE's answer; null where none came.", nullable=True, absent=_BY_RECOVERY),
    "post": Field(type=POST, meaning="The post that was made.", absent=_BY_RECOVERY),
    "answer_kept": Field(type=BOOLEAN, meaning="Whether SOE's answer was kept for the next request under the same idempotency key.", absent=_BY_RECOVERY + ", or in schema 1"),
    "latency": Field(type=INSTANT, meaning="Seconds since the write's `at`.", absent=_BY_RECOVERY),
    "recovered": Field(type={"const": True}, meaning="True where a start wrote the line for a process that had died.", absent="the process wrote it itself"),
}

_BY = Field(type=TEXT, meaning="Who did it; empty where `audit.people` is `none`, or the people file could not be used.", privacy=Privacy.PSEUDONYM)
_WHAT = Field(type=TEXT, meaning="To what: a post, a decision id, or a counter, without the person in it.")
_PSEUDONYMS = Field(type=TEXTS, meaning="The pseudonyms that lead to nobody from here on.")
_TEAM = Field(type=TEXT, meaning="The team's slug; null for the main site.", nullable=True)
_URL = Field(type=TEXT, meaning="Where the post stands; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True)
_HOLD: Mapping[str, Field] = {
    "by": Field(type=TEXT, meaning="Who decided; empty where `audit.people` is `none`.", privacy=Privacy.PSEUDONYM, absent="whoever had the link did"),
    "hold": Field(type=TEXT, meaning="The decision id of the write that was held."),
    "known": Field(type=_one_of(Approver), meaning="As whom he was known."),
    "integration": Field(type=TEXT, meaning="Whose write it was."),
    "operation": Field(type=TEXT, meaning="What it does."),
}
_DEED: Mapping[str, Field] = {"by": _BY, "what": _WHAT}
_INTEGRATION = Field(type=TEXT, meaning="The integration's name.")
_SWITCH: Mapping[str, Field] = {"by": _BY, "integration": _INTEGRATION, "reason": Field(type=TEXT, meaning="Why, as the integration is told; empty where it is switched on.", privacy=Privacy.TEXT)}
_SWITCHED: Mapping[str, Field] = {"by": _BY, "integration": _INTEGRATION, "everywhere": Field(type=BOOLEAN, meaning="Whether the state has it, from which all replicas learn it; if not, it follows when the state answers again.")}
_DONE: Mapping[str, Field] = {**_DEED, "count": Field(type=COUNT, meaning="How many there were.")}


TORN = Table({
    "segment": Field(type=TEXT, meaning="The file."),
    "bytes": Field(type=COUNT, meaning="How much of a line is there."),
    "sha256": Field(type=_hex(64), meaning="The digest of that."),
})
_HEAD_OF: Mapping[str, Any] = {"seq": {"type": "integer", "minimum": 1}, "mac": _hex(64)}
_HEAD_AT: Mapping[str, Any] = {"type": "object", "properties": {**_HEAD_OF, "at": INSTANT}, "required": ["at", "mac", "seq"], "additionalProperties": False}
_BEGINS: Mapping[str, Any] = {"type": "object", "properties": {**_HEAD_OF, "left": {"const": False}}, "required": ["mac", "seq"], "additionalProperties": False}


def _by_writer(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "additionalProperties": told}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is done to the gateway: what, and the facts that are recorded of it."""

    meaning: str
    facts: Mapping[str, Field]


EVENTS: Mapping[str, Event] = {
    "audit.closed": Event("The writer ended, and left no write open.", {
        "recovered": Field(type=COUNT, meaning="How many writes of a dead process the line before gave their outcome.", absent="the process wrote it itself")}),
    "audit.opened": Event("A start goes on with the chain of a writer that ended.", {}),
    "audit.torn": Event("A start found what a crash had torn, at the ends of a dead writer's files.", {
        "torn": Field(type=[TORN], meaning="The ends that are torn.")}),
    "audit.checkpoint": Event("How far the other writers of the directory had come when this one last looked.", {
        "writers": Field(type=_by_writer(_HEAD_AT), meaning="By writer, the number, `mac` and instant of its last record.")}),
    "audit.cut": Event("Records were about to be removed that are older than an instant.", {
        "by": Field(type=TEXT, meaning="Who did it; empty where `audit.people` is `none`.", privacy=Privacy.PSEUDONYM, absent="`audit.retention` did"),
        "before": Field(type={"type": "number"}, meaning="That instant."),
        "segments": Field(type=COUNT, meaning="How many files went."),
        "writers": Field(type=_by_writer(_BEGINS), meaning="By writer, the number and `mac` of the record after which its chain begins from now on; `left` is false where none of it is left.")}),
    "policies.loaded": Event("Other policies are in force in this process: at its start, and with every change.", {
        "revision": Field(type=TEXT, meaning="Their revision.")}),
    "hold.confirmed": Event("Somebody confirmed what was held.", _HOLD),
    "hold.declined": Event("Somebody declined it.", _HOLD),
    "integration.disabled": Event("An operator is about to switch an integration off.", _SWITCH),
    "integration.disabled_done": Event("He did.", _SWITCHED),
    "integration.enabled": Event("An operator is about to switch an integration on again.", _SWITCH),
    "integration.enabled_done": Event("He did.", _SWITCHED),
    "state.accept_loss": Event("An operator is about to accept a loss of state.", _DEED),
    "state.accept_loss_done": Event("He did.", _DONE),
    "state.forget": Event("An operator is about to let state forget a post.", _DEED),
    "state.forget_done": Event("He did.", _DONE),
    "state.release": Event("An operator is about to take back a reservation.", _DEED),
    "state.release_done": Event("He did.", _DONE),
    "state.reset": Event("An operator is about to empty counters of a cap.", _DEED),
    "state.reset_done": Event("He did.", _DONE),
    "reconcile.around": Event("The site has a post by an account of an integration that no record tells of.", {
        "by": _BY, "team": _TEAM, "post": Field(type=TEXT, meaning="The post, as `question/123`.", privacy=Privacy.PUBLIC), "url": _URL,
        "written": Field(type=INSTANT, meaning="When it was written, as the site tells."),
        "integration": Field(type=TEXT, meaning="Whose account it is; empty for one that was named to the command.")}),
    "reconcile.outcome": Event("The site was asked for a write whose outcome the log leaves open.", {
        "by": _BY, "write_id": _WRITE_ID, "team": _TEAM,
        "answer": Field(type={"type": "string", "enum": ["found", "not_found", "undecidable"]}, meaning="Whether its text stands there."),
        "post": Field(type=TEXT, meaning="The post, as `question/123`; null where none was found.", privacy=Privacy.PUBLIC, nullable=True), "url": _URL}),
    "reconcile.done": Event("The log was held against the site, and what was found is recorded.", {
        "by": _BY, "since": Field(type=INSTANT, meaning="From when on."), "until": Field(type=INSTANT, meaning="Up to when."),
        "around": Field(type=COUNT, meaning="Posts without a record, those of earlier records among them."),
        "answers": Field(type=COUNT, meaning="Writes whose outcome the log leaves open.")}),
    "people.forget": Event("An operator is about to cut somebody off from the records.", {"by": _BY, "pseudonyms": _PSEUDONYMS}),
    "people.forget_done": Event("He did.", {"by": _BY, "pseudonyms": _PSEUDONYMS}),
}
"""By name, what `admin` records tell of."""
# fmt: on

KINDS: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    "decision": ("What was decided about a write, durable before anything is sent.", DECISION),
    "sending": ("The first byte of a write is about to go to SOE.", SENDING),
    "outcome": ("What became of a write that was decided to pass: one for each.", OUTCOME),
}
"""What the kinds tell, but for `admin`, whose facts are those of its event."""


# ── the JSON Schema ──────────────────────────────────────────────────────────────────────────


def schema() -> dict[str, Any]:
    """Give the JSON Schema of a line: one shape for each kind and version, one for each event."""
    shapes = {
        f"{kind}-{version}": _shape({"kind": kind, "schema": version}, fields, version)
        for version in range(1, SCHEMA + 1)
        for kind, (_, fields) in KINDS.items()
    }
    shapes |= {name: _shape({"kind": "admin", "event": name}, each.facts, SCHEMA) for name, each in EVENTS.items()}  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the audit log of soe-write-gateway",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in shapes],
        "$defs": shapes,
    }


def _shape(is_: Mapping[str, Any], fields: Mapping[str, Field], version: int) -> dict[str, Any]:
    made = _object({**HEAD, **fields, **CHAIN}, version)
    constants = {name: {"const": value} for name, value in is_.items()}
    required = {*made["required"], *is_}
    return made | {"properties": made["properties"] | constants, "required": sorted(required)}


def _object(fields: Mapping[str, Field], version: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _typed(field, version) for name, field in fields.items()},
        "required": sorted(n for n, f in fields.items() if not f.absent and f.since <= version),
        "additionalProperties": False,
    }


def _typed(field: Field, version: int) -> dict[str, Any]:
    if isinstance(field.type, list):
        made: dict[str, Any] = {"type": "array", "items": _object(field.type[0].fields, version)}
    elif isinstance(field.type, Table):
        made = _object(field.type.fields, version)
    else:
        made = dict(field.type)
    if field.nullable:
        made = {"anyOf": [made, {"type": "null"}]}
    return made | {"description": field.meaning}


# ── the reference page ───────────────────────────────────────────────────────────────────────


def audit_reference() -> str:
    """Give the page of all fields, in Markdown."""
    parts = [
        _INTRODUCTION,
        "## Who could be identified\n",
        "| class | what it means |\n|---|---|",
        *(f"| {privacy.value} | {meaning} |" for privacy, meaning in MEANINGS.items()),
        _section("Every line", "How each begins, and what the chain puts at its end.", {**HEAD, **CHAIN}),
        *(_section(f"`{kind}`", *told) for kind, told in KINDS.items()),
        "\n## `admin`\n\nWhat was done to the gateway: `event` names it, and its facts stand beside it.\n",
        "| event | tells | facts |\n|---|---|---|",
        *(_event(name, event) for name, event in EVENTS.items()),
    ]  # fmt: skip
    return "\n".join(parts)


_INTRODUCTION = f"""\
Each line of the audit log is one JSON object, of schema {SCHEMA}; lines of earlier schemas stay readable, and lack what says
"since". [`audit.schema.json`](../audit.schema.json) says the same for programs, and allows no other fields. No token, key,
code, cookie or client secret stands in any of them. What the log proves, and how it is kept, is told under
[operations](../operations.md#what-the-audit-log-holds).
"""


def _section(title: str, told: str, fields: Mapping[str, Field]) -> str:
    heads = "| field | type | meaning | not there | could identify |\n|---|---|---|---|---|"
    return f"\n## {title}\n\n{told}\n\n{heads}\n" + "\n".join(_rows(fields))


def _rows(fields: Mapping[str, Field], path: str = "") -> list[str]:
    rows = []
    for name, field in fields.items():
        since = f"before schema {field.since}" if field.since > 1 else ""
        away = ", or ".join(filter(None, (f"where {field.absent}" if field.absent else "", since)))
        rows.append(
            f"| `{path}{name}` | {_type(field)} | {field.meaning} | {away or '–'} | {field.privacy} |"
        )
        below = field.type[0] if isinstance(field.type, list) else field.type
        if isinstance(below, Table):
            dots = "[]." if isinstance(field.type, list) else "."
            rows += _rows(below.fields, f"{path}{name}{dots}")
    return rows


def _type(field: Field) -> str:
    if isinstance(field.type, list):
        word = "array"
    elif isinstance(field.type, Table):
        word = "object"
    else:
        word = field.type.get("type", "true")
    return f"{word}, null" if field.nullable else word


def _event(name: str, event: Event) -> str:
    facts = "; ".join(
        f"`{fact}`: {field.meaning}{f' (not where {field.absent})' if field.absent else ''}"
        for fact, field in event.facts.items()
    )
    return f"| `{name}` | {event.meaning} | {facts} |"
