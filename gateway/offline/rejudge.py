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
from gateway.offline.recorded import NotKeptError, Recorded
from gateway.policy.decide import judge, judges
from gateway.policy.policyset import PolicySet, Rule


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

    def begin(self, decision: Recorded) -> Judged:
        """Judge without answers of state."""
        judged, seen = Judged(), decision.seen
        for rule in self._policies.by_operation.get(decision.write.operation, ()):
            if not self._selects(rule, seen, decision, judged):
                continue
            finding = self._finding(rule, seen, decision, None, judged)
            if finding is not None:
                judged.rules.append(rule)
                judged.findings.append(finding)
        return judged

    def go_on(
        self, judged: Judged, decision: Recorded, answers: Mapping[str, Answer] | StoreError
    ) -> None:
        """Judge anew what was skipped, with the answers of state."""
        seen = decision.seen
        for index, rule in enumerate(judged.rules):
            skipped = judged.findings[index].result is Result.SKIP
            if skipped and rule.id not in judged.fixed:
                finding = self._finding(rule, seen, decision, answers, judged)
                assert finding is not None  # what it looks at was there before
                judged.findings[index] = finding

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

    def _finding(
        self,
        rule: Rule,
        seen: Write,
        decision: Recorded,
        answers: Mapping[str, Answer] | StoreError | None,
        judged: Judged,
    ) -> Finding | None:
        try:
            return judge((rule,), _looked_at(rule, seen, decision), answers)[0]
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
    told = [tuple(each[name] for name in _ESSENCE) for each in before]
    return told == [_essence(each) for each in now]


_ESSENCE = ("rule", "check", "mode", "result", "code", "open")


def _essence(finding: Finding) -> tuple[object, ...]:
    code = finding.violation.code if finding.violation else None
    return finding.rule, finding.check, finding.mode, finding.result, code, finding.open
