"""Laws of the decision point, whatever the rules and the writes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.checks import Check
from gateway.checks.duplicate import Duplicate
from gateway.checks.explicit_action import ExplicitAction
from gateway.checks.rate_cap import RateCap
from gateway.errors import StoreError
from gateway.model import Effect, Fingerprint, Mode, Outcome, Settlement, Window
from gateway.policy.decide import decide, judge, reservation, select
from gateway.policy.policyset import PolicySet, Rule
from gateway.policy.registry import Registry
from gateway.soe.answers import refuse
from gateway.soe.api import OPERATIONS
from gateway.state.memory import MemoryStore
from tests.samples import a_write

CHECKS: st.SearchStrategy[Check] = st.one_of(
    st.builds(ExplicitAction),
    st.builds(Duplicate, within=st.sampled_from([10.0, 60.0])),
    st.builds(
        RateCap,
        windows=st.lists(
            st.builds(Window, limit=st.integers(1, 3), seconds=st.sampled_from([5.0, 30.0])),
            min_size=1,
            max_size=2,
        ).map(tuple),
        attempts=st.booleans(),
    ),
)
CAP = RateCap(windows=(Window(limit=2, seconds=10.0),))
ENFORCED = st.lists(CHECKS, max_size=3)
WRITES = st.lists(
    st.tuples(
        st.floats(0.0, 8.0),
        st.sampled_from("abc"),
        st.booleans(),
        st.sampled_from([Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN]),
    ),
    max_size=12,
)


def a_set(checks: list[Check], observed: list[Check], mode: Mode = Mode.OBSERVE) -> PolicySet:
    rules = [
        Rule(id=f"e{n}", policy="p", title="T", mode=Mode.ENFORCE, operations=OPERATIONS, check=c)
        for n, c in enumerate(checks)
    ]
    rules += [
        Rule(id=f"o{n}", policy="p", title="T", mode=mode, operations=OPERATIONS, check=c)
        for n, c in enumerate(observed)
    ]
    return PolicySet(
        rules=tuple(rules), waivers=(), registry=Registry(), revision="r", shipped=False
    )


async def effects(
    policies: PolicySet, writes: list[tuple[float, str, bool, Outcome]]
) -> list[Effect]:
    """Play writes under a policy set, and give what was decided about each."""
    store = MemoryStore(86_400.0)
    at, found = 1_795_000_000.0, []
    for number, (gap, text, acted, outcome) in enumerate(writes):
        at += gap
        write = a_write(
            id=f"w{number}",
            at=at,
            request=f"r{number}",
            actions=("true",) if acted else (),
            fingerprint=Fingerprint(text=text, event=text, words=20),
        )
        rules = select(policies, write)
        findings = judge(rules, write, None)
        asked = reservation(rules, write, findings)
        if asked is not None:
            findings = judge(rules, write, (await store.reserve(asked)).answers)
        decision = decide(policies, findings)
        allowed = decision.effect is Effect.ALLOW
        ending = outcome if allowed else Outcome.NOT_SENT
        await store.settle(write.id, Settlement(outcome=ending))
        found.append(decision.effect)
    return found


@given(ENFORCED, ENFORCED, st.sampled_from([Mode.OBSERVE, Mode.WARN]), WRITES)
@settings(max_examples=150)
def test_a_rule_that_only_looks_changes_no_decision(
    enforced: list[Check],
    looking: list[Check],
    mode: Mode,
    writes: list[tuple[float, str, bool, Outcome]],
) -> None:
    """Whatever the traffic, rules in observe or warn leave every effect as it was."""
    with_them = asyncio.run(effects(a_set(enforced, looking, mode), writes))
    without = asyncio.run(effects(a_set(enforced, []), writes))

    assert with_them == without


@given(ENFORCED, WRITES)
@settings(max_examples=100)
def test_the_order_of_rules_does_not_matter(
    enforced: list[Check], writes: list[tuple[float, str, bool, Outcome]]
) -> None:
    """All rules are judged, so no rule hides another."""
    forward = a_set(enforced, [])
    backward = replace(forward, rules=forward.rules[::-1])

    assert asyncio.run(effects(forward, writes)) == asyncio.run(effects(backward, writes))


@given(WRITES)
@settings(max_examples=100)
def test_a_cap_is_never_exceeded(writes: list[tuple[float, str, bool, Outcome]]) -> None:
    """No window holds more than its limit of writes that happened, or may have."""
    decided = asyncio.run(effects(a_set([CAP], []), writes))

    at, kept = 1_795_000_000.0, []  # as the writes: seconds have their own rounding there
    for (gap, _, _, outcome), effect in zip(writes, decided, strict=True):
        at += gap
        if effect is Effect.ALLOW and outcome.keeps:
            kept.append(at)
    assert all(sum(end - 10.0 < each <= end for each in kept) <= 2 for end in kept)


def test_a_hold_whose_question_state_cannot_answer_is_refused() -> None:
    """Nobody knows what there would be to confirm: 503, and not a page."""
    held = a_set([CAP], [], Mode.OBSERVE)
    policies = replace(held, rules=tuple(replace(rule, mode=Mode.HOLD) for rule in held.rules))
    write = a_write()
    rules = select(policies, write)

    found = decide(policies, judge(rules, write, StoreError("away"), judge(rules, write, None)))

    assert found.effect is Effect.REFUSE
    assert refuse(write.api, found, "w1", None).status == 503
