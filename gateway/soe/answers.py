"""What the gateway answers itself, in the dialect of the calling API, and what SOE's answers mean.

v3 gets problem details (RFC 9457), v2.3 its wrapper under HTTP 400. Clients show little more than
`detail` and `error_message`, so these hold the reason, the way to mend it and whom to ask as one
text. Laws: text of the request is never repeated; `backoff`, on which importers wait and repeat
without end, never stands on a permanent refusal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
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

# api.stackexchange.com/docs/error-handling
_V2_ERRORS = {
    400: "bad_parameter",
    402: "invalid_access_token",
    403: "access_denied",
    404: "no_method",
    407: "write_failed",
    409: "duplicate_request",
    500: "internal_error",
    502: "throttle_violation",
}
_V2_ERROR_OF_STATUS = {
    401: 402,
    403: 403,
    404: 404,
    405: 404,
    409: 409,
    422: 409,
    503: 502,
    504: 500,
}
_V2_POLICY, _V2_LATER = 407, 502

_TITLES = {
    "confirmation_required": "A person must confirm this write",
    "confirmation_declined": "A person declined this write",
    "integration_disabled": "This integration is switched off",
    "outcome_unknown": "Nobody can tell whether this was written",
}
_HELD = "It is held until a person confirms it."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """What there is to tell, before it is put into a dialect; `error_id` is v2.3's."""

    status: int
    code: str
    title: str
    detail: str
    error_id: int
    write_id: str | None
    revision: str | None
    findings: tuple[Finding, ...] = ()
    retry_after: float | None = None
    contact: Contact | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How a write that is held can be confirmed.

    Attributes:
        confirm_url: the page for people.
        status_url: tells programs how far it is.
        told: what to do, as one text with both addresses in it.
        declined: somebody said no already.
        accepted: the client is told so with 202, as it prefers that (RFC 7240, section 4.1).
    """

    confirm_url: str
    status_url: str
    told: str
    declined: bool = False
    accepted: bool = False


_ABOUT_REGISTRATION = frozenset(
    {
        "ambiguous_certificate",
        "ambiguous_credentials",
        "foreign_origin",
        "integration_disabled",
        "integration_expired",
        "key_in_browser",
        "operation_not_registered",
        "unknown_caller",
        "unknown_gateway_key",
        "unregistered_caller",
        "untrusted_certificate",
    }
)
"""Codes of refusals after which somebody must talk to who registers integrations."""

# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def refuse(
    api: Api,
    decision: Decision,
    write_id: str,
    contact: Contact | None,
    waiting: Waiting | None = None,
) -> Reply:
    """Answer a write that the policies refuse or hold; every violation is told.

    What is held says by `waiting` how it is confirmed; nothing waits of what was only asked about.

    The first permanent violation gives status and code, and then nothing invites to come again;
    among passing ones 503 goes before 409 before 429, and the longest wait is told.
    """
    violations = tuple(f.violation for f in decision.violations if f.violation is not None)
    deciding, retry_after = _deciding(decision)
    status, code, error_id = deciding.status, deciding.code, _V2_POLICY
    if decision.effect is Effect.HOLD:
        status, code, error_id = 403, "confirmation_required", 403
        if waiting is not None and waiting.declined:
            code = "confirmation_declined"
        elif waiting is not None and waiting.accepted:
            status = 202
        retry_after = None  # to wait confirms nothing
    elif code in _ABOUT_REGISTRATION:
        error_id = _V2_ERROR_OF_STATUS[status]
    elif retry_after is not None:
        error_id = _V2_LATER
    elif status == 422:
        error_id = _V2_ERROR_OF_STATUS[422]
    detail = _told(violations)
    if decision.effect is Effect.HOLD:
        detail = f"{detail} {waiting.told if waiting else _HELD}"
    problem = _Problem(
        status=status,
        code=code,
        title=_TITLES.get(code, "The rules of this site refuse this write"),
        detail=f"{detail} Contact: {contact}." if contact else detail,
        error_id=error_id,
        write_id=write_id,
        revision=decision.revision,
        findings=decision.violations,
        retry_after=retry_after,
        contact=contact,
        waiting=waiting,
    )
    fields = ratelimit(decision.findings)
    if status == 202 and waiting is not None:
        applied = (b"preference-applied", b"respond-async")
        fields = ((b"location", waiting.status_url.encode()), applied, *fields)
    return _reply(api, problem, fields)


def refuse_request(
    api: Api,
    error: RequestError,
    *,
    write_id: str | None,
    revision: str | None,
    contact: Contact | None,
) -> Reply:
    """Answer a request that is wrong in itself, or whose caller may not do this."""
    if error.code not in _ABOUT_REGISTRATION:
        contact = None
    problem = _Problem(
        status=error.status,
        code=error.code,
        title=HTTPStatus(error.status).phrase,
        detail=f"{error.detail} Contact: {contact}." if contact else error.detail,
        error_id=_V2_ERROR_OF_STATUS.get(error.status, 400),
        write_id=write_id,
        revision=revision,
        contact=contact,
    )
    return _reply(api, problem)


def unavailable(
    api: Api,
    code: str,
    detail: str,
    *,
    write_id: str | None,
    revision: str | None,
    retry_after: float,
    status: int = 503,
) -> Reply:
    """Answer when the gateway, or SOE behind it, cannot serve now.

    Args:
        status: 502 or 504 where a read did not get an answer from SOE, or none in time.
    """
    problem = _Problem(
        status=status,
        code=code,
        title=HTTPStatus(status).phrase,
        detail=f"{detail} Try again later.",
        error_id=_V2_LATER,
        write_id=write_id,
        revision=revision,
        retry_after=retry_after,
    )
    return _reply(api, problem)


def outcome_unknown(api: Api, *, write_id: str | None, revision: str | None) -> Reply:
    """Answer when a write was sent and nobody can tell what became of it."""
    problem = _Problem(
        status=504,
        code="outcome_unknown",
        title=_TITLES["outcome_unknown"],
        detail=(
            "SOE did not answer, so the write may or may not have happened. Look there first; "
            "then the same request may be sent once more."
        ),
        error_id=_V2_ERROR_OF_STATUS[504],
        write_id=write_id,
        revision=revision,
    )
    return _reply(api, problem)


def _deciding(decision: Decision) -> tuple[Violation, float | None]:
    """The violation that gives the status, and the wait in seconds, None where it is permanent."""
    held = decision.effect is Effect.HOLD
    violations = [f.violation for f in decision.violations if f.violation and f.holds is held]
    waits = [v.retry_after for v in violations if v.retry_after is not None]
    if len(waits) < len(violations):
        return next(v for v in violations if v.retry_after is None), None
    return min(violations, key=_gravity), max(waits)


def _gravity(violation: Violation) -> int:
    order = (503, 409, 429)
    return order.index(violation.status) if violation.status in order else len(order)


def _told(violations: tuple[Violation, ...]) -> str:
    reasons = [" ".join(filter(None, (v.message, v.fix, v.docs))) for v in violations]
    if len(reasons) == 1:
        return reasons[0]
    return " ".join(f"({number}) {reason}" for number, reason in enumerate(reasons, 1))


# ── the rest of an answer ────────────────────────────────────────────────────────────────────


def dry_run(decision: Decision, write_id: str) -> Reply:
    """Answer a dry run with what would have been decided; `status` 200 stands for forwarding."""
    status = 200
    if decision.effect is not Effect.ALLOW:
        status = refuse(Api.V3, decision, write_id, None).status
    document = {
        "effect": decision.effect,
        "status": status,
        "decision_id": write_id,
        "policy_revision": decision.revision,
        "violations": _listed(decision.violations),
        "warnings": _listed(decision.warnings),
        "observed": _listed(decision.observed),
    }
    return _json(200, b"application/json", document, _identity(write_id, decision.revision))


def decision_fields(decision: Decision, write_id: str) -> Headers:
    """Give the header fields that SOE's answer to a forwarded write gets in addition."""
    warnings = tuple(
        (b"gateway-warning", f'{f.rule}; code="{f.violation.code}"'.encode())
        for f in decision.warnings
        if f.violation is not None
    )
    identity = _identity(write_id, decision.revision)
    return (*identity, *warnings, *ratelimit(decision.findings))


