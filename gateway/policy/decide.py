"""The decision point: rules and a write in, a decision out. Pure.

`judge` is called twice: first without answers from state, then with them. All rules are judged and
all violations told; the strictest mode among the failing rules decides. A rule in `observe` or
`warn` changes no effect and has no part in what state charges for the others.

Consent, the ids of the rules that held the same request and that a person confirmed, passes what
those rules find and nothing else: never a rule that enforces, nor one that could not be judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from gateway.checks import LIKENESS
from gateway.checks.rate_cap import RateCap
from gateway.errors import StoreError
from gateway.model import (
    Answer,
    Charge,
    Charged,
    Consulted,
    Decision,
    Effect,
    Finding,
    Found,
    Mode,
    Need,
    Outcome,
    Repeat,
    Repeated,
    Reservation,
    Reserved,
    Result,
    Violation,
    Write,
)
from gateway.policy.match import applies
from gateway.policy.policyset import PolicySet, Rule

PLACEHOLDERS = ("integration", "operation", "team", "rule", "title")
"""What every rule's message may name, beside the figures of its check."""
NO_CONSENT: frozenset[str] = frozenset()
"""Nobody confirmed anything."""
IDEMPOTENCY = "idempotency-key"
"""The rule of the gateway's own under which repeated requests are found."""
_REFUSED_EVERY = 3600.0
"""Seconds between two refused texts of one template that are remembered."""
STORE_RETRY = 5.0
"""Seconds after which a write that the store stopped is worth sending again."""
STATE_UNAVAILABLE = Violation(
    code="state_unavailable",
    status=503,
    message="What was posted before cannot be looked up at the moment.",
    fix="Nothing was posted; try again later.",
    retry_after=STORE_RETRY,
)
"""Said of a write that nothing can be asked about."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def select(policies: PolicySet, write: Write) -> tuple[Rule, ...]:
    """Give the rules that judge a write, in their order."""
    found = policies.by_operation.get(write.operation, ())
    return tuple(rule for rule in found if judges(rule, write, policies))


def judges(rule: Rule, write: Write, policies: PolicySet) -> bool:
    """Whether a rule judges a write."""
    return (
        rule.mode is not Mode.DISABLED
        and applies(rule, write, policies)
        and (rule.check is None or rule.condition is None or rule.condition(write))
    )


def wants_person(rules: Sequence[Rule], findings: Sequence[Finding]) -> bool:
    """Whether what is still to be judged depends on who acts.

    Args:
        findings: of the same rules, without answers. They do not depend on it.
    """
    skipped = {found.rule for found in findings if found.result is Result.SKIP}
    return any(
        rule.id in skipped and rule.check is not None and rule.check.needs_person for rule in rules
    )


def judge(
    rules: Sequence[Rule],
    write: Write,
    answers: Mapping[str, Answer] | StoreError | None,
    before: Sequence[Finding] = (),
) -> tuple[Finding, ...]:
    """Judge a write by each rule.

    Args:
        before: what the same rules found without answers: only what they skipped is judged anew.
        answers: of state, by rule id. None before state was asked, and a rule whose answer is not
            there comes out as `skip`. A `StoreError` makes the rules that need state `error`.
    """
    if not before:
        return tuple(_finding(rule, write, answers) for rule in rules)
    return tuple(
        _answered(rule, write, answers) if found.result is Result.SKIP else found
        for rule, found in zip(rules, before, strict=True)
    )


def _finding(
    rule: Rule, write: Write, answers: Mapping[str, Answer] | StoreError | None
) -> Finding:
    if rule.check is None:
        failed = rule.condition is not None and rule.condition(write)
        return _found(rule, write, _matched() if failed else None, None)
    if rule.check.need(write, rule.id) is None:
        return _found(rule, write, rule.check.judge(write, None), None)
    return _answered(rule, write, answers)


def _answered(
    rule: Rule, write: Write, answers: Mapping[str, Answer] | StoreError | None
) -> Finding:
    """Judge by a check that asks something of state."""
    assert rule.check is not None
    if isinstance(answers, StoreError):
        return _unanswered(rule)
    answer = None if answers is None else answers.get(rule.id)
    if answer is None:
        return _plain(rule, Result.SKIP)
    return _found(rule, write, rule.check.judge(write, answer), answer)


def _matched() -> Violation:
    return Violation(code="condition_met", status=400, message="This write is not wanted here.")


def _found(rule: Rule, write: Write, violation: Violation | None, answer: Answer | None) -> Finding:
    is_cap = rule.check is not None and rule.check.name == RateCap.name  # others count by it, too
    charged = answer if isinstance(answer, Charged) and is_cap else None
    if violation is not None:
        worded = _worded(rule, write, violation)
        return _bare(rule, Result.FAIL, violation=worded, charged=charged)
    return (
        _plain(rule, Result.PASS) if charged is None else _bare(rule, Result.PASS, charged=charged)
    )


def _unanswered(rule: Rule) -> Finding:
    """A rule whose question state could not answer: refused, unless the rule says otherwise."""
    if rule.open_on_error:
        return _bare(rule, Result.ERROR, open=True)
    return _bare(rule, Result.ERROR, violation=STATE_UNAVAILABLE)


def _plain(rule: Rule, result: Result) -> Finding:
    return _always(rule.id, rule.check.name if rule.check else "", rule.mode, result)


@lru_cache(maxsize=4096)
def _always(rule: str, check: str, mode: Mode, result: Result) -> Finding:
    """Give the finding of a rule that most writes have."""
    return Finding(rule=rule, check=check, mode=mode, result=result)


def _bare(
    rule: Rule,
    result: Result,
    *,
    violation: Violation | None = None,
    charged: Charged | None = None,
    open: bool = False,
) -> Finding:
    return Finding(
        rule=rule.id,
        check=rule.check.name if rule.check else "",
        mode=rule.mode,
        result=result,
        violation=violation,
        charged=charged,
        open=open,
    )


def _worded(rule: Rule, write: Write, violation: Violation) -> Violation:
    """Put the rule's own words in place of the check's, where they speak of the same."""
    docs = rule.docs or violation.docs
    if rule.check is not None and violation.code != rule.check.name:
        return replace(violation, docs=docs)  # a copy in flight is no published copy
    names = _names(rule, write, violation)
    return replace(
        violation,
        message=_filled(rule.message, names) if rule.message else violation.message,
        fix=_filled(rule.fix, names) if rule.fix else violation.fix,
        docs=docs,
        status=rule.status or violation.status,
    )


def _names(rule: Rule, write: Write, violation: Violation) -> dict[str, str]:
    figures = violation.evidence
    earlier = violation.earlier
    names = {name: f"{value:g}" if isinstance(value, float) else str(value)
             for name, value in figures.items()}  # fmt: skip
    return names | {
        "percent": f"{_share(figures) * 100:.0f} %",
        "earlier": earlier.url if earlier and earlier.url else "another post",
        "integration": write.integration,
        "operation": write.operation,
        "team": write.team or "the main site",
        "rule": rule.id,
        "title": rule.title,
    }


def _share(figures: Mapping[str, str | int | float | bool]) -> float:
    """The share that a violation is about: how like it is, or how much of a text it is."""
    told = [figures[name] for name in ("similarity", "share", "threshold") if name in figures]
    return float(told[0]) if told else 0.0


def _filled(template: str, names: Mapping[str, str]) -> str:
    """Fill `{name}`s; the loader has seen that each is known, and nothing else is evaluated."""
    return _PLACEHOLDER.sub(lambda found: names.get(found[1], ""), template)


# ── what to ask of state, and what follows ───────────────────────────────────────────────────


def reservation(
    rules: Sequence[Rule],
    write: Write,
    findings: Sequence[Finding],
    consent: frozenset[str] = NO_CONSENT,
) -> Reservation | None:
    """Gather what to ask of state; None where there is nothing to ask or to remember.

    Where a rule that decides has failed already, nothing is charged but attempts. What publishes
    text is remembered whether or not a rule asks, so that an observed rule changes nothing. A cap
    that a person may pass is charged by itself: full, it must not keep the write from being known.
    What repeats an earlier request is found even where it would be held.
    """
    marked = _marked(findings, consent)
    against = _against(marked)
    refused = any(each.refuses or each.holds for each in against)
    skipped = {found.rule for found in findings if found.result is Result.SKIP}
    needs = [
        (rule, need)
        for rule in rules
        if rule.id in skipped and rule.check is not None
        if (need := rule.check.need(write, rule.id)) is not None
        if not refused or _is_attempt(need)
    ]
    # What is held may repeat a request that was confirmed, whose answer was lost on its way.
    final = any(each.refuses for each in against)
    is_text = write.publishes and write.fingerprint is not None
    if not needs and write.key is None and (final or not is_text):
        return None
    deciding: dict[str, Need] = {}
    others: list[dict[str, Need]] = []
    for rule, need in needs:
        passed = rule.mode is Mode.HOLD and rule.id in consent
        if rule.mode.decides and not passed:
            deciding[rule.id] = need
        else:
            others.append({rule.id: need})
    return Reservation(write=write, groups=(deciding, *others), remember=not refused)


def _is_attempt(need: Need) -> bool:
    return isinstance(need, Charge) and need.attempts


def unanswered_key() -> Finding:
    """Refuse a write whose key state could not look up: it may be there already."""
    return _keyed(Result.ERROR, STATE_UNAVAILABLE)


def repeated(policies: PolicySet, repeat: Repeat) -> Decision:
    """Let the earlier write decide: its answer is given again, or the repeat refused."""
    if repeat.kind is Repeated.ANSWERED:
        effect, findings = Effect.REPLAY, (_keyed(Result.PASS, None),)
    else:
        effect, findings = Effect.REFUSE, (_keyed(Result.FAIL, _REPEATS[repeat.kind]),)
    return Decision(
        effect=effect, revision=policies.revision, findings=findings, repeats=repeat.write_id
    )


def _keyed(result: Result, violation: Violation | None) -> Finding:
    return Finding(
        rule=IDEMPOTENCY,
        check=IDEMPOTENCY,
        mode=Mode.ENFORCE,
        result=result,
        violation=violation,
    )


_REPEATS: Mapping[Repeated, Violation] = {
    Repeated.MISMATCH: Violation(
        code="idempotency_mismatch",
        status=422,
        message="Another request was sent under this idempotency key.",
        fix="A key stands for one request: make a new one for each post.",
    ),
    Repeated.IN_FLIGHT: Violation(
        code="request_in_flight",
        status=409,
        message="The same request is being posted at this moment.",
        fix="Repeat it when it is done: it gets the same answer.",
        retry_after=2.0,
    ),
    Repeated.UNKEPT: Violation(
        code="answer_not_kept",
        status=409,
        message="This request was written already, and its answer was not kept.",
        fix="Nothing was posted again: look for the post.",
    ),
}


def consulted(reserved: Reserved, answered: float) -> Consulted:
    """Note how state answered, and when, beside what the rules made of it."""
    found = (
        post.write_id
        for answer in reserved.answers.values()
        if isinstance(answer, Found)
        for post in answer.posts
        if post.pending or post.overdue
    )
    in_flight = tuple(dict.fromkeys((*found, *reserved.overdue)))
    return Consulted(at=reserved.at, number=reserved.number, in_flight=in_flight, answered=answered)


def is_template(decision: Decision, write: Write, answers: Mapping[str, Answer]) -> bool:
    """Whether a refused text is to be remembered, for the counters of its template alone.

    So a flood does not begin anew when the first of its posts is forgotten. One that is known for an
    hour is enough for that: a flood must not fill the state either.
    """
    # What is held may be confirmed, and is then no copy of itself.
    refused = decision.effect is Effect.REFUSE and any(
        finding.violation and finding.violation.code == finding.check and finding.check in LIKENESS
        for finding in decision.violations
    )
    known = (
        post
        for answer in answers.values()
        if isinstance(answer, Found)
        for post in answer.posts
        if post.outcome is Outcome.REFUSED and post.author == write.author
    )
    return refused and all(write.at - post.at >= _REFUSED_EVERY for post in known)


def decide(
    policies: PolicySet, findings: tuple[Finding, ...], consent: frozenset[str] = NO_CONSENT
) -> Decision:
    """Let the strictest mode among the failing rules decide.

    Args:
        consent: the rules whose hold on this very request a person has confirmed.
    """
    marked = _marked(findings, consent)
    against = _against(marked)
    effect = Effect.ALLOW
    if any(finding.refuses for finding in against):
        effect = Effect.REFUSE
    elif any(finding.holds for finding in against):
        effect = Effect.HOLD
    return Decision(effect=effect, revision=policies.revision, findings=marked)


def _marked(findings: Sequence[Finding], consent: frozenset[str]) -> tuple[Finding, ...]:
    """Mark what a person confirmed: only what a rule in `hold` held."""
    if not consent:
        return tuple(findings)
    return tuple(
        replace(finding, consented=True)
        if finding.mode is Mode.HOLD and finding.holds and finding.rule in consent
        else finding
        for finding in findings
    )


def _against(findings: Sequence[Finding]) -> list[Finding]:
    """Give those that may stand against a write: of most writes none."""
    return [finding for finding in findings if finding.violation is not None]
