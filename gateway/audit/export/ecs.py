"""Audit records in the Elastic Common Schema; pure.

A write is an event of the category `api`, a deed one of `configuration`. What ECS has no field for
stands in `labels`, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.audit.index.entries import Deed, Entry
from gateway.model import Effect, Outcome

VERSION = "8.12.0"
_SERVICE = "soe-write-gateway"
_DATASET = "soe_write_gateway.audit"

_TYPES = {
    "create": "creation",
    "upload": "creation",
    "add": "creation",
    "edit": "change",
    "delete": "deletion",
    "remove": "deletion",
    "invalidate": "deletion",
}
"""By the last word of an operation; the others change something."""
_OUTCOMES = {
    Outcome.OK: "success",
    Outcome.REFUSED: "failure",
    Outcome.FAILED: "failure",
    Outcome.NOT_SENT: "failure",
    Outcome.UNKNOWN: "unknown",
}


def of_entry(entry: Entry, record: Mapping[str, Any]) -> dict[str, Any]:
    """Give a write as a document.

    Args:
        record: of the decision; empty where the log no longer has it.
    """
    told: dict[str, Any] = {
        "@timestamp": _instant(entry.at),
        "message": _message(entry),
        "ecs": {"version": VERSION},
        "event": {
            "kind": "event",
            "category": ["api"],
            "type": _type(entry),
            "action": entry.operation,
            "outcome": _outcome(entry),
            "id": entry.id,
            "dataset": _DATASET,
            "module": "soe_write_gateway",
            "sequence": record.get("seq"),
            "start": _instant(entry.at),
            "end": None if entry.latency is None else _instant(entry.at + entry.latency),
            "duration": None if entry.latency is None else round(entry.latency * 1e9),
            "reason": "; ".join(f"{each.rule}: {each.code or each.result}" for each in entry.found),
        },
        "service": _service(record.get("writer")),
        "user": {"id": entry.person, "full_name": entry.person_name},
        "related": {"user": sorted({who for who in (entry.person, entry.on_word_of) if who})},
        "organization": {"name": entry.team},
        "user_agent": {"original": record.get("user_agent")},
        "http": {"response": {"status_code": entry.upstream_status}},
        "url": _url(entry.url),
        "rule": _rule(entry),
        "labels": {
            "integration": entry.integration,
            "tier": record.get("tier"),
            "api": record.get("api"),
            "effect": entry.effect,
            "outcome": entry.outcome,
            "post": entry.post,
            "target": entry.target,
            "thread": entry.thread,
            "on_word_of": entry.on_word_of,
            "rules": ",".join(f"{each.rule}:{each.mode}:{each.result}" for each in entry.found),
        },
    }
    return _without_nothing(told)


def of_deed(deed: Deed) -> dict[str, Any]:
    """Give something that was done to the gateway as a document."""
    told = {
        "@timestamp": _instant(deed.at),
        "message": deed.event,
        "ecs": {"version": VERSION},
        "event": {
            "kind": "event",
            "category": ["configuration"],
            "type": ["change"],
            "action": deed.event,
            "outcome": "success",
            "dataset": _DATASET,
            "module": "soe_write_gateway",
        },
        "service": _service(deed.place.writer),
        "user": {"id": str(deed.facts.get("by") or "")},
        "labels": {name: str(value) for name, value in deed.facts.items()},
    }
    return _without_nothing(told)


def _message(entry: Entry) -> str:
    words = [entry.integration, entry.operation, entry.effect, entry.outcome, entry.post]
    return " ".join(filter(None, words))


def _type(entry: Entry) -> list[str]:
    if entry.effect != Effect.ALLOW:
        return ["info" if entry.effect == Effect.REPLAY else "denied"]
    return ["allowed", _TYPES.get(entry.operation.rpartition(".")[2], "change")]


def _outcome(entry: Entry) -> str:
    if entry.effect == Effect.REPLAY:
        return "success"
    if entry.effect != Effect.ALLOW:
        return "failure"
    return "unknown" if entry.outcome is None else _OUTCOMES[Outcome(entry.outcome)]


def _service(writer: str | None) -> dict[str, Any]:
    return {"name": _SERVICE, "type": _SERVICE, "node": {"name": writer}}


def _rule(entry: Entry) -> dict[str, Any]:
    """Give the rule that decided, or the first that found something."""
    found = entry.deciding
    if found is None:
        return {}
    return {"name": found.rule, "category": found.code, "version": entry.revision}


def _url(url: str | None) -> dict[str, Any]:
    if url is None:
        return {}
    parts = urlsplit(url)
    return {"full": url, "scheme": parts.scheme, "domain": parts.hostname, "path": parts.path}


def _instant(at: float) -> str:
    told = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def _without_nothing(told: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known, and what is empty without it."""
    kept = {
        name: _without_nothing(value) if isinstance(value, dict) else value
        for name, value in told.items()
    }
    return {name: value for name, value in kept.items() if value not in (None, "", [], {})}
