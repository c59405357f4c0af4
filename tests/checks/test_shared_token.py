"""A token that several use."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.shared_token import SharedToken
from gateway.model import Outcome, Reservation, Settlement, Shared, Sharers
from gateway.state.memory import MemoryStore
from tests.samples import a_write

INTEGRATIONS = SharedToken(within=60)
PEOPLE = SharedToken(within=60, by="people")


def named(by: str, token: str = "token-1") -> Sharers | None:
    return PEOPLE.need(a_write(token=token, actions=(f'act="reply", by={by}, at=@1',)), "r")


def test_a_token_is_asked_about_by_rule_and_user() -> None:
    """No rule's record answers another."""
    need = INTEGRATIONS.need(a_write(), "r")

    assert need == Sharers(name="r|token=token-1", member="help-bot", within=60)


@pytest.mark.parametrize(
    ("users", "others", "fails"),
    [(2, (), False), (2, ("a",), True), (3, ("a",), False), (3, ("a", "b"), True)],
)
def test_it_fails_from_so_many_users_on(users: int, others: tuple[str, ...], fails: bool) -> None:
    """This one among them; it is nothing that passes by waiting."""
    violation = SharedToken(within=60, users=users).judge(a_write(), Shared(others=others))

    assert (violation is not None) is fails
    if violation is not None:
        assert (violation.status, violation.retry_after) == (403, None)


def test_without_a_token_or_a_name_there_is_nothing_to_share() -> None:
    """A write that names nobody passes: another rule may demand the name."""
    assert INTEGRATIONS.need(a_write(token=None), "r") is None
    assert PEOPLE.need(a_write(actions=("true",)), "r") is None
    assert named('""') is None
    assert named("?1") is None
    assert PEOPLE.judge(a_write(), None) is None


def test_people_are_told_apart_and_their_names_not_kept() -> None:
    """Letter case makes nobody another; of one person no two tokens show that he is the same."""
    jane = named('"jane@example.com"')

    assert jane is not None
    assert "jane" not in jane.member
    assert named('"Jane@Example.com"') == jane
    assert (other := named('"joe@example.com"')) is not None
    assert other.member != jane.member
    assert (elsewhere := named('"jane@example.com"', token="t2")) is not None
    assert elsewhere.member != jane.member


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.floats(0, 50)), max_size=12),
    st.integers(2, 3),
)  # fmt: skip
def test_who_came_first_keeps_a_token(uses: list[tuple[str, str, float]], most: int) -> None:
    """Whatever comes, a token never has as many users as are too many within the time."""
    check = SharedToken(within=60, users=most)

    async def accepted() -> list[tuple[str, str, float]]:
        store, now, passed = MemoryStore(600.0), 1_795_000_000.0, []
        for number, (token, integration, gap) in enumerate(uses):
            now += gap
            write = a_write(id=f"w{number}", request=f"r{number}", token=token, integration=integration, at=now, fingerprint=None)  # fmt: skip
            need = check.need(write, "r")
            assert need is not None
            reserved = await store.reserve(Reservation(write=write, groups=({"r": need},)))
            passes = check.judge(write, reserved.answers["r"]) is None
            outcome = Outcome.OK if passes else Outcome.NOT_SENT
            await store.settle(write.id, Settlement(outcome=outcome))
            if passes:
                passed.append((token, integration, now))
        return passed

    passed = asyncio.run(accepted())
    for token, _, at in passed:
        users = {who for other, who, then in passed if other == token and at - 60 < then <= at}
        assert len(users) < most
