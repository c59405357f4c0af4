"""Stories for tests of the tests: a policy, and the steps that are played under it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from gateway.model import Mode
from gateway.offline.testing.play import Played, play
from gateway.offline.testing.suite import Suite, read_suite

TODAY = date(2026, 11, 24)
LONG = "Restart the agent, clear its cache, wait a minute and then log in again with your badge."
COPIES = (
    "copies: {title: No copies, mode: enforce, for: ['*'], duplicate: {within: 1d},"
    " fix: Link to it.}"
)
CAP = "cap: {title: One an hour, mode: enforce, for: ['*'], rate_cap: {limit: 1, window: 1h}}"
ACT = "act: {title: Asked, mode: enforce, for: ['*'], explicit_action: {evidence: asserted}}"


def suite(
    directory: Path, rules: str, steps: list[dict[str, Any]], exceptions: str = "", **given: Any
) -> Suite:
    """One policy with one test, called `story`."""
    lines = ["policy: p", "owner: o", "rules:", *(f"  {rule}" for rule in rules.splitlines())]
    if exceptions:
        lines.append(f"exceptions: {exceptions}")
    lines.append(f"tests: {json.dumps({'story': {'given': given, 'steps': steps}})}")
    (directory / "p.yaml").write_text("\n".join(lines))
    return read_suite(directory, today=TODAY)


def holding(suite: Suite, *rules: str) -> Suite:
    """The same with rules that hold."""
    changed = tuple(
        replace(rule, mode=Mode.HOLD) if rule.id in rules else rule for rule in suite.policies.rules
    )
    return replace(suite, policies=replace(suite.policies, rules=changed))


def differences(suite: Suite) -> list[tuple[int, str, str, str]]:
    """What differs: the step, the key, what was expected and what was found."""
    return [
        (each.failure.step.place, found.key, found.expected, found.found)
        for each in played(suite)
        if each.failure
        for found in each.failure.differences
    ]


def played(suite: Suite) -> list[Played]:
    """How the tests of a suite end."""
    return play(suite.policies, suite.cases)
