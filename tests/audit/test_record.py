"""What a record tells, and what it never tells."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from gateway.audit import record
from gateway.audit.people import Named
from gateway.audit.record import NOTHING, Keeping
from gateway.model import Approver, Confirmed, Consulted, Outcome, Person, Post, Settlement
from tests.audit.disks import ALLOW, NOW, REFUSE
from tests.samples import PRINT, a_write

JANE = Person(id="17", name="Jane", email="jane@example.com")


def test_a_decision_tells_who_what_where_and_each_finding() -> None:
    """Enough to answer later why a write passed or did not."""
    write = a_write(person="p", acting=JANE, team="acme", thread="question/7", target="answer/9")
    told = record.decision(write, REFUSE, NOW + 0.5, Keeping(people=Named()))

    assert told == {
        "schema": 2,
        "kind": "decision",
        "at": NOW,
        "logged": NOW + 0.5,
        "write_id": "w1",
        "effect": "refuse",
        "revision": "rev-1",
        "repeats": None,
        "state": None,
        "integration": "help-bot",
        "tier": "probation",
        "person": "17",
        "person_name": "Jane (jane@example.com)",
        "token": "token-1",
        "credential": None,
        "api": "v3",
        "operation": "question.create",
        "team": "acme",
        "thread": "question/7",
        "target": "answer/9",
        "publishes": True,
        "preview": False,
        "user_agent": "help-bot/1.0",
        "explicit_action": ["true"],
        "findings": [
            {
                "rule": "cap",
                "check": "rate_cap",
                "mode": "enforce",
                "result": "fail",
                "code": "rate_cap",
                "open": False,
                "status": 429,
                "evidence": {},
            }
        ],
        "sizes": {"title": 24, "body": 12, "tags": 1, "user_agent": 12},
        "tags": ["keys"],
        "confirmed": None,
        "digest": "r1",
        "key": None,
        "fingerprint": {
            "text": PRINT.text,
            "event": PRINT.event,
            "words": 20,
            "prints": "",
            "sketch": "",
            "counts": None,
        },
    }


def test_no_text_and_no_person_is_in_a_record() -> None:
    """What was written stays out, and so does the name in an assertion."""
    planted = {
        "post": Post(title="PLANTED", body="PLANTED"),
        "actions": ('act="click", by="PLANTED", why="PLANTED"', "PLANTED or not"),
    }
    write = a_write(**planted)
    settlement = Settlement(outcome=Outcome.OK, post="question/1", answer=b"PLANTED")
    told = [
        record.decision(write, ALLOW, NOW, NOTHING),
        record.sending(write.id, NOW),
        record.outcome(write, settlement, 201, NOW),
        record.recovered(write.id, Outcome.UNKNOWN, NOW),
    ]

    assert b"PLANTED" not in orjson.dumps(told)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("none", None),
        ("excerpt", {"title": "T" * 150, "body": "B" * 200}),
        ("full", {"title": "T" * 150, "body": "B" * 300}),
    ],
)
def test_as_much_text_is_kept_as_was_asked_for(content: str, text: dict[str, str] | None) -> None:
    """Nothing by default."""
    write = a_write(post=Post(title="T" * 150, body="B" * 300))

    assert record.decision(write, ALLOW, NOW, Keeping(content=content)).get("text") == text


def test_what_a_caller_says_of_itself_is_bounded() -> None:
    """Nobody fills the disk with a header or with tags; the sizes tell that something is missing."""
    write = a_write(user_agent="x" * 9000, post=Post(tags=("t" * 9000, *["t"] * 99)))
    told = record.decision(write, ALLOW, NOW, NOTHING)

    assert len(told["user_agent"]) == 256
    assert told["tags"] == ["t"] * 19
    assert told["sizes"]["user_agent"] == 9000
    assert told["sizes"]["tags"] == 100


def test_who_confirmed_is_told() -> None:
    """With the decision that held it, and as whom he was known; whoever had the link has no name."""
    known = Approver.PERSON
    jane = Confirmed(hold="w0", rules=frozenset("ba"), by="jane@example.com", known=known)
    linked = Confirmed(hold="w0", rules=frozenset("a"), known=Approver.LINK)
    keeping = Keeping(people=Named())
    told, other = (
        record.decision(a_write(confirmed=each), ALLOW, NOW, keeping)["confirmed"]
        for each in (jane, linked)
    )

    by = "jane@example.com"
    assert told == {"hold": "w0", "by": by, "known": "person", "rules": ["a", "b"]}
    assert other == {"hold": "w0", "by": "", "known": "link", "rules": ["a"]}


def test_how_state_answered_is_told() -> None:
    """The order of reservations is that of these numbers, whatever the order of the lines."""
    asked = Consulted(at=NOW, number=7, answered=NOW + 1, in_flight=("w0",))
    told = record.decision(a_write(), replace(ALLOW, consulted=asked), NOW, NOTHING)
    failed = replace(ALLOW, consulted=Consulted(failed=True))

    assert told["state"] == {
        "at": NOW,
        "number": 7,
        "answered": NOW + 1,
        "in_flight": ("w0",),
    }
    assert record.decision(a_write(), failed, NOW, NOTHING)["state"] == {"failed": True}


def test_half_a_character_stops_no_record() -> None:
    """What is no text is replaced, so that the record can be written."""
    write = a_write(post=Post(title="\ud800", tags=("\ud800",)))
    told = record.decision(write, ALLOW, NOW, Keeping(content="full"))

    assert orjson.loads(orjson.dumps(told))["text"]["title"] == "?"


def test_an_outcome_tells_the_post_and_how_long_it_took() -> None:
    """The answer to "which integration made this post?"."""
    settlement = Settlement(outcome=Outcome.OK, post="question/1", url="https://soe/q/1")
    told = record.outcome(a_write(at=NOW), settlement, 201, NOW + 1.5)

    assert told == {
        "schema": 2,
        "kind": "outcome",
        "at": NOW + 1.5,
        "write_id": "w1",
        "outcome": "ok",
        "integration": "help-bot",
        "operation": "question.create",
        "upstream_status": 201,
        "post": {"id": "question/1", "url": "https://soe/q/1"},
        "answer_kept": False,
        "latency": 1.5,
    }


def test_a_clock_that_steps_back_makes_no_negative_latency() -> None:
    """A figure below zero would spoil every sum of them."""
    told = record.outcome(a_write(at=NOW), Settlement(outcome=Outcome.OK), 201, NOW - 3)

    assert told["latency"] == 0.0
