"""Every mistake that the loader can tell has an example, and is told in its place."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateway import parse
from gateway.policy import load as loader
from gateway.policy.composites import Later
from gateway.policy.language import OVERRIDES, POLICY, REGISTRY, TESTS
from tests.policy.bad_files import BAD, expected, told

SOURCES = (Path(parse.__file__), *sorted(Path(loader.__file__).parent.glob("*.py")))
RAISING = ("problem", "Problem", "ListError", "warn")


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_bad_file_is_told_with_its_place(path: Path, tmp_path: Path) -> None:
    """The first line of the file says what the loader must say, and that is all it says."""
    assert told(path, tmp_path) == [expected(path)]


def sites() -> Iterator[tuple[str, int]]:
    """Every place in the code that notes a problem or a warning, or raises one."""
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name not in RAISING:
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and _name(node.func) in RAISING:
                        yield str(source), node.lineno


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def test_every_mistake_that_the_code_can_tell_has_a_bad_file(tmp_path: Path) -> None:
    """A new problem comes with an example of it: each place that notes one is reached by some."""
    files, reached = {str(source) for source in SOURCES}, set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for number, path in enumerate(BAD):
            told(path, tmp_path / str(number))
    finally:
        sys.settrace(before)

    found = set(sites())
    missing = [f"{Path(file).name}:{line}" for file, line in sorted(found - reached)]
    assert missing == []
    assert len(found) >= 60


def sayings(value: Any, seen: set[int]) -> Iterator[str]:
    """What the rows of the language say of a mistake in their own words."""
    if isinstance(value, Later) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        for each in value.values():
            yield from sayings(each, seen)
    elif isinstance(value, tuple):
        for each in value:
            yield from sayings(each, seen)
    elif is_dataclass(value):
        for each in fields(value):
            below = getattr(value, each.name)
            if each.name in ("why", "nothing"):
                yield below
            elif each.name in ("but", "refused"):
                yield from below.values()
            else:
                yield from sayings(below, seen)


def test_every_mistake_that_the_tables_can_tell_has_a_bad_file() -> None:
    """A row that says in its own words what is wrong has an example as well."""
    said = {text.partition("{")[0] for text in sayings((POLICY, REGISTRY, OVERRIDES, TESTS), set())}
    examples = "\n".join(expected(path) for path in BAD)

    missing = {text for text in said if text not in examples}
    assert len(said) >= 20
    assert missing == set()
