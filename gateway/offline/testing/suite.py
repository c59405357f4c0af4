"""Policies with their tests, read together, so that all mistakes of both are told at once."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import PolicyError, Problem
from gateway.offline.testing.cases import Case, read_cases
from gateway.policy.load import Source, load, shipped_directory, sources, tests_apart
from gateway.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A policy set, and the tests that stand with it.

    Attributes:
        files: those that hold rules of the directory itself.
    """

    policies: PolicySet
    cases: tuple[Case, ...]
    files: tuple[Source, ...]


def read_suite(directory: Path | None, *, today: datetime.date) -> Suite:
    """Read a directory's policies and tests; without one, those that come with the gateway.

    Where a directory tunes shipped rules, their own tests are left out: what they expect may
    well be what was tuned.

    Raises:
        PolicyError: with all problems.
    """
    files = sources(directory, shipped=directory is None)
    tests = (*files, *tests_apart(directory or shipped_directory()))
    try:
        policies = load(directory, today=today)
    except PolicyError as error:
        raise PolicyError(_with_those_of(tests, error.problems)) from error
    rules = {rule.id for rule in policies.rules}
    cases = read_cases(tests, rules=rules, integrations=policies.registry.names)
    return Suite(policies=policies, cases=cases, files=files)


def _with_those_of(tests: Collection[Source], problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    try:
        read_cases(tests)
    except PolicyError as error:
        problems = (*problems, *error.problems)
    return tuple(sorted(set(problems)))
