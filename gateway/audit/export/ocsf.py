"""Audit records in the Open Cybersecurity Schema Framework; pure.

All are events of the class API Activity with the profile `security_control`, which says what a
control did about them. What the class has no attribute for stands in `unmapped`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.audit.index.entries import Deed, Entry
from gateway.model import Effect, Outcome

VERSION = "1.8.0"
PROFILE = "security_control"
_CLASS = 6003
_PRODUCT = {"name": "soe-write-gateway", "vendor_name": "soe-write-gateway"}

_OTHER = (99, "Other")
_ACTIVITIES = {
    "create": (1, "Create"),
    "upload": (1, "Create"),
    "add": (1, "Create"),
    "edit": (3, "Update"),
    "delete": (4, "Delete"),
    "remove": (4, "Delete"),
    "invalidate": (4, "Delete"),
}
"""By the last word of an operation."""
_ACTIONS = {
    Effect.ALLOW: ((1, "Allowed"), (1, "Allowed")),
    Effect.REFUSE: ((2, "Denied"), (2, "Blocked")),
    Effect.HOLD: ((2, "Denied"), (23, "Challenge")),
    Effect.REPLAY: ((99, "Replayed"), (99, "Replayed")),
}
"""Action and disposition."""
_STATUSES = {
    Outcome.OK: (1, "Success"),
    Outcome.REFUSED: (2, "Failure"),
    Outcome.FAILED: (2, "Failure"),
    Outcome.NOT_SENT: (2, "Failure"),
    Outcome.UNKNOWN: (0, "Unknown"),
}


def of_entry(entry: Entry, record: Mapping[str, Any]) -> dict[str, Any]:
    """Give a write as an event.

    Args:
        record: of the decision; empty where the log no longer has it.
    """
    is_allowed = entry.effect == Effect.ALLOW
    activity = _ACTIVITIES.get(entry.operation.rpartition(".")[2], _OTHER)
    action, disposition = _ACTIONS[Effect(entry.effect)]
    status = _status(entry)
    latency = None if entry.latency is None else round(entry.latency * 1000)
    told = _event(activity, entry.at, entry.place.writer) | {
        "severity_id": 1 if is_allowed else 2,
        "severity": "Informational" if is_allowed else "Low",
        "status_id": status[0],
        "status": status[1],
        "status_code": None if entry.upstream_status is None else str(entry.upstream_status),
        "status_detail": "; ".join(
            f"{each.rule}: {each.code or each.result}" for each in entry.found
        ),
        "action_id": action[0],
        "action": action[1],
        "disposition_id": disposition[0],
        "disposition": disposition[1],
        "duration": latency,
        "actor": {"app_name": entry.integration, "user": _user(entry.person, entry.person_name)},
        "api": {
            "operation": entry.operation,
            "version": record.get("api"),
            "service": {"name": "Stack Overflow Enterprise"},
        },
        "src_endpoint": {"svc_name": entry.integration},
        "http_request": {"uid": entry.id, "user_agent": record.get("user_agent")},
        "http_response": _response(entry.upstream_status, latency),
        "resources": _resources(entry),
        "policy": {"name": "soe-write-gateway policies", "version": entry.revision},
        "authorizations": [
            {
                "decision": each.result,
                "policy": _filled({"name": each.rule, "type": each.mode, "desc": each.code}),
            }
            for each in entry.found
        ],
        "unmapped": {
            "effect": entry.effect,
            "outcome": entry.outcome,
            "team": entry.team,
            "thread": entry.thread,
            "tier": record.get("tier"),
            "on_word_of": entry.on_word_of,
        },
    }
    told["metadata"] |= {"uid": entry.id, "sequence": record.get("seq")}
    return _filled(told)


def of_deed(deed: Deed) -> dict[str, Any]:
    """Give something that was done to the gateway as an event."""
    told = _event((99, deed.event), deed.at, deed.place.writer) | {
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 1,
        "status": "Success",
        "action_id": 1,
        "action": "Allowed",
        "actor": {"app_name": _PRODUCT["name"], "user": _user(deed.facts.get("by"), None)},
        "api": {"operation": deed.event, "service": {"name": _PRODUCT["name"]}},
        "src_endpoint": {"svc_name": _PRODUCT["name"]},
        "unmapped": dict(deed.facts),
    }
    return _filled(told)


def _event(activity: tuple[int, str], at: float, writer: str) -> dict[str, Any]:
    return {
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": _CLASS * 100 + activity[0],
        "type_name": f"API Activity: {activity[1] if activity[0] != _OTHER[0] else 'Other'}",
        "time": round(at * 1000),
        "metadata": {
            "version": VERSION,
            "product": _PRODUCT,
            "profiles": [PROFILE],
            "log_name": "audit",
            "log_provider": writer,
        },
    }


def _status(entry: Entry) -> tuple[int, str]:
    if entry.effect == Effect.REPLAY:
        return 1, "Success"
    if entry.effect != Effect.ALLOW:
        return 2, "Failure"
    return (0, "Unknown") if entry.outcome is None else _STATUSES[Outcome(entry.outcome)]


def _user(person: object, name: str | None) -> dict[str, Any]:
    return {"uid": str(person), "name": name or str(person)} if person else {}


def _response(status: int | None, latency: int | None) -> dict[str, Any]:
    return {} if status is None else {"code": status, "latency": latency}


def _resources(entry: Entry) -> list[dict[str, Any]]:
    """Give the posts that a write made or meant."""
    named = {entry.post: entry.url, entry.target: None} | {entry.post: entry.url}
    return [
        _filled({"uid": post, "type": post.partition("/")[0], "name": url, "namespace": entry.team})
        for post, url in named.items()
        if post
    ]


def _filled(told: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known, and what is empty without it."""
    kept = {
        name: _filled(value) if isinstance(value, dict) else value for name, value in told.items()
    }
    return {name: value for name, value in kept.items() if value not in (None, "", [], {})}
