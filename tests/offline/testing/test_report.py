"""A failing test shows the difference, to people and to tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gateway.offline.testing.play import Played
from gateway.offline.testing.report import Ink, document, junit, lines
from gateway.offline.testing.suite import read_suite
from tests.offline.testing.stories import CAP, COPIES, LONG, TODAY, played, suite

STEPS: list[dict[str, Any]] = [
    {"answer.create": 1, "expect": "pass"},
    {"answer.create": 2, "after": "1h", "expect": {"refused_by": ["cap", "copies"], "status": 429}},
]


@pytest.fixture
def failed(tmp_path: Path) -> list[Played]:
    """A test whose second step is refused by one rule of two."""
    return played(suite(tmp_path, f"{COPIES}\n{CAP}", STEPS, body=LONG, **{"as": "help-bot"}))


def test_people_see_the_step_the_difference_and_what_was_found(failed: list[Played]) -> None:
    """With what the rules say, their figures, and what became of the rule that is missing."""
    told = list(lines(failed, Ink(colours=False)))

    path = failed[0].case.path
    assert told[:-1] == [
        "FAIL p.yaml: story",
        "",
        "story",
        f"{path}:6:198: step 2, answer.create 2 as help-bot, Mon 2026-01-05 09:00:00 UTC",
        "  refused_by  expected cap, copies",
        "              found    copies",
        "  status      expected 429",
        "              found    400",
        "  what the rules found:",
        "    copies (enforce): This text already stands in another post.",
        "      code duplicate, threshold 0.84, similarity 1, relation same_author, of_this 1, of_the_earlier 1",
        "    cap: passed",
        "",
    ]  # fmt: skip
    assert told[-1].startswith("1 test, 1 failed (")


def test_a_rule_that_does_not_look_at_the_write_is_told(tmp_path: Path) -> None:
    """It is not the same as one that lets it pass."""
    narrow = COPIES.replace("'*'", "question.create")
    steps = [{"answer.create": 1, "expect": {"refused_by": ["copies"]}}]

    told = list(lines(played(suite(tmp_path, narrow, steps)), Ink(colours=False)))

    assert any(line.startswith("    copies: does not look at this write") for line in told)


def test_colours_are_for_terminals(failed: list[Played]) -> None:
    """Only who asks for them gets any."""
    assert "\x1b" in "".join(lines(failed, Ink(colours=True)))
    assert "\x1b" not in "".join(lines(failed, Ink(colours=False)))


def test_tools_get_it_as_json(failed: list[Played]) -> None:
    """The same, by names."""
    told = document(failed, "r")

    failure = told["tests"][0]["failure"]
    assert told["revision"] == "r"
    assert failure["step"] == 2
    assert failure["differences"][0] == {
        "key": "refused_by", "expected": "cap, copies", "found": "copies",
    }  # fmt: skip
    assert failure["findings"][0]["evidence"]["similarity"] == 1.0


def test_ci_systems_get_it_as_junit_has_it(failed: list[Played]) -> None:
    """Suites with counts that are those of their cases, and attributes that the schema knows."""
    root = ET.fromstring(junit([*failed, *failed]))

    assert root.tag == "testsuites"
    (each,) = root
    assert each.tag == "testsuite"
    assert {name: each.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "2", "failures": "2", "errors": "0", "skipped": "0",
    }  # fmt: skip
    assert float(each.get("time", "-1")) >= 0
    assert [case.tag for case in each] == ["testcase", "testcase"]
    case = each[0]
    assert (case.get("classname"), case.get("name")) == ("p.yaml", "story")
    assert case.keys() == ["classname", "name", "file", "line", "time"]
    (failure,) = case
    assert failure.tag == "failure"
    assert failure.keys() == ["message", "type"]
    assert "expected cap, copies" in (failure.text or "")


def test_a_name_that_xml_has_no_room_for_is_still_told(tmp_path: Path) -> None:
    """A report that nobody can read fails the wrong job."""
    steps = [{"answer.create": 1, "expect": "pass"}]
    suite(tmp_path, COPIES, steps)
    text = (tmp_path / "p.yaml").read_text().replace('"story"', '"a \\uFFFE <b> & c"')
    (tmp_path / "p.yaml").write_text(text)

    root = ET.fromstring(junit(played(read_suite(tmp_path, today=TODAY))))

    assert root[0][0].get("name") == "a \ufffd <b> & c"
