"""Laws of consent: it passes exactly what asked for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.record import Keeping
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.checks.rate_cap import RateCap
from gateway.model import (
    Api,
    Effect,
    Finding,
    Mode,
    Outcome,
    Result,
    Settlement,
    Violation,
    Window,
)
from gateway.policy.decide import decide, judge, reservation, select
from gateway.policy.policyset import PolicySet, Rule
from gateway.policy.registry import Registry
from gateway.soe.answers import refuse
from gateway.soe.api import OPERATIONS
from gateway.state.memory import MemoryStore
from tests.proxy.rig import Ticking
from tests.recording import Answered, Log, Sent, a_pipeline, confirm_all, send
from tests.samples import a_write

NAMES = st.sampled_from("abcdefgh")
CONSENT = st.frozensets(NAMES)
VIOLATION = Violation(code="c", status=400, message="No.")


@st.composite
def a_finding(draw: st.DrawFn) -> Finding:
    """What a rule may find, in any mode."""
    result = draw(st.sampled_from(Result))
    is_open = result is Result.ERROR and draw(st.booleans())
    fails = result in (Result.FAIL, Result.ERROR) and not is_open
    return Finding(
        rule=draw(NAMES),
        check="c",
        mode=draw(st.sampled_from([Mode.OBSERVE, Mode.WARN, Mode.HOLD, Mode.ENFORCE])),
        result=result,
        violation=replace(VIOLATION, confirmable=draw(st.booleans())) if fails else None,
        open=is_open,
    )


FINDINGS = st.lists(a_finding(), max_size=6, unique_by=lambda each: each.rule).map(tuple)


def a_set(*rules: Rule) -> PolicySet:
    return PolicySet(rules=rules, waivers=(), registry=Registry(), revision="r", shipped=False)


@given(FINDINGS, CONSENT)
def test_consent_passes_exactly_what_asked_for_it(
    findings: tuple[Finding, ...], consent: frozenset[str]
) -> None:
    """What is left holds or refuses as if the confirmed holds had passed."""
    confirmed = {
        each.rule
        for each in findings
        if each.mode is Mode.HOLD and each.result is Result.FAIL and each.rule in consent
    }
    rest = tuple(each for each in findings if each.rule not in confirmed)

    decision = decide(a_set(), findings, consent)

    assert decision.effect is decide(a_set(), rest).effect
    assert {each.rule for each in decision.findings if each.consented} == confirmed
    assert confirmed.isdisjoint(each.rule for each in decision.violations)


@given(FINDINGS, CONSENT)
def test_no_consent_passes_a_rule_that_enforces(
    findings: tuple[Finding, ...], consent: frozenset[str]
) -> None:
    """Nor one that could not be judged; where a person must confirm, nothing else stands for it."""
    against = any(
        each.violation
        and each.mode.decides
        and (
            each.result is Result.ERROR
            or (each.mode is Mode.ENFORCE and not each.violation.confirmable)
        )
        for each in findings
    )

    assert (decide(a_set(), findings, consent).effect is Effect.REFUSE) == against


@given(FINDINGS, CONSENT, st.sampled_from([Api.V2, Api.V3]))
def test_what_does_not_pass_can_be_told(
    findings: tuple[Finding, ...], consent: frozenset[str], api: Api
) -> None:
    """Whatever was found, there is an answer to it."""
    decision = decide(a_set(), findings, consent)
    if decision.effect is Effect.ALLOW:
        return

    reply = refuse(api, decision, "w1", None)

    assert (b"confirmation_required" in reply.body) == (decision.effect is Effect.HOLD)


async def test_a_confirmed_write_is_known_though_a_cap_that_holds_is_full() -> None:
    """Else its copy would be no copy."""
    window = Window(limit=1, seconds=60.0)
    cap = Rule(
        id="cap",
        policy="p",
        title="T",
        mode=Mode.HOLD,
        operations=OPERATIONS,
        check=RateCap(windows=(window,)),
    )
    policies = a_set(cap)
    store = MemoryStore(86_400.0)
    known = []
    for number, consent in enumerate([frozenset[str](), frozenset({"cap"})]):
        write = a_write(id=f"w{number}", request=f"r{number}")
        rules = select(policies, write)
        findings = judge(rules, write, None)
        asked = reservation(rules, write, findings, consent)
        assert asked is not None
        reserved = await store.reserve(asked)
        decision = decide(policies, judge(rules, write, reserved.answers, findings), consent)
        await store.settle(write.id, Settlement(outcome=Outcome.OK))
        known.append((decision.effect, reserved.taken))

    assert known == [(Effect.ALLOW, True), (Effect.ALLOW, True)]


def test_a_confirmed_write_is_charged_and_remembered() -> None:
    """What a rule without state held passes, so it is a write like any other."""
    act = Rule(
        id="act",
        policy="p",
        title="T",
        mode=Mode.HOLD,
        operations=OPERATIONS,
        check=ExplicitAction(),
    )
    write = a_write(actions=())
    findings = judge((act,), write, None)

    held = reservation((act,), write, findings)
    confirmed = reservation((act,), write, findings, frozenset({"act"}))

    assert held is not None  # it may repeat what was confirmed, and whose answer was lost
    assert (held.remember, held.groups) == (False, ({},))
    assert confirmed is not None
    assert confirmed.remember


# ── over the real pipeline ───────────────────────────────────────────────────────────────────

FIRES = ("rotate", "signing", "key", "runs", "soon")
"""Words that rules look for, each named for its own."""


@st.composite
def a_rule(draw: st.DrawFn, name: str) -> Rule:
    """A rule that looks for a word, or for the confirmation of a person where it stands."""
    mode = draw(st.sampled_from([Mode.OBSERVE, Mode.WARN, Mode.HOLD, Mode.HOLD, Mode.ENFORCE]))
    confirmed = ExplicitAction(evidence=Evidence.CONFIRMED)
    return Rule(
        id=name,
        policy="p",
        title="T",
        mode=mode,
        operations=OPERATIONS,
        condition=lambda write: name in write.post.body.split(),
        check=draw(st.sampled_from([None, None, confirmed])),
        approver=draw(st.sampled_from(["person", "person", "link"])) if mode is Mode.HOLD else "person",
    )  # fmt: skip


POLICIES = st.lists(st.sampled_from(FIRES), unique=True).flatmap(
    lambda names: st.tuples(*map(a_rule, names)).map(lambda rules: a_set(*rules))
)
BODIES = st.lists(st.sampled_from(FIRES), min_size=1, unique=True).map(" ".join)


class Open:
    """An SOE that takes everything, and counts it."""

    def __init__(self) -> None:
        self.taken = 0

    async def send(self, *words: Any) -> Answered:
        words[4]()
        self.taken += 1
        return Answered(201, b"{}")


def firing(policies: PolicySet, body: str) -> list[Rule]:
    return [rule for rule in policies.rules if rule.mode.decides and rule.id in body.split()]


def asked(policies: PolicySet, body: str) -> set[tuple[str, str]]:
    """What must be confirmed, and by whom."""
    return {(rule.id, rule.approver) for rule in firing(policies, body) if rule.asks}


def acts(policies: PolicySet, body: str) -> set[tuple[str, str]]:
    """What any confirmation by the person who acts satisfies, whichever rule had asked for it."""
    rules = firing(policies, body)
    return {(rule.id, rule.approver) for rule in rules if rule.asks and rule.check is not None}


@given(POLICIES, POLICIES, BODIES, st.booleans())
@settings(max_examples=120)
def test_whatever_was_confirmed_what_enforces_stands(
    before: PolicySet, now: PolicySet, body: str, is_same: bool
) -> None:
    """Over the real pipeline, whatever rules change between confirming and sending again."""
    now = before if is_same else now
    asyncio.run(_stands(before, now, body))


async def _stands(before: PolicySet, now: PolicySet, body: str) -> None:
    clock, soe = Ticking(), Open()
    log = Log(clock, Keeping())
    pipeline = a_pipeline(MemoryStore(86_400.0), clock, log, soe)
    ids = count()

    async def passes(policies: PolicySet) -> bool:
        taken = soe.taken
        await send(pipeline, policies, Sent(body=body, token="of-jane"), next(ids))
        return soe.taken > taken

    first = await passes(before)
    confirmed = bool(await confirm_all(pipeline.confirming.holds, clock))
    then = [await passes(now) for _ in range(3)]

    enforced_before = any(not rule.asks for rule in firing(before, body))
    enforced_now = any(not rule.asks for rule in firing(now, body))
    wanted, needed = asked(before, body), asked(now, body)
    assert first is not (enforced_before or bool(wanted))
    assert confirmed is (not enforced_before and bool(wanted))
    if enforced_now:
        assert then == [False, False, False]
    elif not needed:
        assert then == [True, True, True]
    else:  # consent for what asked, and for no more than one
        assert then == [confirmed and needed - acts(now, body) <= wanted, False, False]