def ratelimit(findings: Iterable[Finding]) -> Headers:
    """Give `RateLimit-Policy` and `RateLimit` for the caps that decide.

    After draft-ietf-httpapi-ratelimit-headers-11: `q` writes in `w` seconds, `r` of them left,
    more in `t` seconds.
    """
    caps = [(f.rule, f.charged) for f in findings if f.charged is not None and f.mode.decides]
    if not caps:
        return ()
    return (
        (b"ratelimit-policy", ", ".join(_quota(rule, charged) for rule, charged in caps).encode()),
        (b"ratelimit", ", ".join(_remaining(rule, charged) for rule, charged in caps).encode()),
    )


def _quota(rule: str, charged: Charged) -> str:
    return f'"{rule}";q={charged.window.limit};w={math.ceil(charged.window.seconds)}'


def _remaining(rule: str, charged: Charged) -> str:
    if not charged.accepted:
        return f'"{rule}";r=0;t={math.ceil(charged.retry_after)}'
    left = max(0, charged.window.limit - charged.used)
    return f'"{rule}";r={left};t={math.ceil(charged.reset)}'


# ── dialects ─────────────────────────────────────────────────────────────────────────────────


def _reply(api: Api, problem: _Problem, fields: Headers = ()) -> Reply:
    seconds = None if problem.retry_after is None else max(1, math.ceil(problem.retry_after))
    ours = {
        "code": problem.code,
        "decision_id": problem.write_id,
        "policy_revision": problem.revision,
        "confirm_url": problem.waiting and problem.waiting.confirm_url,
        "status_url": problem.waiting and problem.waiting.status_url,
        "violations": _listed(problem.findings) or None,
        "contact": _told_contact(problem.contact),
    }
    fields = (*_identity(problem.write_id, problem.revision), *fields)
    if seconds is not None:
        fields = (*fields, (b"retry-after", b"%d" % seconds))
    if api is Api.V2:
        wrapper = {
            "error_id": problem.error_id,
            "error_name": _V2_ERRORS[problem.error_id],
            "error_message": problem.detail,
            "backoff": seconds,
            **ours,
        }
        # A repeat may publish twice, so a lost outcome does not hide in 400 as all else does.
        status = problem.status if problem.status in (202, 504) else 400
        return _json(status, b"application/json", wrapper, fields)
    details = {
        "type": f"/_gateway/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": problem.write_id and f"/_gateway/decisions/{problem.write_id}",
        **ours,
        "retry_after": seconds,
    }
    return _json(problem.status, b"application/problem+json", details, fields)


