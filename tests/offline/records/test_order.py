"""The order in which state was asked, out of the order of lines."""

from __future__ import annotations

import math
from dataclasses import replace

from gateway.audit import record
from gateway.audit.record import NOTHING, Record
from gateway.model import Consulted, Decision, Outcome, Settlement
from gateway.offline.records.decision import recorded
from gateway.offline.records.order import Decided, Done, Ended, in_order
from gateway.offline.records.read import Line
from tests.audit.disks import ALLOW, NOW, REFUSE
from tests.samples import a_write


def decided(
    name: str,
    number: int | None,
    *in_flight: str,
    at: float = NOW,
    how: Decision = ALLOW,
    answered: float = math.inf,
) -> Line:
    """The line of a decision that state numbered."""
    asked = None
    if number is not None:
        asked = Consulted(at=NOW, number=number, in_flight=in_flight, answered=answered)
    told = record.decision(a_write(id=name), replace(how, consulted=asked), at, NOTHING)
    return Line(at, told, "w", decision=recorded(told))


def ended(name: str, at: float = NOW) -> Line:
    """The line of an outcome."""
    told: Record = {"kind": "outcome", "write_id": name}
    return Line(at, told, "w", ended=Settlement(outcome=Outcome.OK))


def order(*lines: Line) -> list[str]:
    """What is given: ids of decisions, and of ends with a full stop."""
    told = []
    for event in in_order(lines):
        if isinstance(event, Decided):
            told.append(event.decision.write.id)
        elif isinstance(event, Ended):
            told.append(f"{event.write_id}.")
        else:
            told.append("done")
    return told


def test_decisions_come_by_their_number() -> None:
    """The line of a refusal is written when it was released, after a later one's."""
    lines = decided("a", 1), decided("c", 3), decided("b", 2, how=REFUSE), decided("d", None)

    assert order(*lines) == ["a", "b", "b.", "c", "d"]


def test_an_end_waits_for_whoever_found_the_write_in_flight() -> None:
    """Its line may be there before state heard of it."""
    lines = decided("a", 1), ended("a"), decided("b", 2, "a", how=REFUSE), decided("c", 3)

    assert order(*lines) == ["a", "b", "a.", "b.", "c"]


def test_an_end_comes_after_whoever_had_an_answer_before_it_was_recorded() -> None:
    """A held write is recorded when all that it waits for is stored; state was asked long before."""
    lines = (
        decided("a", 1, answered=NOW),
        ended("a", NOW + 2),
        decided("d", 4, at=NOW + 3, answered=NOW + 3),
        decided("c", 3, at=NOW + 3, how=REFUSE, answered=NOW + 1),
        decided("b", 2, at=NOW + 4, answered=NOW + 1),
    )

    assert order(*lines) == ["a", "b", "c", "c.", "a.", "d"]


def test_a_refused_write_ends_when_nobody_finds_it_in_flight_any_more() -> None:
    """A copy that was refused itself stood in the way of another for a moment."""
    lines = decided("a", 1, how=REFUSE), decided("b", 2, "a", how=REFUSE), decided("c", 3)

    assert order(*lines) == ["a", "b", "a.", "b.", "c"]


def test_who_is_far_away_is_not_waited_for() -> None:
    """Numbers begin anew where state was lost; only some seconds are looked at ahead."""
    lines = decided("a", 7), decided("b", 8, at=NOW + 1), decided("c", 1, at=NOW + 60)

    assert order(*lines) == ["a", "b", "c"]


def test_what_operators_did_stands_in_its_place() -> None:
    """Between the writes around it."""
    told = record.admin("state.forget_done", NOW, what="question/1")
    lines = decided("a", 1), Line(NOW, told, "w"), decided("b", 2)

    assert order(*lines) == ["a", "done", "b"]
    assert isinstance(next(iter(in_order([Line(NOW, told, "w")]))), Done)
