"""What each check passes and fails."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.checks.boilerplate import Boilerplate
from gateway.checks.duplicate import Duplicate
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.checks.rate_cap import RateCap
from gateway.model import Charge, Charged, Fingerprint, Found, Outcome, Remembered, Window
from tests.samples import a_post, a_write

LITERAL = ExplicitAction()
ASSERTED = ExplicitAction(evidence=Evidence.ASSERTED, members=("by",))
NOW = 1_795_000_000
SHORT = Fingerprint(text="s", event="s", words=2)


@pytest.mark.parametrize("value", ["True", "true, true", "yes", "", '"true"', "\xa0true", "1"])
def test_only_the_listed_value_is_an_act(value: str) -> None:
    """The header counts byte for byte: nothing is guessed in favour of a write."""
    assert LITERAL.judge(a_write(actions=(value,)), None) is not None


@pytest.mark.parametrize("actions", [(), ("true", "true"), ("true", "false")])
def test_the_act_stands_there_exactly_once(actions: tuple[str, ...]) -> None:
    """No field is no act, and two are none either."""
    assert LITERAL.judge(a_write(actions=actions), None) is not None


@pytest.mark.parametrize("value", ["true", " true", "true\t"])
def test_white_space_around_the_act_does_not_count(value: str) -> None:
    """RFC 9110 lets recipients trim it."""
    assert LITERAL.judge(a_write(actions=(value,)), None) is None


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (f'act="reply", by="jane@example.com", at=@{NOW - 10}', True),
        (f'act="reply", by="jane", at=@{NOW + 20}, to="site"', True),
        (f'act="reply", by="jane", at=@{NOW + 60}', False),
        (f'act="reply", by="jane", at=@{NOW - 400}', False),
        (f'act="reply", at=@{NOW}', False),
        (f'act="", by="jane", at=@{NOW}', False),
        (f'act=reply, by="jane", at={NOW}', False),
        (f'act="reply", by="jane", at=@{NOW}, to="team:red"', False),
        ("true", False),
        ("((", False),
    ],
)
def test_an_assertion_tells_who_did_what_when_and_where(value: str, passes: bool) -> None:
    """RFC 9651, fresh, complete, and naming the place where the post goes."""
    assert (ASSERTED.judge(a_write(actions=(value,)), None) is None) == passes


def test_an_assertion_satisfies_a_demand_for_a_literal() -> None:
    """A higher level satisfies a lower one."""
    action = f'act="reply", by="jane", at=@{NOW}'

    assert LITERAL.judge(a_write(actions=(action,)), None) is None


def test_a_cap_counts_per_what_it_says() -> None:
    """Its counter is named by the rule and the values, not by its limits."""
    cap = RateCap(windows=(Window(limit=1, seconds=60),), per=("integration", "team"))

    need = cap.need(a_write(team="red"), "a-rule")

    assert need == Charge(cap="a-rule|integration=help-bot|team=red", windows=cap.windows)


def test_a_used_up_cap_says_when_to_come_back() -> None:
    """Figures, never text, and a wait."""
    window = Window(limit=1, seconds=60)
    cap = RateCap(windows=(window,))
    answer = Charged(accepted=False, window=window, used=1, retry_after=12.5, reset=12.5)

    violation = cap.judge(a_write(), answer)

    assert violation is not None
    assert (violation.status, violation.retry_after) == (429, 12.5)


DUPLICATE = Duplicate(within=86_400)
EARLIER: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "the same text": ({}, {}, "duplicate"),
    "in flight": ({"pending": True, "outcome": None}, {}, "duplicate_in_flight"),
    "the post's own text": ({"post": "question/7"}, {"target": "question/7"}, None),
    "the same request, unknown": ({"outcome": Outcome.UNKNOWN, "request": "r1"}, {}, None),
    "another request, unknown": ({"outcome": Outcome.UNKNOWN}, {}, "duplicate"),
    "a short text elsewhere": ({"thread": "question/1"}, {"thread": "question/2", "fingerprint": SHORT}, None),
    "a short text in place": (
        {"thread": "question/1", "author": "token:token-1"},
        {"thread": "question/1", "fingerprint": SHORT},
        "duplicate",
    ),
    "a short text of somebody else": ({"thread": "question/1"}, {"thread": "question/1", "fingerprint": SHORT}, None),
}  # fmt: skip


@pytest.mark.parametrize(("post", "write", "code"), EARLIER.values(), ids=EARLIER)
def test_a_copy_is_refused_where_it_is_one(
    post: dict[str, Any], write: dict[str, Any], code: str | None
) -> None:
    """What was there before decides, not what is there now."""
    violation = DUPLICATE.judge(a_write(**write), Found(posts=(a_post(**post),)))

    assert (violation.code if violation else None) == code


def test_another_teams_post_is_not_told_of() -> None:
    """Nothing but the fact."""
    violation = DUPLICATE.judge(a_write(team="blue"), Found(posts=(a_post(team="red"),)))

    assert violation is not None
    assert violation.earlier is None
    assert "soe.example.com" not in violation.message


def test_a_flood_is_told_of_the_post_that_stands() -> None:
    """Of equal texts the one with an address counts, not a later one that was refused itself."""
    mine = {"author": "token:token-1", "equal": True}
    refused = a_post(at=1_794_999_500.0, outcome=Outcome.REFUSED, url=None, post=None, **mine)
    events = Duplicate(within=86_400, compare="event")

    violation = events.judge(a_write(), Found(posts=(refused, a_post(**mine))))

    assert violation is not None
    assert violation.earlier is not None
    assert violation.earlier.url == "https://soe.example.com/q/1"


def under(*threads: str, **more: Any) -> tuple[Remembered, ...]:
    return tuple(a_post(thread=thread, **more) for thread in threads)


@pytest.mark.parametrize(
    ("threads", "found", "fails"),
    [
        (2, ("question/1",), True),
        (2, ("question/9",), False),
        (3, ("question/1",), False),
        (3, ("question/1", "question/2"), True),
        (3, ("question/1", "question/1"), False),
    ],
)
def test_boilerplate_counts_other_threads(
    threads: int, found: tuple[str, ...], fails: bool
) -> None:
    """This thread and each other one once."""
    check = Boilerplate(threads=threads, within=86_400)
    write = a_write(operation="answer.create", thread="question/9")

    assert (check.judge(write, Found(posts=under(*found))) is not None) == fails
