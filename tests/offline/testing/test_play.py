"""Tests of policies play on the code that decides, whatever SOE, state and people do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.offline.testing.stories import ACT, CAP, COPIES, LONG, differences, holding, suite

REFUSED = {"refused_by": ["copies"]}
CAPPED = {"refused_by": ["cap"]}


@pytest.mark.parametrize(
    ("api", "soe", "then"),
    [
        ("v3", 201, REFUSED),
        ("v3", 404, "pass"),
        ("v3", 503, REFUSED),
        ("v3", "timeout", REFUSED),
        ("v3", "down", "pass"),
        ("v2.3", {"status": 400, "body": {"error_id": 502}}, "pass"),
        ("v2.3", {"status": 400, "body": {"error_id": 500}}, REFUSED),
        ("v2.3", {"status": 200, "body": {"items": [{"question_id": 7}]}}, REFUSED),
    ],
)
def test_what_soe_answers_decides_what_stands(
    api: str, soe: object, then: object, tmp_path: Path
) -> None:
    """By the same code that reads its answers in the running gateway."""
    steps: list[dict[str, Any]] = [
        {"question.create": "new", "api": api, "soe": soe, "expect": "pass"},
        {"question.create": "new", "as": "other", "after": "1m", "expect": then},
    ]

    assert differences(suite(tmp_path, COPIES, steps, title="How?", body=LONG)) == []


def test_an_answer_may_be_read_from_a_file(tmp_path: Path) -> None:
    """As it was saved, beside the policy; the post that it tells of can be meant by later steps."""
    item = {"question_id": 7, "link": "https://soe.example.com/q/7"}
    (tmp_path / "saved.json").write_text(json.dumps({"items": [item]}))
    steps: list[dict[str, Any]] = [
        {"question.create": "new", "api": "v2.3", "soe": {"file": "saved.json"}},
        {
            "question.edit": 8,
            "expect": {"message": ["https://soe.example.com/q/7", "Link to it."]},
        },
        {"question.edit": 7, "expect": "pass"},
        {"question.edit": "new-1", "expect": "pass"},
    ]

    assert differences(suite(tmp_path, COPIES, steps, title="How?", body=LONG)) == []


def test_a_request_that_failed_may_be_sent_again(tmp_path: Path) -> None:
    """The same bytes by the same caller are no copy of themselves."""
    steps: list[dict[str, Any]] = [
        {"question.create": "new", "soe": "timeout", "expect": "pass"},
        {"question.create": "new", "expect": "pass"},
        {"question.create": "new", "expect": REFUSED},
    ]

    assert differences(suite(tmp_path, COPIES, steps, title="How?", body=LONG)) == []


def test_state_that_is_gone_refuses_unless_a_rule_says_otherwise(tmp_path: Path) -> None:
    """With 503, and in v2.3 as a throttle."""
    gone = {"refused_by": ["copies"], "code": "state_unavailable", "retry_after": "5s"}
    steps: list[dict[str, Any]] = [
        {"answer.create": 1, "state": "down", "expect": {**gone, "status": 503}},
        {"answer.create": 1, "state": "down", "api": "v2.3", "expect": {**gone, "error_id": 502}},
    ]
    lenient = COPIES.replace("duplicate:", "on_error: allow, duplicate:")

    assert differences(suite(tmp_path, COPIES, steps, body=LONG)) == []
    assert differences(suite(tmp_path, lenient, steps, body=LONG))[0] == (
        1, "refused_by", "copies", "nothing",
    )  # fmt: skip


def test_a_repeat_under_its_key_is_answered_again(tmp_path: Path) -> None:
    """And another request under the same key refused, by a rule of the gateway's own."""
    mismatch = {"refused_by": ["idempotency-key"], "code": "idempotency_mismatch", "status": 422}
    steps: list[dict[str, Any]] = [
        {"answer.create": 1, "key": "k", "expect": "pass"},
        {"answer.create": 1, "key": "k", "expect": "replayed"},
        {"answer.create": 2, "key": "k", "expect": mismatch},
        {"answer.create": 3, "key": "l", "soe": 503, "expect": "pass"},
        {"answer.create": 3, "key": "l", "expect": "pass"},
        {"answer.create": 4, "key": "m", "state": "down",
         "expect": {"refused_by": ["idempotency-key"]}},
    ]  # fmt: skip

    assert differences(suite(tmp_path, ACT, steps, action='act="a"', body=LONG)) == []


def test_a_confirmation_passes_what_held_the_same_request_once(tmp_path: Path) -> None:
    """Not another request, not a second time, and never a rule that enforces."""
    held = {"held_by": ["cap"], "code": "confirmation_required", "status": 403}
    steps: list[dict[str, Any]] = [
        {"answer.create": 1, "body": "One", "expect": "pass"},
        {"answer.create": 2, "body": LONG, "expect": held},
        {"answer.create": 2, "body": LONG, "confirm": True, "expect": "pass"},
        {"answer.create": 2, "body": LONG, "expect": {"refused_by": ["copies"]}},
        {"answer.create": 3, "body": "Three", "expect": held},
        {"answer.create": 3, "body": "Other", "confirm": True, "expect": "pass"},
    ]
    story = holding(suite(tmp_path, f"{COPIES}\n{CAP}", steps), "cap")

    assert differences(story) == [
        (6, "confirm", "a hold to confirm",
         "no rule held this very request before, so nobody could confirm it"),
    ]  # fmt: skip


