"""What many rules cost: loading a directory of them, and judging a write under them.

The write's operation has the same few rules in every set; the others are for other operations.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from gateway.model import Api, Post, Write
from gateway.policy.decide import decide, judge, select
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.text.fingerprint import fingerprint

SIZES = (10, 500)
_FEW = 4
_POST = Post(
    title="How do I rotate the signing key?",
    body="The key of the payment service runs out next week, and nobody knows where it is.",
    tags=("keys",),
)


def write_policies(directory: Path, rules: int) -> None:
    """Write a policy of so many rules, a few of which are for questions."""
    lines = ["policy: many", "owner: bench", "rules:"]
    for number in range(rules):
        operation = "question.create" if number < _FEW else ("vote.up", "comment.edit")[number % 2]
        lines.append(
            f"  rule-{number}: {{title: T, mode: enforce, for: [{operation}], "
            "explicit_action: {evidence: literal}, message: 'no, {integration}'}"
        )
    (directory / "many.yaml").write_text("\n".join(lines) + "\n")


def loaded(rules: int) -> PolicySet:
    """Load a set of so many rules."""
    with tempfile.TemporaryDirectory() as folder:
        write_policies(Path(folder), rules)
        return load(Path(folder), today=date(2026, 1, 5))


def judged(policies: PolicySet) -> None:
    """Judge one write under a set."""
    rules = select(policies, _WRITE)
    decide(policies, judge(rules, _WRITE, None))


_WRITE = Write(
    id="w",
    at=1_767_600_000.0,
    integration="help-bot",
    api=Api.V3,
    operation="question.create",
    publishes=True,
    post=_POST,
    fingerprint=fingerprint(_POST),
    actions=("true",),
)


def seconds(work: Callable[[], object], times: int) -> float:
    """Give the processor's seconds for one piece of work: the median of nine rounds."""
    rounds = []
    for _ in range(9):
        started = time.thread_time()
        for _ in range(times):
            work()
        rounds.append((time.thread_time() - started) / times)
    return median(rounds)


def main() -> int:
    """Measure, and print the ratio."""
    few, many = (loaded(size) for size in SIZES)
    costs = [seconds(partial(judged, policies), 2_000) for policies in (few, many)]
    loading = [seconds(partial(loaded, size), 1) for size in SIZES]
    print(f"{'':24}{SIZES[0]:>10} rules{SIZES[1]:>10} rules{'ratio':>10}")
    print(f"{'judging a write, us':24}{costs[0] * 1e6:>16.1f}{costs[1] * 1e6:>16.1f}{costs[1] / costs[0]:>10.2f}")  # fmt: skip
    print(f"{'loading, ms':24}{loading[0] * 1e3:>16.1f}{loading[1] * 1e3:>16.1f}{loading[1] / loading[0]:>10.2f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
