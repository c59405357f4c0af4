"""What policies leave alone is told, and so is a rule that no test would miss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.offline.testing.coverage import cover
from gateway.offline.testing.play import play
from gateway.offline.testing.suite import read_suite
from gateway.policy.load import shipped_directory
from gateway.soe.api import OPERATIONS
from tests.offline.testing.stories import CAP, COPIES, LONG, TODAY, suite

SHIPPED = read_suite(None, today=TODAY)
STEPS: list[dict[str, Any]] = [
    {"answer.create": 1, "expect": "pass"},
    {"answer.create": 2, "expect": {"code": "duplicate"}},
]


@pytest.mark.parametrize("absent", [rule.id for rule in SHIPPED.policies.rules])
def test_a_shipped_rule_that_is_deleted_makes_a_shipped_test_fail(absent: str) -> None:
    """Each of them is there for something, and that is written down."""
    rules = tuple(rule for rule in SHIPPED.policies.rules if rule.id != absent)
    policies = replace(SHIPPED.policies, rules=rules)

    assert any(each.failure for each in play(policies, SHIPPED.cases))


def test_the_shipped_tests_pass_under_the_shipped_rules() -> None:
    """Else nothing above would tell anything."""
    assert [each.case.name for each in play(SHIPPED.policies, SHIPPED.cases) if each.failure] == []


def test_a_rule_that_no_test_misses_is_named_with_its_place(tmp_path: Path) -> None:
    """A cap that is never used up is not tested."""
    wide = CAP.replace("limit: 1", "limit: 9")
    found = cover(suite(tmp_path, f"{COPIES}\n{wide}", STEPS, body=LONG))

    assert [str(place) for place in found.untested] == [f"{tmp_path}/p.yaml:5:3: cap"]
    assert found.tried == 2


def test_a_rule_that_is_disabled_is_not_asked_for(tmp_path: Path) -> None:
    """Nobody would miss it, and that is known."""
    disabled = CAP.replace("enforce", "disabled")

    found = cover(suite(tmp_path, f"{COPIES}\n{disabled}", STEPS, body=LONG))

    assert (found.tried, found.untested) == (1, ())


def test_shipped_rules_are_tested_by_their_own_tests(tmp_path: Path) -> None:
    """Who tunes one need not test them all."""
    (tmp_path / "overrides.yaml").write_text("already-posted: {mode: observe}")
    step = {"question.edit": 2, "expect": {"refused_by": ["copies"]}}
    steps: list[dict[str, Any]] = [{"question.edit": 1, "expect": "pass"}, step]

    found = cover(suite(tmp_path, COPIES, steps, body=LONG))

    assert (found.tried, found.failing, found.untested) == (1, (), ())


def test_nothing_is_tried_while_a_test_fails(tmp_path: Path) -> None:
    """A test that fails anyway notices nothing."""
    steps: list[dict[str, Any]] = [{"answer.create": 1, "expect": {"refused_by": ["copies"]}}]

    found = cover(suite(tmp_path, COPIES, steps))

    assert [each.case.name for each in found.failing] == ["story"]
    assert found.tried == 0


def test_writes_that_no_rule_looks_at_are_told_apart_from_those_that_are_watched(
    tmp_path: Path,
) -> None:
    """A warning stops nothing."""
    rules = (
        "a: {title: A, mode: enforce, for: ['answer.*'], duplicate: {within: 1d}}\n"
        "b: {title: B, mode: warn, for: ['answer.*', 'vote.*'], duplicate: {within: 1d}}\n"
        "c: {title: C, mode: disabled, for: ['*'], duplicate: {within: 1d}}"
    )
    steps: list[dict[str, Any]] = [{"vote.up": 1, "expect": "pass"}]

    found = cover(suite(tmp_path, rules, steps))

    assert found.watched == ("vote.down", "vote.down_undo", "vote.up", "vote.up_undo")
    answers = {name for name in OPERATIONS if name.startswith("answer.")}
    assert set(found.unwatched) == OPERATIONS - answers - set(found.watched)


def test_the_command_exits_1_where_a_rule_is_untested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that CI can ask for it."""
    suite(tmp_path, f"{COPIES}\n{CAP.replace('limit: 1', 'limit: 9')}", STEPS, body=LONG)

    assert main(["check", "--coverage", str(tmp_path)]) == 1

    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/p.yaml:5:3: no test misses the rule 'cap'",
        "2 rules taken away in turn, 1 missed by a test",
    ]


def test_the_command_tells_it_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For tools, and exit 0 where every rule is tested."""
    suite(tmp_path, COPIES.replace("'*'", "answer.create"), STEPS, body=LONG)

    assert main(["check", "--coverage", "--json", str(tmp_path)]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["tried"], told["untested"], told["watched"]) == (1, [], [])
    assert len(told["unwatched"]) == len(OPERATIONS) - 1


def test_the_command_tells_which_writes_nobody_looks_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By what they are about, with their number."""
    assert main(["check", "--coverage"]) == 0

    told = capsys.readouterr().out
    assert "  vote            4  down, down_undo, up, up_undo\n" in told


def test_the_shipped_directory_may_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Its rules stand in nobody's way there."""
    for words in (["check"], ["check", "--coverage"], ["test"]):
        assert main([*words, str(shipped_directory())]) == 0