def test_what_is_held_may_not_be_refused_as_well(tmp_path: Path) -> None:
    """`held_by` alone says that a person could pass it."""
    steps: list[dict[str, Any]] = [
        {"answer.create": 1},
        {"answer.create": 2, "expect": {"held_by": ["cap"]}},
    ]
    story = holding(suite(tmp_path, f"{COPIES}\n{CAP}", steps, body=LONG), "cap")

    assert differences(story) == [(2, "expect", "held", "refused by copies")]


def test_what_is_only_warned_of_has_passed(tmp_path: Path) -> None:
    """A test that names a warning does not overlook a refusal."""
    warning = CAP.replace("cap:", "warned:", 1).replace("enforce", "warn")
    steps: list[dict[str, Any]] = [
        {"answer.create": 1},
        {"answer.create": 2, "expect": {"warned_by": ["warned"]}},
    ]

    assert differences(suite(tmp_path, warning, steps, body=LONG)) == []
    assert differences(suite(tmp_path, f"{warning}\n{COPIES}", steps, body=LONG)) == [
        (2, "expect", "pass", "refused by copies")
    ]


def test_a_story_may_begin_when_it_likes(tmp_path: Path) -> None:
    """So that hours, days of the week and the ends of exceptions can be tried."""
    night = (
        "night: {title: Night, mode: enforce, for: ['*'], if: {hour: {at_least: 23, below: 24}}}"
    )
    steps: list[dict[str, Any]] = [
        {"vote.up": 1, "expect": "pass"},
        {"vote.up": 1, "after": "30m", "expect": {"refused_by": ["night"]}},
        {"vote.up": 1, "after": "1h", "expect": "pass"},
    ]

    assert differences(suite(tmp_path, night, steps, at="2026-12-31T22:45Z")) == []
    assert differences(suite(tmp_path, night, steps, at="2026-12-31T23:45+01:00")) == []


def test_an_exception_ends_with_its_day(tmp_path: Path) -> None:
    """Midnight, UTC."""
    (tmp_path / "integrations.yaml").write_text(
        "integrations: {bot: {owner: o, contact: c, purpose: p, expires: 2027-01-01}}"
    )
    exceptions = "[{rules: [act], integrations: [bot], reason: r, owner: o, ticket: T-1, expires: 2026-12-31}]"
    steps: list[dict[str, Any]] = [
        {"answer.create": 1, "expect": "pass"},
        {"answer.create": 1, "after": "2h", "expect": {"refused_by": ["act"], "status": 403}},
        {"answer.create": 1, "after": "1d", "expect": {"code": "integration_expired"}},
    ]
    story = suite(
        tmp_path, ACT, steps, exceptions, at="2026-12-31T23:00Z", body=LONG, **{"as": "bot"}
    )

    assert differences(story) == []


def test_an_act_without_a_time_is_of_its_step(tmp_path: Path) -> None:
    """A story that begins when it likes need not compute seconds."""
    steps: list[dict[str, Any]] = [
        {"vote.up": 1, "after": "7d", "expect": "pass"},
        {"vote.up": 1, "action": 'act="b", at=@1767600000', "expect": {"refused_by": ["act"]}},
        {"vote.up": 1, "action": "true", "expect": {"refused_by": ["act"]}},
    ]

    assert differences(suite(tmp_path, ACT, steps, action='act="b"')) == []


def test_a_step_may_be_played_many_times(tmp_path: Path) -> None:
    """Each so much later than the one before."""
    cap = CAP.replace("limit: 1", "limit: 3")
    steps: list[dict[str, Any]] = [
        {"vote.up": 1, "times": 3, "after": "19m", "expect": "pass"},
        {"vote.up": 1, "times": 2, "after": "1s", "expect": {**CAPPED, "retry_after": "22m"}},
    ]

    assert differences(suite(tmp_path, cap, steps)) == [(2, "retry_after", "1320", "1319")]


def test_what_a_step_wrote_can_be_meant_by_later_ones(tmp_path: Path) -> None:
    """The answer stands under the question, and its edit meets no text of its own."""
    per_thread = CAP.replace("window: 1h", "window: 1h, per: [thread]")
    steps: list[dict[str, Any]] = [
        {"question.create": "new", "title": "How?", "expect": "pass"},
        {"answer.create": "new-1", "expect": "pass"},
        {"answer.edit": "new-2", "expect": CAPPED},
        {"answer.edit": 7, "expect": "pass"},
    ]

    assert differences(suite(tmp_path, per_thread, steps, body=LONG)) == []


def test_what_the_gateway_refuses_before_any_rule_is_met(tmp_path: Path) -> None:
    """A title that SOE would not take, an operation that nobody registered."""
    (tmp_path / "integrations.yaml").write_text(
        "integrations: {bot: {owner: o, contact: c, purpose: p, operations: ['question.*']}}"
    )
    steps: list[dict[str, Any]] = [
        {"question.create": "new", "title": "x" * 151, "expect": {"code": "text_too_long"}},
        {"answer.create": 1, "expect": {"code": "operation_not_registered", "status": 403}},
        {"answer.create": 1, "expect": "pass"},
    ]

    assert differences(suite(tmp_path, ACT, steps, body=LONG, **{"as": "bot"})) == [
        (3, "expect", "pass", "refused before any rule: operation_not_registered")
    ]


def test_a_preview_charges_nothing(tmp_path: Path) -> None:
    """As in the running gateway."""
    steps: list[dict[str, Any]] = [
        {"answer.create": 1, "preview": True, "times": 3, "expect": "pass"},
        {"answer.create": 1, "times": 2, "expect": {"refused_by": []}},
    ]

    assert differences(suite(tmp_path, CAP, steps, body=LONG)) == [
        (2, "refused_by", "nothing", "cap")
    ]
