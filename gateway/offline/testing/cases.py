"""The tests of policies as they stand in files, under `tests:`.

    tests:
      the second copy is refused:
        given: {as: help-bot, action: "true", body: …}
        steps:
          - {answer.create: 11, expect: pass}
          - {answer.create: 12, after: 1h, soe: 404, expect: {refused_by: [same-answer-elsewhere]}}

`given` stands for every step, and may say when the story begins. They stand beside rules, or in
files of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import PolicyError, Problem
from gateway.offline.testing.expect import Expected
from gateway.offline.testing.steps import Step, StepReader
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, Sequence
from gateway.policy.language import GIVEN, STEP_KEYS, TEST, TESTS
from gateway.policy.load import CASES, INTEGRATIONS, OVERRIDES, Source

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
        if Path(source.path).name in (INTEGRATIONS, OVERRIDES):
            continue
        reader = Reader(source.path)
        cases += _read_file(reader, source.text, StepReader(reader, rules, integrations))
        problems += reader.problems
    if problems:
        raise PolicyError(tuple(sorted(set(problems))))
    return tuple(cases)


def _read_file(reader: Reader, text: str, steps: StepReader) -> list[Case]:
    root = reader.compose(text)
    if root is not None and reader.path.endswith(CASES):
        reader.mapping(root, keys=TESTS.rows, required=("tests",))
    tests = root.items.get("tests") if root else None
    mapping = reader.mapping(tests) if tests is not None else None
    if mapping is None:
        return []
    return [
        case
        for name, node in mapping.items.items()
        if (case := _case(reader, name, mapping.keys[name], node, steps)) is not None
    ]


def _case(reader: Reader, name: str, mark: Mark, node: Node, steps: StepReader) -> Case | None:
    mapping = reader.mapping(node, keys=TEST.rows, required=("steps",))
    if mapping is None or "steps" not in mapping.items:
        return None
    listed = mapping.items["steps"]
    given = reader.mapping(
        mapping.items.get("given", MappingNode(mapping.mark, {}, {})), keys=GIVEN.rows
    )
    if not isinstance(listed, Sequence) or given is None:
        reader.problem(listed, "'steps' takes a list")
        return None
    at = reader.instant(given.items["at"]) if "at" in given.items else START
    shared = {key: value for key, value in given.items.items() if key in STEP_KEYS}
    before = len(reader.problems)
    read = steps.read(listed, shared, at or START)
    if before == len(reader.problems) and not any(step.expect != Expected() for step in read):
        reader.problem(mark, "no step of this test says what to expect")
    return Case(path=reader.path, mark=mark, name=name, steps=read)
