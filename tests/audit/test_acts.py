"""What a record keeps of a user's act."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.acts import kept_act
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.offline.records.decision import UNREADABLE
from tests.samples import a_write

SECRET = b"p" * 32
CHECKS = (
    ExplicitAction(),
    ExplicitAction(values=("yes", "click")),
    ExplicitAction(evidence=Evidence.ASSERTED),
    ExplicitAction(evidence=Evidence.ASSERTED, members=("by", "at", "why")),
)
MEMBERS = st.sampled_from(
    [
        'act="click"', f'act="{"x" * 200}"', "act=click", 'act=""', "act", 'by="jane"', "by", "at=@1795000000",
        "at=@1", 'at="today"', 'ref="slack:C1/2"', 'to="site"', "to=site", 'to="team:red"',
        'why="because"', "why=?0", "why=(1 2);q", "n=1.5", ";", "A=1",
        'why="-"', "why", 'by=%"J%c3%b6rg"', "by=jane", f'ref="{"x" * 129}"', "ref=C1/2", 'ref=""', "ref", "ref=1",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["true", "yes", " click\t", "true, true", "", "x" * 65, "not (", "act=1, true"]
    ),
    st.lists(MEMBERS, max_size=5).map(", ".join),
)


@given(VALUES)
def test_what_is_kept_is_judged_as_what_came(value: str) -> None:
    """Whatever a rule demands, the recorded form passes where the value passed, and asks as much."""
    kept = kept_act(value, SECRET)
    came = a_write(actions=(value,))
    again = a_write(actions=(UNREADABLE if kept is None else kept,))

    for check in CHECKS:
        assert (check.judge(came, None) is None) == (check.judge(again, None) is None)
        assert check.need(came, "r") == check.need(again, "r")


def test_a_person_is_a_pseudonym() -> None:
    """One person is one, and nobody can tell who without the key."""
    told = kept_act('act="click", by="jane@example.com"', SECRET)

    assert told is not None
    assert "jane" not in told
    assert told == kept_act('act="click", by="jane@example.com"', SECRET)
    assert told != kept_act('act="click", by="jane@example.com"', b"q" * 32)


@pytest.mark.parametrize("value", ["x" * 65, "two words", 'act="' + "x" * 3000 + '"', "", "ä"])
def test_what_is_neither_a_word_nor_an_assertion_is_not_kept(value: str) -> None:
    """A header may hold anything, also a secret."""
    assert kept_act(value, SECRET) is None


def test_of_what_nobody_knows_only_its_presence_is_kept() -> None:
    """A rule may demand a member of its own; what it says is nobody's business."""
    assert kept_act('act="click", ticket="S3CRET"', SECRET) == 'act="click", ticket="-"'
