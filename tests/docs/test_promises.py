"""Each promise of the page on security is held by tests that are there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.shared import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
PROMISES = dict(re.findall(r"^\| (\d+) \| .* \| (.+) \|$", PAGE, re.MULTILINE))
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", "".join(PROMISES.values()))))


def test_all_fifteen_promises_are_held() -> None:
    """Each has its row, in order, and a test."""
    assert [*PROMISES] == [str(number) for number in range(1, 16)]
    assert all("::" in held for held in PROMISES.values())


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_is_there(named: str) -> None:
    """Who reads the page can run it by the name that stands there."""
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}
