"""Audit records as plain values; pure. `seq`, `writer`, `prev` and `mac` are the chain's.

A decision holds what judging the write again needs (`offline.recorded` reads it). Its schema is 2;
records of schema 1 lack the facts and the prints, and stay readable.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from gateway.audit.acts import kept_act
from gateway.audit.people import Nobody, People
from gateway.audit.redact import masked_words
from gateway.model import (
    Confirmed,
    Consulted,
    Decision,
    Finding,
    Fingerprint,
    Outcome,
    Settlement,
    Write,
    author_of,
)
from gateway.text.fingerprint import of_other

SCHEMA = 2

Record = dict[str, Any]

EXCERPT = 200
"""Characters of a title or body in an excerpt."""
USER_AGENT_AT_MOST = 256
_TAGS_AT_MOST, _TAG_AT_MOST = 20, 64
_WHOLE_AT_MOST = 8192
"""Bytes of a whole sketch; some 1,300 words have more, and are then compared by a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How much of a write its record keeps.

    Attributes:
        content: of title and body: `none`, `excerpt` or `full`.
        people: gives what stands for people.
    """

    content: str = "none"
    people: People = field(default_factory=Nobody)


NOTHING = Keeping()
"""No text, and nobody: for tests, and where no write is recorded."""


def decision(write: Write, decided: Decision, logged: float, keeping: Keeping) -> Record:
    """What was decided about a write, what each rule found, and what judging it again needs.

    Args:
        logged: the instant of the record; `at` is the write's.
    """
    people, post, acting, agent = keeping.people, write.post, write.acting, write.user_agent
    person = None if acting is None else people.person(acting)
    found = write.fingerprint
    # `_value_` is the value as it stands; `value` asks Python's enum for it, at several times the cost.
    kept: Record = {
        "schema": SCHEMA,
        "kind": "decision",
        "at": write.at,
        "logged": logged,
        "write_id": write.id,
        "effect": decided.effect._value_,
        "revision": decided.revision,
        "repeats": decided.repeats,
        "state": None if decided.consulted is None else _state(decided.consulted),
        "integration": write.integration,
        "tier": write.tier,
        "person": person,
        "token": write.token,
        "credential": write.credential,
        "api": write.api._value_,
        "operation": write.operation,
        "team": write.team,
        "thread": write.thread,
        "target": write.target,
        "publishes": write.publishes,
        "preview": write.preview,
        "user_agent": agent and masked_words(agent)[:USER_AGENT_AT_MOST],
        "explicit_action": [kept_act(value, people) for value in write.actions],
        "confirmed": None if write.confirmed is None else _confirmed(write.confirmed, people),
        "findings": [_finding(finding) for finding in decided.findings],
        "sizes": {
            "title": len(post.title),
            "body": len(post.body),
            "tags": len(post.tags),
            "user_agent": len(agent),
        },
        "tags": [plain(tag) for tag in post.tags[:_TAGS_AT_MOST] if len(tag) <= _TAG_AT_MOST],
        "digest": write.request,
        "key": write.key,
        "fingerprint": None if found is None else _fingerprint(_of_recorded(found, write, person)),
    }
    name = None if acting is None else people.name(acting)
    if name is not None:
        kept["person_name"] = plain(name)
    if keeping.content != "none":
        most = EXCERPT if keeping.content == "excerpt" else None
        kept["text"] = {"title": plain(post.title[:most]), "body": plain(post.body[:most])}
    return kept


def _of_recorded(found: Fingerprint, write: Write, person: str | None) -> Fingerprint:
    """Let a short text be found as one of whom the record names as its author."""
    return of_other(found, write.author, author_of(person, write.token, write.integration))


def _state(consulted: Consulted) -> Record:
    if consulted.failed:
        return {"failed": True}
    told: Record = {
        "at": consulted.at,
        "number": consulted.number,
        "answered": consulted.answered,
    }
    return told | {"in_flight": consulted.in_flight} if consulted.in_flight else told


def _confirmed(confirmed: Confirmed, people: People) -> Record:
    by = people.told(confirmed.by) if confirmed.by else ""
    known, rules = confirmed.known.value, sorted(confirmed.rules)
    return {"hold": confirmed.hold, "by": by, "known": known, "rules": rules}


def _finding(finding: Finding) -> Record:
    violation = finding.violation
    told: Record = {
        "rule": finding.rule,
        "check": finding.check,
        "mode": finding.mode._value_,
        "result": finding.result._value_,
        "code": violation.code if violation else None,
        "open": finding.open,
    }
    if violation:
        told |= {"status": violation.status, "evidence": dict(violation.evidence)}
    if violation and violation.earlier:
        earlier = violation.earlier
        told["earlier"] = {
            "url": earlier.url,
            "at": earlier.at,
            "integration": earlier.integration,
        }
    if violation and violation.confirmable:
        told["confirmable"] = True
    if finding.consented:
        told["consented"] = True
    return told


def _fingerprint(found: Fingerprint) -> Record:
    kept: Record = {
        "text": found.text,
        "event": found.event,
        "words": found.words,
        "prints": b64encode(found.prints).decode(),
        "sketch": b64encode(found.sketch).decode(),
        "counts": None if found.counts is None else found.counts._asdict(),
    }
    if found.whole != found.sketch:
        is_short = len(found.whole) <= _WHOLE_AT_MOST
        kept["whole"] = b64encode(found.whole).decode() if is_short else None
    return kept


def plain(text: str) -> str:
    """Give a text that is sure to be UTF-8: half a surrogate pair is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def sending(write_id: str, at: float) -> Record:
    """That a write's first byte is about to go upstream."""
    return {"schema": SCHEMA, "kind": "sending", "at": at, "write_id": write_id}


def outcome(write: Write, settlement: Settlement, status: int | None, at: float) -> Record:
    """What became of a write that was decided to pass."""
    return {
        "schema": SCHEMA,
        "kind": "outcome",
        "at": at,
        "write_id": write.id,
        "outcome": settlement.outcome.value,
        "integration": write.integration,
        "operation": write.operation,
        "upstream_status": status,
        "post": {"id": settlement.post, "url": settlement.url},
        "answer_kept": settlement.answer is not None,
        "latency": round(max(0.0, at - write.at), 6),
    }


def recovered(write_id: str, what: Outcome, at: float) -> Record:
    """What the next start found out about a write whose process died."""
    return {
        "schema": SCHEMA,
        "kind": "outcome",
        "at": at,
        "write_id": write_id,
        "outcome": what.value,
        "recovered": True,
    }


def admin(event: str, at: float, **facts: Any) -> Record:
    """Something that was done to the gateway, as `audit.closed`."""
    return {"schema": SCHEMA, "kind": "admin", "event": event, "at": at, **facts}
