"""A write past every rule: which judge it and which do not, why, and what follows.

`walk` judges with the answers of an empty state; `walk_recorded` goes as far as a record does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from gateway.model import (
    Answer,
    Contact,
    Decision,
    Effect,
    Finding,
    Result,
    Write,
)
from gateway.offline.records.decision import Recorded
from gateway.offline.replaying.rejudge import Rejudging, finding_of
from gateway.policy.decide import decide, judge, reservation, select
from gateway.policy.policyset import PolicySet, Rule
from gateway.policy.why import Reason, answered, asked, looked, narrowing
from gateway.soe.answers import refuse
from gateway.state.memory import MemoryStore

_KEEP = 90 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule, and the write before it.

    Attributes:
        judges: None where nobody knows, since something was not kept.
        reasons: each narrowing key of the rule, and what it says to this write.
        conditions: what those under `if` looked at.
        asked, answered: the question to state, and its answer.
        finding: what it found; None where it does not judge.
        source: whose word the finding is: `judged`, or `record`.
    """

    rule: Rule
    judges: bool | None
    reasons: tuple[Reason, ...]
    conditions: Reason | None = None
    asked: str = ""
    answered: str = ""
    finding: Finding | None = None
    source: str = "judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """All rules, and what was decided."""

    write: Write
    steps: tuple[Step, ...]
    decision: Decision


async def walk(policies: PolicySet, write: Write) -> Walked:
    """Judge a write with nothing in state."""
    rules = select(policies, write)
    findings = judge(rules, write, None)
    wanted = reservation(rules, write, findings)
    answers: Mapping[str, Answer] = {}
    if wanted is not None:
        answers = (await MemoryStore(_KEEP).peek(wanted)).answers
        findings = judge(rules, write, answers, findings)
    needs = {
        rule: need for group in (wanted.groups if wanted else ()) for rule, need in group.items()
    }
    found = {finding.rule: finding for finding in findings}
    steps = []
    for rule in policies.rules:
        need, answer = needs.get(rule.id), answers.get(rule.id)
        steps.append(
            Step(
                rule=rule,
                judges=rule.id in found,
                reasons=narrowing(rule, write, policies),
                conditions=looked(rule.condition, write) if rule.condition else None,
                asked=asked(need) if need else "",
                answered=answered(answer) if answer else "",
                finding=found.get(rule.id),
            )
        )
    decision = decide(policies, findings)
    return Walked(write=write, steps=tuple(steps), decision=decision)


def walk_recorded(policies: PolicySet, decision: Recorded) -> Walked:
    """Judge a recorded write as far as its record goes; of state the record's word stands in."""
    judged = Rejudging(policies).begin(decision)
    found = {finding.rule: finding for finding in judged.findings}
    steps, findings = [], []
    for rule in policies.rules:
        finding, source = found.get(rule.id), "judged"
        if finding is not None and (finding.result is Result.SKIP or rule.id in judged.fixed):
            finding, source = _of_record(rule, decision) or finding, "record"
        if finding is not None:
            findings.append(finding)
        steps.append(
            Step(
                rule=rule,
                judges=None if rule.id in judged.unjudged else finding is not None,
                reasons=narrowing(rule, decision.seen, policies),
                conditions=looked(rule.condition, decision.seen) if rule.condition else None,
                finding=finding,
                source=source,
            )
        )
    now = decide(policies, tuple(findings), decision.write.consent)
    return Walked(write=decision.write, steps=tuple(steps), decision=now)


def _of_record(rule: Rule, decision: Recorded) -> Finding | None:
    told = decision.findings.get(rule.id)
    return None if told is None else finding_of(told, rule.mode)


# ── telling ──────────────────────────────────────────────────────────────────────────────────


