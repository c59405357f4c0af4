"""Judges a recorded write by rules, as far as its record goes. Pure.

Where a rule looks at what was not kept, the record's own word about that rule stands in: that its
conditions held, or what it found. It is right where the rule is as it was; under the revision that
decided, it always is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.checks import LIKENESS
from gateway.errors import StoreError
from gateway.model import Answer, Finding, Mode, Result, Violation, Write
from gateway.offline.records.decision import NotKeptError, Recorded
from gateway.policy.decide import judge, judges
from gateway.policy.match import applies
from gateway.policy.policyset import PolicySet, Rule

_DAY = 86_400.0
_TEXT = frozenset(("title", "body", "user_agent"))
"""What neither the narrowing keys nor a check that asks state look at."""


@dataclass(slots=True)
class Judged:
    """Rules and what they found so far.

    Attributes:
        fixed: rules whose recorded finding stands in, and what they lacked.
        assumed: rules whose conditions are taken to hold, and what they lacked.
        unjudged: rules that nothing can be said of, and what they lacked.
    """

    rules: list[Rule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    fixed: dict[str, str] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)
    unjudged: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> list[Finding]:
        """The findings, of which only rules that may ask state are still open."""
        if not self.fixed:
            return self.findings
        return [
            replace(found, result=Result.PASS)
            if found.result is Result.SKIP and found.rule in self.fixed
            else found
            for found in self.findings
        ]


class Rejudging:
    """A policy set, ready to judge recorded writes."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._revision = policies.revision.partition("+")[0]  # of the files, whatever the modes
        self._narrowed: dict[tuple[object, ...], tuple[Rule, ...]] = {}
        self._open: dict[str, Finding] = {}

    def begin(self, decision: Recorded) -> Judged:
        """Judge without answers of state."""
        judged, seen = Judged(), decision.seen
        is_kept = decision.lacking <= _TEXT  # but for text, which few rules look at
        for rule in self._candidates(decision):
            always = is_kept and rule.condition is None and not rule.tags
            if not always and not self._selects(rule, seen, decision, judged):
                continue
            if is_kept and rule.check is not None and rule.check.needs_state:
                finding = self._first(rule, seen, decision, judged)
            else:
                finding = self._finding(rule, seen, decision, judged)
            if finding is not None:
                judged.rules.append(rule)
                judged.findings.append(finding)
        return judged

    def go_on(
        self, judged: Judged, decision: Recorded, answers: Mapping[str, Answer] | StoreError
    ) -> None:
        """Judge anew what was skipped, with the answers of state.

        What these rules look at was there when they were judged before.
        """
        found = judge(judged.rules, decision.write, answers, judged.known)
        judged.findings = [
            before if before.rule in judged.fixed else now
            for before, now in zip(judged.findings, found, strict=True)
        ]

    def _candidates(self, decision: Recorded) -> tuple[Rule, ...]:
        """Give the rules that may judge a write; those that certainly do not are left out."""
        write = decision.write
        day = write.at // _DAY if self._policies.waived else 0
        key = (write.operation, write.integration, write.tier, write.team, day)
        if not decision.lacking <= _TEXT:
            return self._policies.by_operation.get(write.operation, ())
        if key not in self._narrowed:
            self._narrowed[key] = tuple(
                rule
                for rule in self._policies.by_operation.get(write.operation, ())
                if rule.tags or applies(rule, write, self._policies)
            )
        return self._narrowed[key]

    def _selects(self, rule: Rule, write: Write, decision: Recorded, judged: Judged) -> bool:
        try:
            return judges(rule, write, self._policies)
        except NotKeptError as lacking:
            if rule.id in decision.findings:
                judged.assumed[rule.id] = str(lacking)
                return True
            if decision.rules != self._revision:  # else it did not judge it
                judged.unjudged[rule.id] = str(lacking)
            return False

    def _first(self, rule: Rule, seen: Write, decision: Recorded, judged: Judged) -> Finding | None:
        """Judge without state; that a rule waits for its answer is always the same finding."""
        assert rule.check is not None
        if rule.id not in self._open or rule.check.need(decision.write, rule.id) is None:
            finding = self._finding(rule, seen, decision, judged)
            if finding is not None and finding.result is Result.SKIP:
                self._open[rule.id] = finding
            return finding
        return self._open[rule.id]

    def _finding(
        self,
        rule: Rule,
        seen: Write,
        decision: Recorded,
        judged: Judged,
    ) -> Finding | None:
        try:
            return judge((rule,), _looked_at(rule, seen, decision), None)[0]
        except NotKeptError as lacking:
            told = decision.findings.get(rule.id)
            if told is None:
                judged.unjudged[rule.id] = str(lacking)
                return None
            judged.fixed[rule.id] = str(lacking)
            return replace(finding_of(told, rule.mode), consented=False)  # that is to be decided


def _looked_at(rule: Rule, seen: Write, decision: Recorded) -> Write:
    """What a check may look at: likeness is judged by prints, and cuts passages from the text."""
    if rule.check is None or rule.check.name not in LIKENESS:
        return seen
    if "prints" in decision.lacking and decision.write.fingerprint is not None:
        raise NotKeptError("prints")  # before state is asked
    return decision.write


def finding_of(told: Mapping[str, object], mode: Mode | None = None) -> Finding:
    """Give a recorded finding, under the mode that its rule has now."""
    violation = None
    if told["code"] is not None:
        evidence = told.get("evidence")
        status = told.get("status")
        violation = Violation(
            code=str(told["code"]),
            status=status if isinstance(status, int) else 0,
            message="",
            evidence=evidence if isinstance(evidence, Mapping) else {},
            confirmable=bool(told.get("confirmable")),
        )
    return Finding(
        rule=str(told["rule"]),
        check=str(told["check"]),
        mode=mode or Mode(str(told["mode"])),
        result=Result(str(told["result"])),
        violation=violation,
        open=bool(told["open"]),
        consented=bool(told.get("consented")),
    )


def reasons(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give the findings that decided against a write."""
    return tuple(each for each in findings if each.refuses or each.holds)


def same(before: Iterable[Mapping[str, Any]], now: Sequence[Finding]) -> bool:
    """Whether a recorded judgement found the same as one of now."""
    told = [*before]
    return len(told) == len(now) and all(map(_is_same, told, now))


def _is_same(told: Mapping[str, Any], finding: Finding) -> bool:
    code = finding.violation.code if finding.violation else None
    return bool(
        told["rule"] == finding.rule
        and told["result"] == finding.result
        and told["code"] == code
        and told["mode"] == finding.mode
        and told["check"] == finding.check
        and told["open"] == finding.open
    )
