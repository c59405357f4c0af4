"""Who may decide about a hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model import Api, Approver, Outcome, Person
from gateway.proxy.hold import ANYBODY, Asking, Hold, Objection, Status, Visitor, packed, unpacked
from tests.holding import JANE, OTHER, OWNER, PERSON


def asked_by(*approvers: Approver) -> tuple[Asking, ...]:
    return tuple(
        Asking(rule=f"r{n}", title="T", owner="o", message="M", fix="", approver=approver)
        for n, approver in enumerate(approvers)
    )


HOLD = Hold(
    id="0" * 32,
    write_id="w1",
    request="r1",
    integration="help-bot",
    owner="it-service",
    contact="IT <it@example.com>",
    api=Api.V3,
    operation="question.create",
    person=PERSON,
    rules=asked_by(Approver.PERSON),
    at=100.0,
    until=1000.0,
)


@pytest.mark.parametrize(
    ("approver", "visitor", "objection"),
    [
        (Approver.PERSON, JANE, None),
        (Approver.PERSON, Visitor(account="17"), None),
        (Approver.PERSON, Visitor(account="17", email="another@example.com"), None),
        (Approver.PERSON, OWNER, Objection.NOT_THE_PERSON),
        (Approver.PERSON, OTHER, Objection.NOT_THE_PERSON),
        (Approver.PERSON, Visitor(account="18"), Objection.NOT_THE_PERSON),
        (Approver.PERSON, ANYBODY, Objection.SIGN_IN),
        (Approver.OWNER, OWNER, None),
        (Approver.OWNER, JANE, Objection.NOT_THE_OWNER),
        (Approver.OWNER, ANYBODY, Objection.SIGN_IN),
        (Approver.LINK, ANYBODY, None),
        (Approver.LINK, OTHER, None),
    ],
)
def test_who_may_decide_is_whom_the_rule_asks(
    approver: Approver, visitor: Visitor, objection: Objection | None
) -> None:
    """The acting person by address or account, the owner by the registered address."""
    assert replace(HOLD, rules=asked_by(approver)).objection(visitor) is objection


@pytest.mark.parametrize(
    ("approvers", "strictest"),
    [
        ((Approver.LINK, Approver.OWNER), Approver.OWNER),
        ((Approver.OWNER, Approver.PERSON, Approver.LINK), Approver.PERSON),
        ((Approver.LINK,), Approver.LINK),
    ],
)
def test_the_strictest_rule_says_who(approvers: tuple[Approver, ...], strictest: Approver) -> None:
    """Whatever the others would be content with."""
    assert replace(HOLD, rules=asked_by(*approvers)).approver is strictest


@pytest.mark.parametrize("person", [None, Person(id="", name="")])
def test_nobody_is_taken_for_a_person_of_whom_nothing_is_known(person: Person | None) -> None:
    """Nothing told is like nothing told, and yet not the same person."""
    hold = replace(HOLD, person=person)

    assert [hold.objection(each) for each in (JANE, ANYBODY)].count(None) == 0
    assert hold.known_as(ANYBODY) == (Approver.LINK,)


def test_who_may_not_decide_where_nobody_can_is_told_so() -> None:
    """To sign in would not help."""
    assert replace(HOLD, person=None).objection(ANYBODY) is Objection.PERSON_UNKNOWN


@pytest.mark.parametrize(
    ("status", "outcome", "again", "passes"),
    [
        (Status.OPEN, None, False, False),
        (Status.DECLINED, None, False, False),
        (Status.EXPIRED, None, False, False),
        (Status.CONFIRMED, None, False, True),
        (Status.USED, None, False, False),
        (Status.USED, Outcome.OK, False, False),
        (Status.USED, Outcome.UNKNOWN, False, True),
        (Status.USED, Outcome.FAILED, False, True),
        (Status.USED, Outcome.UNKNOWN, True, False),
    ],
)
def test_what_passes_by_a_hold(
    status: Status, outcome: Outcome | None, again: bool, passes: bool
) -> None:
    """Once; and once more where nobody knows what became of the first."""
    assert replace(HOLD, status=status, outcome=outcome, again=again).passes is passes


def test_a_hold_comes_out_of_its_bytes_as_it_was() -> None:
    """With all that was decided and used."""
    hold = replace(
        HOLD,
        status=Status.USED,
        by=JANE,
        known=Approver.PERSON,
        decided=200.0,
        used_by="w2",
        used=300.0,
        outcome=Outcome.UNKNOWN,
        again=True,
        thread_title="\ud800",
    )

    assert unpacked(packed(hold)) == hold
    assert unpacked(packed(HOLD)) == HOLD


@pytest.mark.parametrize(
    ("email", "external", "visitor", "is_he"),
    [
        ("", "a-1", Visitor(subject="a-1"), True),
        ("", "a-1", Visitor(subject="a-1", email="jane@example.com"), True),
        ("jane@example.com", "a-1", Visitor(subject="a-1"), True),
        ("jane@example.com", "a-1", Visitor(subject="a-1", email="max@example.com"), False),
        ("jane@example.com", "a-1", Visitor(subject="a-2", email="JANE@example.com"), True),
        ("", "", Visitor(subject=""), False),
        ("", "", Visitor(subject="", email="jane@example.com"), False),
        ("", "17", Visitor(subject="18"), False),
        ("", "a-1", Visitor(subject="17"), False),
    ],
)
def test_addresses_say_who_it_is_and_else_what_names_him_where_he_signed_in(
    email: str, external: str, visitor: Visitor, is_he: bool
) -> None:
    """Two addresses that differ are two people; a number of the provider's is no account."""
    person = Person(id="17", name="Jane", email=email, external=external)

    objection = replace(HOLD, person=person).objection(visitor)

    assert (objection is None) is is_he
