"""What the gateway answers itself, in the dialect of the calling API's clients.

v3 gets problem details (RFC 9457), v2.3 its wrapper under HTTP 400. Clients show little more than
`detail` and `error_message`, so these say the reason and the way to mend it in one text. Nothing
of a request's text is ever repeated here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import RequestError
from gateway.model import (
    Api,
    Charged,
    Contact,
    Decision,
    Effect,
    Finding,
    Headers,
    Outcome,
    Reply,
    Violation,
)
from gateway.soe.api import Route

_TITLES = {
    400: "Bad request",
    401: "Unknown caller",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "In flight",
    413: "Too large",
    414: "Target too long",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many writes",
    503: "Not available",
    504: "Outcome unknown",
}
_V2_NAMES = {
    400: "bad_parameter",
    402: "invalid_access_token",
    403: "access_denied",
    404: "no_method",
    407: "write_failed",
    500: "internal_error",
    502: "throttle_violation",
}
_V2_BY_STATUS = {401: 402, 403: 403, 404: 404, 405: 404, 409: 502, 429: 502, 503: 502, 504: 500}
"""SOE's `error_id` for what the gateway says; anything else is a bad parameter."""
_NEW_POST = re.compile(r"(question|answer|article|comment)(?:\.|_id$)")
_CONTACT_CODES = ("unknown_caller", "unregistered_caller", "integration_expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """What there is to tell, before it is put into a dialect. `error_id` is v2.3's own."""

    status: int
    code: str
    detail: str
    title: str = ""
    error_id: int | None = None
    decision_id: str | None = None
    revision: str | None = None
    violations: tuple[Finding, ...] = ()
    retry_after: float | None = None
    contact: Contact | None = None


def refuse(api: Api, decision: Decision, write_id: str, contact: Contact | None) -> Reply:
    """Answer a write that the policies refused; every violation is told.

    A permanent violation decides the status and leaves no hint to come again; else the longest
    wait is told.
    """
    findings = decision.violations
    permanent = [f for f in findings if f.violation and f.violation.retry_after is None]
    deciding = (permanent or sorted(findings, key=_by_gravity))[0]
    assert deciding.violation is not None
    retry_after = None
    if not permanent:
        retry_after = max(f.violation.retry_after or 0.0 for f in findings if f.violation)
    refusal = _Refusal(
        status=deciding.violation.status,
        code=deciding.violation.code,
        title=_TITLES.get(deciding.violation.status, "Refused by policy"),
        detail=" ".join(_told(f.violation) for f in findings if f.violation),
        error_id=407 if permanent else None,
        decision_id=write_id,
        revision=decision.revision,
        violations=findings,
        retry_after=retry_after,
        contact=contact,
    )
    return _reply(api, refusal, ratelimit(decision.findings))


def _by_gravity(finding: Finding) -> int:
    """Sort a store that is away before a copy in flight, and that before a used-up cap."""
    status = finding.violation.status if finding.violation else 0
    return (503, 409, 429).index(status) if status in (503, 409, 429) else 3


def _told(violation: Violation) -> str:
    return " ".join(filter(None, (violation.message, violation.fix)))


def refuse_request(
    api: Api,
    error: RequestError,
    *,
    write_id: str | None,
    revision: str | None,
    contact: Contact | None,
) -> Reply:
    """Answer a request that is wrong in itself, or whose caller is not known."""
    registration = error.code in _CONTACT_CODES or error.code == "operation_not_registered"
    detail = error.detail
    if registration and contact is not None:
        detail = f"{detail} Contact: {contact}."
    return _reply(
        api,
        _Refusal(
            status=error.status,
            code=error.code,
            detail=detail,
            decision_id=write_id,
            revision=revision,
            contact=contact if registration else None,
        ),
    )


def unavailable(
    api: Api,
    code: str,
    detail: str,
    *,
    write_id: str | None,
    revision: str | None,
    retry_after: float,
) -> Reply:
    """Answer when the gateway or SOE is away, and nothing of a write was sent."""
    return _reply(
        api,
        _Refusal(
            status=503,
            code=code,
            detail=f"{detail} Nothing was posted; try again later.",
            decision_id=write_id,
            revision=revision,
            retry_after=retry_after,
        ),
    )


def outcome_unknown(api: Api, *, write_id: str | None, revision: str | None) -> Reply:
    """Answer when a write was sent and nobody can tell what became of it."""
    refusal = _Refusal(
        status=504,
        code="outcome_unknown",
        detail=(
            "Stack Overflow did not answer: the post may or may not be there. "
            "Look before you send it again; the same request may be repeated once."
        ),
        decision_id=write_id,
        revision=revision,
    )
    return _reply(api, refusal)


def dry_run(decision: Decision, write_id: str) -> Reply:
    """Answer a dry run with what would have been decided."""
    status = 200
    if decision.effect is not Effect.ALLOW:
        status = refuse(Api.V3, decision, write_id, None).status
    document = {
        "effect": decision.effect.value,
        "status": status,
        "decision_id": write_id,
        "policy_revision": decision.revision,
        "violations": [_violation(finding) for finding in decision.violations],
        "warnings": [_violation(finding) for finding in decision.warnings],
        "observed": [_violation(finding) for finding in decision.observed],
    }
    return _json(200, "application/json", document, decision_headers(decision, write_id))


def decision_headers(decision: Decision, write_id: str) -> Headers:
    """Give the fields that go with every answer to a decided write."""
    warnings = tuple(
        (b"gateway-warning", f'{f.rule}; code="{f.violation.code}"'.encode())
        for f in decision.warnings
        if f.violation is not None
    )
    identity = (
        (b"gateway-decision", write_id.encode()),
        (b"gateway-policy", decision.revision.encode()),
    )
    return identity + warnings


def ratelimit(findings: Iterable[Finding]) -> Headers:
    """Give `RateLimit` and `RateLimit-Policy` of the caps that decide (IETF draft -11)."""
    caps = [(f.rule, f.charged) for f in findings if f.charged is not None and f.mode.decides]
    if not caps:
        return ()
    return (
        (b"ratelimit-policy", b", ".join(_quota(rule, charged) for rule, charged in caps)),
        (b"ratelimit", b", ".join(_remaining(rule, charged) for rule, charged in caps)),
    )


def _quota(rule: str, charged: Charged) -> bytes:
    return f'"{rule}";q={charged.window.limit};w={math.ceil(charged.window.seconds)}'.encode()


def _remaining(rule: str, charged: Charged) -> bytes:
    left = max(0, charged.window.limit - charged.used) if charged.accepted else 0
    return f'"{rule}";r={left};t={math.ceil(charged.reset)}'.encode()


# ── dialects ─────────────────────────────────────────────────────────────────────────────────


def _reply(api: Api, refusal: _Refusal, extra: Headers = ()) -> Reply:
    headers = extra
    if refusal.decision_id:
        headers += ((b"gateway-decision", refusal.decision_id.encode()),)
    if refusal.revision:
        headers += ((b"gateway-policy", refusal.revision.encode()),)
    seconds = None if refusal.retry_after is None else max(1, math.ceil(refusal.retry_after))
    if seconds is not None:
        headers += ((b"retry-after", b"%d" % seconds),)
    ours = {
        "code": refusal.code,
        "decision_id": refusal.decision_id,
        "policy_revision": refusal.revision,
        "violations": [_violation(finding) for finding in refusal.violations],
        "contact": _contact(refusal.contact),
    }
    if api is Api.V2:
        return _wrapper(refusal, ours, seconds, headers)
    document: dict[str, Any] = {
        "type": f"/_gateway/problems/{refusal.code}",
        "title": refusal.title or _TITLES.get(refusal.status, "Refused"),
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": f"/_gateway/decisions/{refusal.decision_id}" if refusal.decision_id else None,
        **ours,
        "retry_after": seconds,
    }
    return _json(refusal.status, "application/problem+json", document, headers)


def _wrapper(
    refusal: _Refusal, ours: Mapping[str, Any], seconds: int | None, headers: Headers
) -> Reply:
    """Answer as v2.3 does: HTTP 400 for everything but an outcome that nobody knows."""
    error_id = refusal.error_id or _V2_BY_STATUS.get(refusal.status, 400)
    document = {
        "error_id": error_id,
        "error_name": _V2_NAMES[error_id],
        "error_message": refusal.detail,
        "backoff": seconds,  # clients wait and repeat on it: never on what is permanent
        **ours,
    }
    status = 504 if refusal.status == 504 else 400
    return _json(status, "application/json", document, headers)


def _json(status: int, kind: str, document: Mapping[str, Any], headers: Headers) -> Reply:
    body = orjson.dumps({key: value for key, value in document.items() if value is not None})
    fields = (
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    return Reply(status, fields + headers, body)


def _violation(finding: Finding) -> dict[str, Any]:
    violation = finding.violation
    assert violation is not None
    told: dict[str, Any] = {
        "rule": finding.rule,
        "code": violation.code,
        "message": violation.message,
        "fix": violation.fix,
        "docs": violation.docs,
        "evidence": dict(violation.evidence),
    }
    if violation.earlier is not None:
        earlier = violation.earlier
        told["earlier"] = {
            "url": earlier.url,
            "at": earlier.at,
            "integration": earlier.integration,
            "relation": earlier.relation,
            "similarity": earlier.similarity,
        }
    return {key: value for key, value in told.items() if value not in ("", {}, None)}


def _contact(contact: Contact | None) -> dict[str, str] | None:
    if contact is None:
        return None
    told = {"name": contact.name, "url": contact.url, "email": contact.email}
    return {key: value for key, value in told.items() if value}


# ── what SOE's replies mean ──────────────────────────────────────────────────────────────────


def outcome(api: Api, status: int, body: bytes) -> Outcome:
    """Tell from SOE's reply what became of a write; v2.3 says everything with HTTP 400."""
    if status >= 500:
        return Outcome.FAILED
    error_id = _document(body).get("error_id") if api is Api.V2 else None
    if error_id is not None:
        return Outcome.FAILED if error_id in (500, 503) else Outcome.REFUSED
    return Outcome.OK if status < 300 else Outcome.REFUSED


def learn(route: Route, status: int, body: bytes) -> tuple[str | None, str | None]:
    """Find the new post's name, as `question/123`, and its URL in SOE's reply; never fails."""
    found = _NEW_POST.match(route.endpoint.operation)
    if found is None or status >= 300:
        return None, None
    document = _document(body)
    if route.endpoint.api is Api.V2:
        items = document.get("items")
        document = items[0] if isinstance(items, list) and items else {}
        if not isinstance(document, dict):
            return None, None
    noun = found[1]
    number = document.get("id", document.get(f"{noun}_id"))
    url = next((document[n] for n in ("webUrl", "shareUrl", "link") if document.get(n)), None)
    post = f"{noun}/{number}" if isinstance(number, int) else None
    return post, url if isinstance(url, str) and len(url) < 2048 else None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
