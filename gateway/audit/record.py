"""Audit records as plain values; pure. `seq`, `writer`, `prev` and `mac` are the chain's."""

from __future__ import annotations

from typing import Any

from gateway.model import Decision, Outcome, Settlement, Write

SCHEMA = 1

Record = dict[str, Any]


def decision(write: Write, decided: Decision) -> Record:
    """What was decided about a write, and what each rule found."""
    fingerprint = write.fingerprint
    return {
        "schema": SCHEMA,
        "kind": "decision",
        "at": write.at,
        "write_id": write.id,
        "effect": decided.effect.value,
        "revision": decided.revision,
        "repeats": decided.repeats,
        "integration": write.integration,
        "person": write.person,
        "token": write.token,
        "api": write.api.value,
        "operation": write.operation,
        "team": write.team,
        "thread": write.thread,
        "target": write.target,
        "preview": write.preview,
        "findings": [
            {
                "rule": finding.rule,
                "check": finding.check,
                "mode": finding.mode.value,
                "result": finding.result.value,
                "code": finding.violation.code if finding.violation else None,
                "open": finding.open,
            }
            for finding in decided.findings
        ],
        "sizes": {
            "title": len(write.post.title),
            "body": len(write.post.body),
            "tags": len(write.post.tags),
        },
        "digest": write.request,
        "fingerprint": None
        if fingerprint is None
        else {"text": fingerprint.text, "event": fingerprint.event, "words": fingerprint.words},
    }


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