def _json(status: int, content_type: bytes, document: Mapping[str, Any], fields: Headers) -> Reply:
    body = orjson.dumps({name: value for name, value in document.items() if value is not None})
    headers = (
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *fields,
    )
    return Reply(status, headers, body)


def _identity(write_id: str | None, revision: str | None) -> Headers:
    pairs = ((b"gateway-decision", write_id), (b"gateway-policy", revision))
    return tuple((name, value.encode()) for name, value in pairs if value)


def _listed(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [_violation(f.rule, f.violation) for f in findings if f.violation is not None]


def _violation(rule: str, violation: Violation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "rule": rule,
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
            "passages": list(earlier.passages),
        }
    return told


def _told_contact(contact: Contact | None) -> dict[str, str] | None:
    if contact is None:
        return None
    told = {"name": contact.name, "url": contact.url, "email": contact.email}
    return {name: value for name, value in told.items() if value}


# ── what SOE's answers mean ──────────────────────────────────────────────────────────────────

_V2_FAILURES = (500, 503)
_LATER = (401, 403, 408, 425, 429)
"""The same request may do better under other circumstances, or with other rights."""
_V2_NOT_FINAL = (401, 402, 403, 405, 406, _V2_LATER)
"""The same said by v2.3: whose key or token, or which rights, were missing."""
_LEARNED = ("question", "answer", "comment", "article", "collection")
_LINKS = ("webUrl", "shareUrl", "shareLink", "link")
_URL_LIMIT = 2048


def outcome(api: Api, status: int, body: bytes) -> Outcome:
    """Tell what became of a write; v2.3 says everything by `error_id`, whatever the status.

    Args:
        body: as far as it is known, decoded; an unreadable one tells nothing.
    """
    if status >= 500:
        return Outcome.FAILED
    error_id = _document(body).get("error_id") if api is Api.V2 else None
    if isinstance(error_id, int):
        return Outcome.FAILED if error_id in _V2_FAILURES else Outcome.REFUSED
    return Outcome.OK if 200 <= status < 300 else Outcome.REFUSED


def is_final(api: Api, reply: Reply, body: bytes) -> bool:
    """Whether SOE would say the same to the same request later: then it may be said for it.

    Args:
        reply: SOE's, as the client gets it.
        body: its body, decoded; an unreadable one tells nothing.
    """
    became = outcome(api, reply.status, body)
    if became is not Outcome.REFUSED:
        return became is Outcome.OK
    is_passing = reply.status in _LATER or reply.status < 400  # a redirection says where, not what
    if is_passing or any(name == b"retry-after" for name, _ in reply.headers):
        return False
    return api is not Api.V2 or _document(body).get("error_id") not in _V2_NOT_FINAL


def learn(
    route: Route, status: int, headers: Headers, body: bytes
) -> tuple[str | None, str | None]:
    """Find in SOE's answer the written post, as `question/123`, and its URL; never fails."""
    noun, _, verb = route.endpoint.operation.partition(".")
    if not 200 <= status < 300 or noun not in _LEARNED or verb not in ("create", "edit"):
        return None, None
    item, id_name = _document(body), "id"
    if route.endpoint.api is Api.V2:
        items, id_name = item.get("items"), f"{noun}_id"
        item = items[0] if isinstance(items, list) and items else None
    if not isinstance(item, dict):
        return None, None
    number = item.get(id_name)
    post = f"{noun}/{number}" if type(number) is int and number > 0 else None
    return post, link_of(item)


def link_of(item: Mapping[str, Any]) -> str | None:
    """Give the address of a post as SOE shows it; None where it has none that may be shown."""
    return next(filter(_is_url, map(item.get, _LINKS)), None)


def _is_url(value: Any) -> bool:
    known = isinstance(value, str) and value.startswith(("https://", "http://"))
    return known and len(value) <= _URL_LIMIT and value.isascii() and value.isprintable()


def _document(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
