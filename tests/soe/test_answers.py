"""What the gateway answers itself, and what SOE's answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import RequestError
from gateway.model import (
    Api,
    Charged,
    Contact,
    Decision,
    Earlier,
    Effect,
    Finding,
    Mode,
    Outcome,
    Reply,
    Result,
    Violation,
    Window,
)
from gateway.soe import answers
from tests.soe.requests import route

CONTACT = Contact(name="Knowledge team", email="k@example.com")
COPY = Violation(
    code="duplicate",
    status=400,
    message="This text was posted before.",
    fix="Link to it.",
    docs="https://wiki.example.com/copies",
    evidence={"similarity": 1.0},
    earlier=Earlier(
        url="https://soe.example.com/a/1",
        at=1.5,
        integration="help-bot",
        relation="same_author",
        similarity=1.0,
    ),
)
CAP = Violation(code="rate_cap", status=429, message="Used up.", fix="Wait.", retry_after=9.2)
COPY_IN_FLIGHT = Violation(
    code="duplicate_in_flight", status=409, message="In flight.", retry_after=3
)
STORE_GONE = Violation(code="store_unavailable", status=503, message="Gone.", retry_after=1)


def finding(violation: Violation, rule: str = "some-rule", mode: Mode = Mode.ENFORCE) -> Finding:
    return Finding(rule=rule, check="c", mode=mode, result=Result.FAIL, violation=violation)


def decision(*findings: Finding, effect: Effect = Effect.REFUSE) -> Decision:
    return Decision(effect=effect, revision="r1", findings=findings)


def refused(*violations: Violation, api: Api = Api.V3) -> Reply:
    made = decision(*(finding(violation, f"rule-{n}") for n, violation in enumerate(violations)))
    return answers.refuse(api, made, "w1", CONTACT)


def document(reply: Reply) -> dict[str, Any]:
    parsed = json.loads(reply.body)
    assert isinstance(parsed, dict)
    return parsed


def test_v3_gets_problem_details() -> None:
    """A refusal has every member that design and RFC 9457 give it."""
    reply = refused(COPY)

    assert reply.status == 400
    assert document(reply) == {
        "type": "/_gateway/problems/duplicate",
        "title": "The rules of this site refuse this write",
        "status": 400,
        "detail": "This text was posted before. Link to it. https://wiki.example.com/copies "
        "Contact: Knowledge team (k@example.com).",
        "instance": "/_gateway/decisions/w1",
        "code": "duplicate",
        "decision_id": "w1",
        "policy_revision": "r1",
        "violations": [
            {
                "rule": "rule-0",
                "code": "duplicate",
                "message": "This text was posted before.",
                "fix": "Link to it.",
                "docs": "https://wiki.example.com/copies",
                "evidence": {"similarity": 1.0},
                "earlier": {
                    "url": "https://soe.example.com/a/1",
                    "at": 1.5,
                    "integration": "help-bot",
                    "relation": "same_author",
                    "similarity": 1.0,
                    "passages": [],
                },
            }
        ],
        "contact": {"name": "Knowledge team", "email": "k@example.com"},
    }


def test_every_answer_has_its_header_fields() -> None:
    """Decision and revision are told; nothing is stored, nothing is sniffed."""
    headers = dict(refused(COPY).headers)

    assert headers[b"gateway-decision"] == b"w1"
    assert headers[b"gateway-policy"] == b"r1"
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-length"] == b"%d" % len(refused(COPY).body)


def test_v2_gets_its_wrapper() -> None:
    """Clients of v2.3 look at three members and no status."""
    reply = refused(COPY, api=Api.V2)
    told = document(reply)

    assert reply.status == 400
    assert dict(reply.headers)[b"content-type"] == b"application/json"
    assert (told["error_id"], told["error_name"]) == (407, "write_failed")
    assert told["error_message"].startswith("This text was posted before. Link to it.")
    assert told["violations"][0]["rule"] == "rule-0"
    assert told["decision_id"] == "w1"
    assert "backoff" not in told


def test_every_violation_is_told_in_one_text() -> None:
    """Most clients show the detail and nothing else."""
    detail = document(refused(CAP, COPY))["detail"]

    assert "(1) Used up. Wait. (2) This text was posted before." in detail


@pytest.mark.parametrize("api", [Api.V2, Api.V3])
def test_a_permanent_refusal_invites_nobody_back(api: Api) -> None:
    """Importers repeat on `backoff` without end: where one rule is permanent, none is given."""
    reply = refused(CAP, COPY, api=api)

    assert reply.status == 400
    assert document(reply)["code"] == "duplicate"
    assert not {"backoff", "retry_after"} & document(reply).keys()
    assert b"retry-after" not in dict(reply.headers)


@pytest.mark.parametrize(
    ("violations", "status", "wait"),
    [
        ((CAP,), 429, 10),
        ((CAP, COPY_IN_FLIGHT), 409, 10),
        ((CAP, COPY_IN_FLIGHT, STORE_GONE), 503, 10),
        ((Violation(code="x", status=429, message="m", retry_after=0.0),), 429, 1),
    ],
)
def test_a_passing_refusal_tells_the_longest_wait(
    violations: tuple[Violation, ...], status: int, wait: int
) -> None:
    """In whole seconds, one at least; the gravest reason gives the status."""
    reply = refused(*violations)
    in_wrapper = document(refused(*violations, api=Api.V2))

    assert (reply.status, document(reply)["retry_after"]) == (status, wait)
    assert dict(reply.headers)[b"retry-after"] == b"%d" % wait
    assert (in_wrapper["error_id"], in_wrapper["backoff"]) == (502, wait)


def test_a_hold_asks_for_confirmation() -> None:
    """403 whatever status the held rule has, in both dialects."""
    made = decision(finding(COPY, mode=Mode.HOLD), effect=Effect.HOLD)
    reply = answers.refuse(Api.V3, made, "w1", CONTACT)
    wrapper = document(answers.refuse(Api.V2, made, "w1", CONTACT))

    assert (reply.status, document(reply)["code"]) == (403, "confirmation_required")
    assert (wrapper["error_id"], wrapper["error_name"]) == (403, "access_denied")


def test_an_enforcing_rule_decides_over_a_holding_one() -> None:
    """The strictest mode gives the status, and both are told."""
    made = decision(finding(COPY, mode=Mode.HOLD), finding(CAP))
    reply = answers.refuse(Api.V3, made, "w1", CONTACT)

    assert reply.status == 429
    assert len(document(reply)["violations"]) == 2


@pytest.mark.parametrize(
    ("status", "error_id"),
    [
        (400, 400),
        (401, 402),
        (403, 403),
        (404, 404),
        (405, 404),
        (409, 409),
        (413, 400),
        (415, 400),
    ],
)
def test_wrong_requests_are_told_in_both_dialects(status: int, error_id: int) -> None:
    """v3 by status, v2.3 by `error_id` under 400."""
    error = RequestError(status, "some_code", "Mend it so.")
    told = [
        answers.refuse_request(api, error, write_id="w1", revision="r1", contact=None)
        for api in (Api.V3, Api.V2)
    ]

    assert (told[0].status, document(told[0])["code"]) == (status, "some_code")
    assert document(told[0])["detail"] == "Mend it so."
    assert (told[1].status, document(told[1])["error_id"]) == (400, error_id)


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, "unknown_caller", True),
        (401, "unknown_gateway_key", True),
        (403, "unregistered_caller", True),
        (403, "integration_expired", True),
        (403, "operation_not_registered", True),
        (403, "foreign_origin", True),
        (403, "key_in_browser", True),
        (400, "ambiguous_credentials", True),
        (400, "ambiguous_certificate", True),
        (400, "untrusted_certificate", True),
        (403, "unknown_operation", False),
        (400, "unreadable_body", False),
    ],
)
def test_callers_are_told_whom_to_ask(status: int, code: str, told: bool) -> None:
    """Refusals about who calls name the contact, in the text that clients show."""
    error = RequestError(status, code, "Who is it?")
    reply = answers.refuse_request(Api.V3, error, write_id=None, revision=None, contact=CONTACT)

    assert ("Contact: Knowledge team" in document(reply)["detail"]) is told
    assert ("contact" in document(reply)) is told
    assert b"gateway-decision" not in dict(reply.headers)


def test_what_is_away_comes_back() -> None:
    """503 and 502 throttle_violation: both make clients wait."""
    told = [
        answers.unavailable(api, "store", "Gone.", write_id="w1", revision="r1", retry_after=4.1)
        for api in (Api.V3, Api.V2)
    ]

    assert (told[0].status, document(told[0])["retry_after"]) == (503, 5)
    assert (told[1].status, document(told[1])["error_id"]) == (400, 502)
    assert document(told[1])["backoff"] == 5


@pytest.mark.parametrize("api", [Api.V2, Api.V3])
def test_a_lost_outcome_is_no_refusal(api: Api) -> None:
    """504 in every dialect, so that nobody takes it for a write that did not happen."""
    reply = answers.outcome_unknown(api, write_id="w1", revision="r1")

    assert (reply.status, document(reply)["code"]) == (504, "outcome_unknown")
    assert not {"backoff", "retry_after"} & document(reply).keys()


def test_a_dry_run_tells_everything() -> None:
    """What decides, what warns, what is observed, and the status that a write would get."""
    made = decision(
        finding(COPY, "a"), finding(CAP, "b", Mode.WARN), finding(CAP, "c", Mode.OBSERVE)
    )
    told = document(answers.dry_run(made, "w1"))

    assert (told["effect"], told["status"], told["decision_id"]) == ("refuse", 400, "w1")
    lists = [[v["rule"] for v in told[name]] for name in ("violations", "warnings", "observed")]
    assert lists == [["a"], ["b"], ["c"]]


def test_a_dry_run_of_a_good_write_is_well() -> None:
    """Nothing stands against it."""
    told = document(answers.dry_run(decision(effect=Effect.ALLOW), "w1"))

    assert (told["effect"], told["status"], told["violations"]) == ("allow", 200, [])


def test_caps_tell_what_is_left() -> None:
    """Only caps that decide speak, in the form of the IETF draft."""

    def capped(accepted: bool, mode: Mode) -> Finding:
        charged = Charged(
            accepted=accepted,
            window=Window(limit=5, seconds=60),
            used=2,
            retry_after=0 if accepted else 7.5,
            reset=30.2,
        )
        return Finding(rule="cap", check="rate_cap", mode=mode, result=Result.PASS, charged=charged)

    assert answers.ratelimit([capped(True, Mode.ENFORCE)]) == (
        (b"ratelimit-policy", b'"cap";q=5;w=60'),
        (b"ratelimit", b'"cap";r=3;t=31'),
    )
    assert answers.ratelimit([capped(False, Mode.HOLD)])[1] == (b"ratelimit", b'"cap";r=0;t=8')
    assert answers.ratelimit([capped(True, Mode.OBSERVE)]) == ()


def test_a_forwarded_write_carries_its_warnings() -> None:
    """A rule in `warn` is heard, and changes nothing else."""
    made = decision(finding(COPY, "no-copies", Mode.WARN), effect=Effect.ALLOW)

    assert (b"gateway-warning", b'no-copies; code="duplicate"') in answers.decision_fields(
        made, "w1"
    )


# ── what SOE's answers mean ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("api", "status", "body", "expected"),
    [
        (Api.V3, 201, b'{"id": 1}', Outcome.OK),
        (Api.V3, 204, b"", Outcome.OK),
        (Api.V3, 302, b"", Outcome.REFUSED),
        (Api.V3, 400, b'{"error_id": 500}', Outcome.REFUSED),
        (Api.V3, 401, b"Invalid access token", Outcome.REFUSED),
        (Api.V3, 429, b"", Outcome.REFUSED),
        (Api.V3, 502, b"<html>", Outcome.FAILED),
        (Api.V2, 200, b'{"items": []}', Outcome.OK),
        (Api.V2, 200, b"cut", Outcome.OK),
        (Api.V2, 200, b'{"error_id": 407}', Outcome.REFUSED),
        (Api.V2, 400, b'{"error_id": 502}', Outcome.REFUSED),
        (Api.V2, 400, b'{"error_id": 500}', Outcome.FAILED),
        (Api.V2, 400, b'{"error_id": 503}', Outcome.FAILED),
        (Api.V2, 400, b"", Outcome.REFUSED),
        (Api.V2, 400, b"[]", Outcome.REFUSED),
        (Api.V2, 503, b"", Outcome.FAILED),
    ],
)
def test_an_outcome_is_what_soe_says(api: Api, status: int, body: bytes, expected: Outcome) -> None:
    """v2.3 says it by `error_id`, the others by status."""
    assert answers.outcome(api, status, body) is expected


@pytest.mark.parametrize(
    ("request_", "body", "expected"),
    [
        (
            ("POST", "/api/v3/questions"),
            {"id": 7, "webUrl": "https://s/q/7"},
            ("question/7", "https://s/q/7"),
        ),
        (
            ("POST", "/api/v3/questions/7/answers"),
            {"id": 8, "questionId": 7, "shareLink": "https://s/a/8"},
            ("answer/8", "https://s/a/8"),
        ),
        (
            ("POST", "/api/2.3/questions/7/answers/add"),
            {"items": [{"question_id": 7, "answer_id": 8, "link": "https://s/a/8"}]},
            ("answer/8", "https://s/a/8"),
        ),
        (
            ("POST", "/api/2.3/posts/7/comments/add"),
            {"items": [{"post_id": 7, "comment_id": 9}]},
            ("comment/9", None),
        ),
        (("POST", "/api/v3/questions/7/upvote"), {"id": 7}, (None, None)),
        (("POST", "/api/v3/questions"), {"id": "x", "webUrl": "javascript:1"}, (None, None)),
        (("POST", "/api/v3/questions"), {"id": True, "webUrl": "http://s/\n"}, (None, None)),
        (("POST", "/api/2.3/questions/add"), {"items": []}, (None, None)),
        (("POST", "/api/2.3/questions/add"), {"items": [None]}, (None, None)),
        (("POST", "/api/2.3/questions/add"), {"items": {"a": 1}}, (None, None)),
        (("POST", "/api/v3/questions"), [], (None, None)),
    ],
)
def test_the_new_post_is_learned(
    request_: tuple[str, str], body: Any, expected: tuple[str | None, str | None]
) -> None:
    """By number and URL where SOE tells them; nothing else is believed."""
    assert answers.learn(route(*request_), 200, (), json.dumps(body).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 5000, b'{"id": 1}'])
def test_learning_never_fails(body: bytes) -> None:
    """A cut or strange answer, or one that is no success, teaches nothing."""
    assert answers.learn(route("POST", "/api/v3/questions"), 404, (), body) == (None, None)
    assert answers.learn(route("POST", "/api/2.3/questions/add"), 200, (), body) == (None, None)