def lines(walked: Walked, contact: Contact | None) -> Iterator[str]:
    """Tell a walk: the rules that judge first, then the others with what keeps them away."""
    for step in walked.steps:
        if step.judges:
            yield from _judged(step)
    others = [step for step in walked.steps if not step.judges]
    if others:
        yield ""
        yield "Rules that do not judge this write, and why not:"
        for step in others:
            yield f"  {step.rule.id}: {'; '.join(_against(step))}"
    yield ""
    yield f"Effect: {walked.decision.effect.value}"
    answer = answer_of(walked, contact)
    if answer is not None:
        yield f"The client gets {answer['status']}:"
        body = json.dumps(answer["body"], indent=2, ensure_ascii=False)
        yield from (f"  {line}" for line in body.splitlines())


def _judged(step: Step) -> Iterator[str]:
    finding = step.finding
    assert finding is not None
    mark = {Result.PASS: "pass", Result.FAIL: "FAIL", Result.SKIP: "skip", Result.ERROR: "ERROR"}
    yield f"{mark[finding.result]:5} {step.rule.id} ({finding.mode.value}): {step.rule.title}"
    yield from (f"      {_told(reason)}" for reason in _flat(step.conditions))
    if step.asked:
        yield f"      state was asked: {step.asked}"
        yield f"      and answered: {step.answered}"
    if step.source == "record":
        yield "      (as the record says: what it needs, state or text, is not there any more)"
    if finding.violation is not None:
        violation = finding.violation
        if violation.message:
            yield f"      {violation.code}: {violation.message}"
        else:
            yield f"      {violation.code}"
        figures = ", ".join(f"{name} {value}" for name, value in violation.evidence.items())
        if figures:
            yield f"      {figures}"


def _against(step: Step) -> list[str]:
    told = [_told(each) for each in step.reasons if not each.holds]
    if not told and step.conditions is not None:
        told = [_told(each) for each in _flat(step.conditions) if not each.parts]
    return told


def _flat(reason: Reason | None, depth: int = 0) -> Iterator[Reason]:
    if reason is None:
        return
    pad = "  " * depth
    yield Reason(text=pad + reason.text, holds=reason.holds, parts=reason.parts)
    for part in reason.parts:
        yield from _flat(part, depth + 1)


def _told(reason: Reason) -> str:
    return (
        f"{reason.text}: {'unknown' if reason.holds is None else 'yes' if reason.holds else 'no'}"
    )


def answer_of(walked: Walked, contact: Contact | None) -> dict[str, Any] | None:
    """Give the answer that the client would get.

    None where the write is sent on, and where a record does not hold the words of a refusal.
    """
    decided = walked.decision.violations
    worded = all(each.violation and each.violation.message for each in decided)
    if walked.decision.effect not in (Effect.REFUSE, Effect.HOLD) or not worded:
        return None
    reply = refuse(walked.write.api, walked.decision, walked.write.id, contact)
    return {"status": reply.status, "body": orjson.loads(reply.body)}


def as_json(walked: Walked, contact: Contact | None) -> dict[str, Any]:
    """Give a walk as JSON."""
    return {
        "effect": walked.decision.effect.value,
        "revision": walked.decision.revision,
        "rules": [_step(step) for step in walked.steps],
        "answer": answer_of(walked, contact),
    }


def _step(step: Step) -> dict[str, Any]:
    finding = step.finding
    violation = finding.violation if finding else None
    return {
        "rule": step.rule.id,
        "policy": step.rule.policy,
        "title": step.rule.title,
        "mode": step.rule.mode.value,
        "judges": step.judges,
        "narrowing": [asdict(reason) for reason in step.reasons],
        "conditions": asdict(step.conditions) if step.conditions else None,
        "asked": step.asked or None,
        "answered": step.answered or None,
        "result": finding.result.value if finding else None,
        "source": step.source if finding else None,
        "violation": None
        if violation is None
        else {
            "code": violation.code,
            "status": violation.status,
            "message": violation.message,
            "fix": violation.fix,
            "evidence": dict(violation.evidence),
        },
    }
