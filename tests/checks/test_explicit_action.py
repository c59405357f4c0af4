"""What tells of a user's act, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.explicit_action import SKEW, Evidence, ExplicitAction
from gateway.model import ANONYMOUS, Approver, Charge, Charged, Confirmed, Window
from tests.samples import a_write

NOW = 1_795_000_000
ASSERTED = ExplicitAction(evidence=Evidence.ASSERTED, max_age=300, members=("by", "ref"))


def act(ref: str = '"slack:C1/2"', by: str = '"jane"', at: int = NOW) -> str:
    return f'act="reply", by={by}, at=@{at}, ref={ref}'


@pytest.mark.parametrize("evidence", list(Evidence))
@pytest.mark.parametrize("known", list(Approver))
def test_the_acting_person_who_confirmed_is_the_strongest_evidence(
    evidence: Evidence, known: Approver
) -> None:
    """It needs no header; nobody else's confirmation stands for it."""
    confirmed = Confirmed(hold="w0", rules=frozenset(), known=known)
    found = ExplicitAction(evidence=evidence).judge(a_write(actions=(), confirmed=confirmed), None)

    assert (found is None) == (known is Approver.PERSON)


def test_what_lacks_a_confirmation_can_have_one() -> None:
    """Where a person must confirm, no header does, and the refusal is not the last word."""
    write = a_write(at=NOW, actions=(act(),))
    found = {each: ExplicitAction(evidence=each).judge(write, None) for each in Evidence}

    missing = found[Evidence.CONFIRMED]
    assert missing is not None
    assert missing.confirmable
    assert found[Evidence.LITERAL] is found[Evidence.ASSERTED] is None


@pytest.mark.parametrize(
    "value",
    [
        'act="reply", by="jane", at=@1795000000, ref="a", ref="b"',
        'act="reply", by="joe", by="jane", at=@1795000000, ref="a"',
        'act="reply", by="jane", at=@1795000000',
        act(by="?1"),
        act(by='""'),
        'act="reply", by, at=@1795000000, ref="a"',
        act(ref='""'),
        act(ref="5"),
        act(ref=f'"{"x" * 129}"'),
        act() + f', more="{"x" * 2048}"',
        act() + ",",
        f"{act()}, {act()}",
        act() + "; q",
        act().replace('"jane"', '"j\xe4ne"'),
        "true",
    ],
    ids=range(15),
)
def test_what_can_be_read_in_two_ways_or_says_nothing_is_no_assertion(value: str) -> None:
    """Members named twice, or there without a word, and refs that name nothing."""
    write = a_write(actions=(value,))
    passes = value == act() + "; q"  # parameters are nobody's business

    assert (ASSERTED.judge(write, None) is None) is passes
    assert (ASSERTED.need(write, "r") is None) is not passes


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_value_is_too_odd_to_be_judged(value: str) -> None:
    """Whatever a header holds, it is judged, and what is no assertion asks state for nothing."""
    write = a_write(actions=(value,))

    assert ASSERTED.judge(write, None) is not None
    assert ASSERTED.need(write, "r") is None


def test_a_field_that_stands_twice_is_no_act() -> None:
    """Nor the same act in two fields, which a proxy between may join by a comma."""
    assert ASSERTED.judge(a_write(actions=(act(), act())), None) is not None
    assert ASSERTED.need(a_write(actions=(act(), act())), "r") is None


def test_one_ref_is_asked_for_once_in_the_time_of_an_act() -> None:
    """By the integration, whatever else the assertion says; nothing can be sent after the window."""
    need = ASSERTED.need(a_write(actions=(act(),)), "r")
    again = ASSERTED.need(a_write(token="other", actions=(act(ref="slack:C1/2", by='"joe"'),)), "r")

    assert isinstance(need, Charge)
    assert need.windows == (Window(limit=1, seconds=300 + 2 * SKEW),)
    assert again == need


@pytest.mark.parametrize(
    "other",
    [
        ASSERTED.need(a_write(actions=(act(ref='"slack:C1/3"'),)), "r"),
        ASSERTED.need(a_write(actions=(act(),)), "another-rule"),
        ASSERTED.need(a_write(actions=(act(),), integration="other-bot"), "r"),
        ASSERTED.need(a_write(actions=(act(),), integration=ANONYMOUS), "r"),
    ],
)
def test_another_ref_rule_or_caller_counts_apart(other: Charge) -> None:
    """Nobody uses up the refs of another, and what nobody registered has none in common."""
    stranger = a_write(actions=(act(),), integration=ANONYMOUS, token="token-2")

    assert other != ASSERTED.need(a_write(actions=(act(),)), "r")
    assert other != ASSERTED.need(stranger, "r")


def test_a_used_ref_refuses_for_good() -> None:
    """To wait does not help: another post needs another act."""
    once = Window(limit=1, seconds=360)
    used = Charged(accepted=False, window=once, used=1, retry_after=9, reset=9)

    violation = ASSERTED.judge(a_write(actions=(act(),)), used)

    assert violation is not None
    assert (violation.code, violation.status, violation.retry_after) == ("ref_used", 403, None)
    assert "own click" in violation.fix


def test_a_literal_asks_state_nothing() -> None:
    """An assertion satisfies it without being used up: it says that somebody acted, no more."""
    write = a_write(actions=(act(),))
    literal = ExplicitAction()

    assert literal.need(write, "r") is None
    assert literal.judge(write, None) is None


def test_the_example_tells_all_that_the_rule_demands() -> None:
    """Who copies it and fills it in passes."""
    assert ASSERTED.example == 'act="…", by="…", at=@…, ref="…"'
