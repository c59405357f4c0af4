"""What a record tells, and what it never tells."""

from __future__ import annotations

import orjson

from gateway.audit import record
from gateway.model import Outcome, Post, Settlement
from tests.audit.disks import ALLOW, NOW, REFUSE
from tests.samples import PRINT, a_write


def test_a_decision_tells_who_what_where_and_each_finding() -> None:
    """Enough to answer later why a write passed or did not."""
    write = a_write(person="jane", team="acme", thread="question/7", target="answer/9")
    told = record.decision(write, REFUSE)

    assert told == {
        "schema": 1,
        "kind": "decision",
        "at": NOW,
        "write_id": "w1",
        "effect": "refuse",
        "revision": "rev-1",
        "repeats": None,
        "integration": "help-bot",
        "person": "jane",
        "token": "token-1",
        "api": "v3",
        "operation": "question.create",
        "team": "acme",
        "thread": "question/7",
        "target": "answer/9",
        "preview": False,
        "findings": [
            {
                "rule": "cap",
                "check": "rate_cap",
                "mode": "enforce",
                "result": "fail",
                "code": "rate_cap",
                "open": False,
            }
        ],
        "sizes": {"title": 24, "body": 12, "tags": 1},
        "digest": "r1",
        "fingerprint": {"text": PRINT.text, "event": PRINT.event, "words": 20},
    }


def test_no_text_and_no_header_is_in_a_record() -> None:
    """What was written, and what the caller said of itself, stays out."""
    planted = {
        "post": Post(title="PLANTED", body="PLANTED", tags=("PLANTED",)),
        "actions": ("PLANTED",),
        "user_agent": "PLANTED",
    }
    write = a_write(**planted)
    settlement = Settlement(outcome=Outcome.OK, post="question/1", url="https://soe/q/1")
    told = [
        record.decision(write, ALLOW),
        record.sending(write.id, NOW),
        record.outcome(write, settlement, 201, NOW),
        record.recovered(write.id, Outcome.UNKNOWN, NOW),
    ]

    assert b"PLANTED" not in orjson.dumps(told)


def test_an_outcome_tells_the_post_and_how_long_it_took() -> None:
    """The answer to "which integration made this post?"."""
    settlement = Settlement(outcome=Outcome.OK, post="question/1", url="https://soe/q/1")
    told = record.outcome(a_write(at=NOW), settlement, 201, NOW + 1.5)

    assert told == {
        "schema": 1,
        "kind": "outcome",
        "at": NOW + 1.5,
        "write_id": "w1",
        "outcome": "ok",
        "integration": "help-bot",
        "operation": "question.create",
        "upstream_status": 201,
        "post": {"id": "question/1", "url": "https://soe/q/1"},
        "latency": 1.5,
    }


def test_a_clock_that_steps_back_makes_no_negative_latency() -> None:
    """A figure below zero would spoil every sum of them."""
    told = record.outcome(a_write(at=NOW), Settlement(outcome=Outcome.OK), 201, NOW - 3)

    assert told["latency"] == 0.0
