"""One act is one post, in every engine: the `ref` of an assertion is used once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.model import Effect, Mode, Outcome, Reserved, Settlement, Write
from gateway.policy.decide import decide, judge, reservation
from gateway.policy.policyset import PolicySet, Rule
from gateway.policy.registry import Registry
from gateway.ports import Administered
from tests.samples import a_write

NOW = 1_795_000_000
RULE = Rule(
    id="acted",
    policy="p",
    title="A person asked",
    mode=Mode.ENFORCE,
    operations=frozenset(["question.create"]),
    check=ExplicitAction(evidence=Evidence.ASSERTED, members=("ref",)),
)
POLICIES = PolicySet(rules=(RULE,), waivers=(), registry=Registry(), revision="r", shipped=False)


def a_post(number: int, **changes: object) -> Write:
    acted = f'act="reply", at=@{NOW}, ref="C1/2"'
    usual = {"id": f"w{number}", "request": f"r{number}", "at": NOW + 1.0, "actions": (acted,)}
    return a_write(**(usual | changes))


async def effect(store: Administered, write: Write, *, dry: bool = False) -> Effect:
    """Decide a write as the pipeline does."""
    findings = judge((RULE,), write, None)
    asked = reservation((RULE,), write, findings)
    assert asked is not None
    ask: Callable[..., object] = store.peek if dry else store.reserve
    reserved = await ask(asked)  # type: ignore[misc]  # one of two of the same kind
    assert isinstance(reserved, Reserved)
    return decide(POLICIES, judge((RULE,), write, reserved.answers, findings)).effect


async def test_of_many_posts_of_one_act_at_once_one_passes(store: Administered) -> None:
    """Whatever they say, and however many come at the same moment."""
    effects = await asyncio.gather(*(effect(store, a_post(number)) for number in range(12)))

    assert sorted(effects) == [Effect.ALLOW] + [Effect.REFUSE] * 11


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (Outcome.OK, Effect.REFUSE),
        (Outcome.UNKNOWN, Effect.REFUSE),
        (Outcome.REFUSED, Effect.ALLOW),
        (Outcome.NOT_SENT, Effect.ALLOW),
    ],
)
async def test_a_write_that_did_not_happen_uses_up_no_act(
    store: Administered, outcome: Outcome, after: Effect
) -> None:
    """The person need not click again for what SOE refused."""
    await effect(store, a_post(1))
    await store.settle("w1", Settlement(outcome=outcome))

    assert await effect(store, a_post(2)) is after


async def test_the_same_request_may_be_sent_again_where_nobody_knows(store: Administered) -> None:
    """It takes the place of the first, and so does its act."""
    await effect(store, a_post(1))
    await store.settle("w1", Settlement(outcome=Outcome.UNKNOWN))

    assert await effect(store, a_post(2, request="r1")) is Effect.ALLOW


async def test_an_act_stays_used_as_long_as_it_is_fresh(store: Administered) -> None:
    """From the first instant at which it may be sent to the last."""
    await effect(store, a_post(1, at=NOW - 30.0))
    await store.settle("w1", Settlement(outcome=Outcome.OK))

    assert await effect(store, a_post(2, at=NOW + 300.0)) is Effect.REFUSE


async def test_a_dry_run_tells_and_uses_up_nothing(store: Administered) -> None:
    """It is told as it would be."""
    assert await effect(store, a_post(1), dry=True) is Effect.ALLOW
    assert await effect(store, a_post(2)) is Effect.ALLOW
    assert await effect(store, a_post(3), dry=True) is Effect.REFUSE
