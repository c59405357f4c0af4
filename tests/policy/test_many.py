"""Many rules are read in a time that grows with them, and cost a write nothing that it has not asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.policy.decide import decide, judge, select
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from tests.pace import ATTEMPTS, grows_linearly, thread_seconds
from tests.policy.bad_files import TODAY
from tests.samples import a_write

FEW = 4
"""Rules of each set that are for the write's own operation."""
RULE = (
    "  rule-{number}: {{title: T, mode: enforce, for: [{operation}], "
    "if: {{body: {{contains: [ticket, desk]}}}}, explicit_action: {{evidence: literal}}}}\n"
)


def a_set(directory: Path, rules: int) -> PolicySet:
    """Load so many rules, of which a few are for questions."""
    operations = ["question.create"] * FEW + ["answer.edit"] * (rules - FEW)
    lines = [RULE.format(number=n, operation=each) for n, each in enumerate(operations)]
    (directory / "many.yaml").write_text("policy: p\nowner: o\nrules:\n" + "".join(lines))
    return load(directory, today=TODAY)


def test_loading_takes_time_in_proportion_to_the_rules(tmp_path: Path) -> None:
    """Sixteen times as many rules take some sixteen times as long, not that squared."""
    assert grows_linearly(lambda rules: a_set(tmp_path, rules), 32)


def test_a_write_asks_the_rules_of_its_operation_alone(tmp_path: Path) -> None:
    """In their order, whatever stands beside them."""
    policies = a_set(tmp_path, 500)

    assert [rule.id for rule in policies.by_operation["question.create"]] == [
        f"rule-{number}" for number in range(FEW)
    ]
    assert len(policies.by_operation["answer.edit"]) == 500 - FEW
    assert policies.by_operation.keys() == {"question.create", "answer.edit"}


@pytest.mark.parametrize("rules", [10, 500])
def test_all_rules_are_in_the_set(tmp_path: Path, rules: int) -> None:
    """Each stands in it, found or not."""
    assert len(a_set(tmp_path, rules).rules) == rules


def test_a_write_costs_under_many_rules_what_it_costs_under_few(tmp_path: Path) -> None:
    """At most twice as much; a busy machine only lengthens a run, so the least of some counts."""

    def work(policies: PolicySet) -> None:
        write = a_write()
        for _ in range(200):
            rules = select(policies, write)
            decide(policies, judge(rules, write, None))

    few, many = a_set(tmp_path, 10), a_set(tmp_path, 500)
    least_few = least_many = float("inf")
    for _ in range(ATTEMPTS):
        least_few = min(least_few, thread_seconds(lambda _: work(few), 0))
        least_many = min(least_many, thread_seconds(lambda _: work(many), 0))
        if least_many < 2 * least_few:
            return
    pytest.fail(f"{least_many / least_few:.1f} times")
