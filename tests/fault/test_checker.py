"""The checker finds whatever breaks a law, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fault.checker import Books, broken, most_at_once, recovery
from tests.fault.clients import Try
from tests.fault.posts import Question
from tests.fault.soe import Arrival

QUESTION = Question(serial="a")
Record = dict[str, Any]


def decision(effect: str = "allow", write_id: str = "d") -> Record:
    """A line of the audit log, as the next ones."""
    return {
        "kind": "decision",
        "write_id": write_id,
        "at": 1.0,
        "effect": effect,
        "fingerprint": {"text": QUESTION.fingerprint},
    }


def sending(at: float = 2.0) -> Record:
    return {"kind": "sending", "write_id": "d", "at": at}


def outcome(what: str) -> Record:
    return {"kind": "outcome", "write_id": "d", "at": 4.0, "outcome": what}


def arrival(status: int = 201, number: int = 1, at: float = 3.0) -> Arrival:
    post = 7 if status < 300 else None
    return Arrival(number=number, serial="a", at=at, until=at + 1, status=status, post=post)


def told(status: int, *, decision: str = "d", post: int | None = None) -> Try:
    return Try(
        number=1,
        question=QUESTION,
        began=0.0,
        ended=5.0,
        status=status,
        decision=decision,
        post=post,
    )


def told_again(post: int) -> Try:
    return replace(told(201, decision="e", post=post), number=2, replayed=True)


OK = [decision(), sending(), outcome("ok")]
UNKNOWN = [decision(), sending(), outcome("unknown")]
NO_ANSWER = told(0, decision="")

WELL: dict[str, Books] = {
    "published": Books(OK, [arrival()], [told(201, post=7)]),
    "refused by SOE": Books(
        [decision(), sending(), outcome("refused")], [arrival(404)], [told(404)]
    ),
    "refused by a rule": Books([decision("refuse")], [], [told(400)]),
    "not recorded": Books([outcome("not_sent")], [], [told(503)]),
    "not sent": Books([decision(), outcome("not_sent")], [], [told(503)]),
    "published and unknown": Books(UNKNOWN, [arrival()], [told(504)]),
    "lost on the way": Books(UNKNOWN, [], [told(504)]),
    "answered again": Books(
        [*OK, decision("replay", "e")], [arrival()], [told(201, post=7), told_again(7)]
    ),
    "published without an answer": Books(OK, [arrival()], [NO_ANSWER]),
}

BROKEN: dict[str, tuple[str, Books]] = {
    "no decision": ("G1", Books([], [arrival()], [NO_ANSWER])),
    "sent before it was decided": (
        "G1",
        Books([sending(), decision(), outcome("ok")], [arrival()], [told(201, post=7)]),
    ),
    "no sending": (
        "G1",
        Books([decision(), outcome("ok")], [arrival()], [told(201, post=7)]),
    ),
    "sending came late": (
        "G1",
        Books([decision(), sending(at=3.5), outcome("ok")], [arrival()], [NO_ANSWER]),
    ),
    "two arrivals of one sending": (
        "G1",
        Books(OK, [arrival(), arrival(number=2)], [told(201, post=7), NO_ANSWER]),
    ),
    "refused and sent": (
        "G2",
        Books([decision("refuse"), sending()], [arrival()], [told(400)]),
    ),
    "no outcome": ("G3", Books([decision(), sending()], [arrival()], [told(201, post=7)])),
    "two outcomes": (
        "G3",
        Books([*OK, outcome("ok")], [arrival()], [told(201, post=7)]),
    ),
    "an outcome of what was refused": (
        "G3",
        Books([decision("refuse"), outcome("not_sent")], [], [told(400)]),
    ),
    "told of a post that is not there": ("G4", Books(OK, [], [told(201, post=7)])),
    "told of another's post": ("G4", Books(OK, [arrival()], [told(201, post=8)])),
    "told again of a post that is not there": (
        "G4",
        Books([*OK, decision("replay", "e")], [arrival()], [told(201, post=7), told_again(8)]),
    ),
    "answered again and sent": (
        "G4",
        Books(OK, [arrival(), arrival(number=2)], [told(201, post=7), told_again(8)]),
    ),
    "told of a refusal, and published": ("G4", Books(OK, [arrival()], [told(503)])),
    "not sent, and published": (
        "outcome not_sent",
        Books([decision(), sending(), outcome("not_sent")], [arrival()], [told(504)]),
    ),
    "not sent, and published, unanswered": (
        "recorded as not sent",
        Books([decision(), sending(), outcome("not_sent")], [arrival()], [NO_ANSWER]),
    ),
    "sent twice": (
        "reached SOE 2 times",
        Books(OK, [arrival(), arrival()], [told(201, post=7)]),
    ),
}


@pytest.mark.parametrize("books", WELL.values(), ids=WELL)
def test_where_all_is_well_nothing_is_found(books: Books) -> None:
    """Each way that a write may end without a fault of the gateway passes."""
    assert broken(books) == []


@pytest.mark.parametrize(("law", "books"), BROKEN.values(), ids=BROKEN)
def test_each_broken_law_is_found(law: str, books: Books) -> None:
    """The sentence names the law."""
    assert any(law in sentence for sentence in broken(books))


def test_what_soe_has_in_its_hands_at_once_is_counted() -> None:
    """Two overlap, the third comes when they are answered."""
    arrivals = [arrival(at=1.0), arrival(at=1.5), arrival(at=2.5)]

    assert most_at_once(arrivals, "a") == 2
    assert most_at_once(arrivals, "b") == 0


def test_recovery_is_measured_to_the_first_accepted_write_that_began_after_the_fault() -> None:
    """What began before does not tell that the fault is over."""
    assert recovery([told(201)], -1.0) == 6.0
    assert recovery([told(201)], 1.0) == float("inf")
    assert recovery([told(503)], -1.0) == float("inf")
