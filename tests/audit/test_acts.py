"""What a record keeps of a user's act."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.acts import kept_act
from gateway.audit.people import Named, Nobody, People, Pseudonyms
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.offline.records.decision import UNREADABLE
from tests.audit.disks import StoppedClock
from tests.samples import a_write

PEOPLE = Named()
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


@pytest.mark.parametrize("people", [Named(), Nobody()], ids=["name", "none"])
@given(value=VALUES)
def test_what_is_kept_is_judged_as_what_came(people: People, value: str) -> None:
    """Whatever a rule demands, the recorded form passes where the value passed, and asks as much."""
    kept = kept_act(value, people)
    came = a_write(actions=(value,))
    again = a_write(actions=(UNREADABLE if kept is None else kept,))

    for check in CHECKS:
        assert (check.judge(came, None) is None) == (check.judge(again, None) is None)
        assert check.need(came, "r") == check.need(again, "r")


def test_a_person_is_a_pseudonym(tmp_path: Path) -> None:
    """However he is written, and whichever process asks."""
    one, other = (Pseudonyms(tmp_path / "people.db", b"p" * 32, StoppedClock()) for _ in range(2))
    told = kept_act('act="click", by="jane@example.com"', one)

    assert told is not None
    assert "jane" not in told
    assert told == kept_act('act="click", by="Jane@example.com"', other)
    assert told != kept_act('act="click", by="june@example.com"', one)


def test_a_name_is_kept_in_its_letters() -> None:
    """Also where RFC 9651 needs its third kind of text for them."""
    told = kept_act('act="click", by=%"J%c3%b6rg"', PEOPLE)

    assert told == 'act="click", by=%"J%c3%b6rg"'


@pytest.mark.parametrize("value", ["x" * 65, "two words", 'act="' + "x" * 3000 + '"', "", "ä"])
def test_what_is_neither_a_word_nor_an_assertion_is_not_kept(value: str) -> None:
    """A header may hold anything, also a secret."""
    assert kept_act(value, PEOPLE) is None


def test_of_what_nobody_knows_only_its_presence_is_kept() -> None:
    """A rule may demand a member of its own; what it says is nobody's business."""
    assert kept_act('act="click", ticket="S3CRET"', PEOPLE) == 'act="click", ticket="-"'
