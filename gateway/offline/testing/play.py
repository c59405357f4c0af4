"""Plays the tests of policies: on a clock of their own, on the very code that decides.

What a test sends does not depend on the rules, so `Stage` reads its writes once and plays them under
as many policy sets as somebody likes to try.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TypeVar

import orjson

from gateway.errors import RequestError, StoreError
from gateway.model import Confirmed, Decision, Effect, Outcome, Settlement, Write
from gateway.offline.testing.cases import Case
from gateway.offline.testing.expect import Difference, Met, differences
from gateway.offline.testing.requests import write_of
from gateway.offline.testing.steps import Step
from gateway.policy.decide import (
    decide,
    is_template,
    judge,
    repeated,
    reservation,
    select,
    unanswered_key,
)
from gateway.policy.policyset import PolicySet
from gateway.policy.registry import Registry
from gateway.proxy.hold import strictest
from gateway.proxy.templates import Templates
from gateway.soe.answers import refuse, refuse_request
from gateway.state.memory import MemoryStore

_KEEP = 90 * 86_400.0
_DOWN = StoreError("state is down")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The first write that met something else than its step expects."""

    step: Step
    met: Met
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a test ended.

    Attributes:
        failure: None where it passed.
        met: what became of each step, up to the one that failed.
    """

    case: Case
    failure: Failure | None
    met: tuple[Met, ...]
    seconds: float

    @property
    def judged(self) -> frozenset[str]:
        """The rules that judged a write in it."""
        decisions = [met.decision for met in self.met if met.decision is not None]
        return frozenset(finding.rule for each in decisions for finding in each.findings)


class Stage:
    """Tests, with their writes read once."""

    def __init__(self, cases: Iterable[Case], registry: Registry) -> None:
        registered = {each.name: each for each in registry.integrations}
        self._cases = [
            (case, [_read(step, registered, n) for n, step in enumerate(case.steps, 1)])
            for case in cases
        ]

    def play(self, policies: PolicySet) -> list[Played]:
        """Play all tests under a policy set."""
        return [_play(policies, case, writes) for case, writes in self._cases]

    def fails(self, policies: PolicySet, which: Iterable[int]) -> bool:
        """Whether one of some tests, by their place, fails under a policy set."""
        chosen = (self._cases[place] for place in which)
        return any(_play(policies, *each).failure is not None for each in chosen)


def play(policies: PolicySet, cases: Iterable[Case]) -> list[Played]:
    """Play tests under a policy set, each in a state of its own."""
    return Stage(cases, policies.registry).play(policies)


def _read(step: Step, registered: Mapping[str, Any], number: int) -> Write | RequestError:
    try:
        return write_of(step.request, registered, id=f"step-{number}", at=step.at)
    except RequestError as error:
        return error


def _play(policies: PolicySet, case: Case, writes: list[Write | RequestError]) -> Played:
    started = perf_counter()
    scene = _Scene(policies)
    failure, met_so_far = None, []
    for step, write in zip(case.steps, writes, strict=True):
        met = scene.meet(step, write)
        met_so_far.append(met)
        differing = differences(step.expect, met)
        if differing:
            failure = Failure(step=step, met=met, differences=differing)
            break
    seconds = perf_counter() - started
    return Played(case=case, failure=failure, met=tuple(met_so_far), seconds=seconds)


class _Scene:
    """One test under way: its state, and what a person may confirm."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._store = MemoryStore(_KEEP)
        self._templates = Templates()
        self._held: dict[str, frozenset[str]] = {}

    def meet(self, step: Step, write: Write | RequestError) -> Met:
        """Decide a write and let SOE answer it."""
        if isinstance(write, RequestError):
            return _turned_away(step, write)
        if step.confirm:
            if write.request not in self._held:
                problem = "no rule held this very request before, so nobody could confirm it"
                return Met(effect=Effect.ALLOW, problem=problem)
            write = replace(write, confirmed=self._confirmed(self._held.pop(write.request)))  # once
        decision, settlement = self._decide(step, write)
        if decision.effect is Effect.HOLD:
            holding = frozenset(finding.rule for finding in decision.findings if finding.holds)
            self._held[write.request] = holding | write.consent
        if decision.effect is Effect.ALLOW:
            settlement = step.saved.settlement(
                step.request.route, step.written, keyed=write.key is not None
            )
        _done(self._store.settle(write.id, settlement))
        return _met(write, decision)

    def _confirmed(self, rules: frozenset[str]) -> Confirmed:
        """What whoever must do so has confirmed."""
        asked = (rule.approver for rule in self._policies.rules if rule.id in rules)
        return Confirmed(hold="", rules=rules, known=strictest(asked))

    def _decide(self, step: Step, write: Write) -> tuple[Decision, Settlement]:
        """Decide as `proxy.pipeline` does; with the settlement of a write that does not pass."""
        consent, policies, ending = (
            write.consent,
            self._policies,
            Settlement(outcome=Outcome.NOT_SENT),
        )
        rules = select(policies, write)
        findings = judge(rules, write, None)
        asked = reservation(rules, write, findings, consent)
        if asked is None:
            return decide(policies, findings, consent), ending
        if step.state_down:
            keyed = (unanswered_key(),) if write.key is not None else ()
            found = (*keyed, *judge(rules, write, _DOWN, findings))
            return decide(policies, found, consent), ending
        reserved = _done(self._store.reserve(asked))
        if reserved.repeat is not None:
            return repeated(policies, reserved.repeat), ending
        decision = decide(policies, judge(rules, write, reserved.answers, findings), consent)
        template = decision.effect is not Effect.ALLOW and is_template(
            decision, write, reserved.answers
        )
        template = template and self._templates.takes(write.author, write.at)
        return decision, Settlement(outcome=Outcome.NOT_SENT, template=template)


def _met(write: Write, decision: Decision) -> Met:
    if decision.effect in (Effect.ALLOW, Effect.REPLAY):
        return Met(effect=decision.effect, decision=decision)
    reply = refuse(write.api, decision, write.id, None)
    return Met(effect=decision.effect, decision=decision, **_told(reply.status, reply.body))


def _turned_away(step: Step, error: RequestError) -> Met:
    api = step.request.route.endpoint.api
    reply = refuse_request(api, error, write_id=None, revision=None, contact=None)
    return Met(effect=Effect.REFUSE, **_told(reply.status, reply.body))


def _told(status: int, body: bytes) -> dict[str, Any]:
    document = orjson.loads(body)
    wait = document.get("retry_after", document.get("backoff"))
    told = {"status": status, "code": document["code"], "error_id": document.get("error_id")}
    told |= {"retry_after": wait}
    detail = document.get("detail") or document.get("error_message", "")
    return {"told": {k: v for k, v in told.items() if v is not None}, "detail": detail}


def _done(call: Coroutine[Any, Any, _T]) -> _T:
    """Give what a call of the memory store gives: it never waits, so no loop is needed."""
    try:
        call.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise AssertionError
