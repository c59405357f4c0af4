"""The tests of policies as they stand in files, under `tests:`.

    tests:
      the second copy is refused:
        given: {as: help-bot, action: "true", body: …}
        steps:
          - {answer.create: 11, expect: pass}
          - {answer.create: 12, after: 1h, soe: 404, expect: {refused_by: [same-answer-elsewhere]}}

What may stand there is told by `policy.cases`; what it means together is looked at here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.errors import PolicyError, Problem
from gateway.offline.expect import Expected
from gateway.offline.steps import Step, StepReader, Told
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Sequence
from gateway.policy.cases import CASES_FILE, TESTS
from gateway.policy.load import CASES, Source
from gateway.policy.reader import PolicyReader

START = 1_767_600_000.0
"""Where the clock of a test begins that says nothing else: a Monday, 2026-01-05 at 08:00 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test: its steps share one state."""

    path: str
    mark: Mark
    name: str
    steps: tuple[Step, ...]


def read_cases(
    sources: Iterable[Source],
    *,
    rules: Collection[str] | None = None,
    integrations: Collection[str] = (),
) -> tuple[Case, ...]:
    """Read the tests in files of policies, and in files of their own.

    Args:
        rules: the names of all rules; None where they are not known.
        integrations: the names of those that are registered; where none is, any may stand here.

    Raises:
        PolicyError: with every mistake in them.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for source in sources:
        if source.is_policy:
            reader = PolicyReader(source.path)
            cases += _read_file(reader, source.text, StepReader(reader, rules, integrations))
            problems += reader.problems
    if problems:
        raise PolicyError(tuple(sorted(set(problems))))
    return tuple(cases)


def _read_file(reader: PolicyReader, text: str, steps: StepReader) -> list[Case]:
    root = reader.compose(text)
    if root is None:
        return []
    tests = root.items.get("tests")
    if reader.path.endswith(CASES):
        read = (CASES_FILE.read(reader, root) or {}).get("tests")
    else:
        read = None if tests is None else TESTS.read(reader, tests)
    if not isinstance(tests, MappingNode) or read is None:
        return []
    return [
        _case(reader, name, tests, told, steps) for name, told in read.items() if told is not None
    ]


def _case(
    reader: PolicyReader, name: str, tests: MappingNode, told: dict[str, Any], steps: StepReader
) -> Case:
    test = tests.items[name]
    assert isinstance(test, MappingNode)
    listed, given = test.items.get("steps"), test.items.get("given")
    shared = Told.of(given, told.get("given"))
    nodes = listed.items if isinstance(listed, Sequence) else ()
    pairs = [Told.of(*each) for each in zip(nodes, told.get("steps") or (), strict=False)]
    read = steps.read(pairs, shared, shared.values.get("at", START))
    if not reader.problems and not any(step.expect != Expected() for step in read):
        reader.problem(tests.keys[name], "no step of this test says what to expect")
    return Case(path=reader.path, mark=tests.keys[name], name=name, steps=read)
