"""`soe-gateway test`: what it chooses, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gateway.cli import main
from tests.offline.testing.stories import COPIES, suite

PASSES = {"answer.create": 1, "expect": "pass"}
FAILS = {"answer.create": 1, "expect": {"refused_by": ["copies"]}}


def test_a_test_is_chosen_by_a_part_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Of its file's name, too, in any case."""
    assert main(["test", "-k", "DISGUISE"]) == 0
    assert "1 test, 0 failed" in capsys.readouterr().out

    assert main(["test", "-k", "no-copies"]) == 0
    assert "5 tests, 0 failed" in capsys.readouterr().out


def test_a_name_that_no_test_has_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """A job that runs nothing must not look well."""
    assert main(["test", "-k", "no such test"]) == 2
    assert capsys.readouterr().out == "no test has 'no such test' in its name\n"


def test_a_failing_test_exits_1_and_is_told_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In JSON and in JUnit's file alike."""
    suite(tmp_path, COPIES, [FAILS])
    report = tmp_path / "report.xml"

    assert main(["test", str(tmp_path), "--json", "--junit", str(report)]) == 1

    told = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["passed"]) for each in told["tests"]] == [("story", False)]
    assert ET.parse(report).getroot().get("failures") == "1"


def test_a_report_that_cannot_be_written_is_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told with the reason."""
    suite(tmp_path, COPIES, [PASSES])

    assert main(["test", str(tmp_path), "--junit", str(tmp_path / "no" / "r.xml")]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["test"], ["check"], ["check", "--coverage"]])
def test_mistakes_are_told_with_their_place(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words and as JSON, and nothing is played."""
    (tmp_path / "p.test.yaml").write_text("tests: {t: {steps: [{vote.upp: 1, expect: pass}]}}")
    text = (
        f"{tmp_path}/p.test.yaml:1:22: no operation is called 'vote.upp'; did you mean 'vote.up'?"
    )

    assert main([*words, str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == text

    assert main([*words, str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"problems": [text]}
