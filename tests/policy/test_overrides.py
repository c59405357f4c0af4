"""Shipped rules are tuned without being copied, and it can be seen what became of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.errors import PolicyError
from gateway.policy.load import load, sources
from gateway.policy.overrides import Tuning, tunings
from tests.policy.bad_files import TODAY

DAY = 86_400.0
OVERRIDES = """\
already-posted: {mode: warn, duplicate: {within: 7d, similarity: 84%}}
much-like-another: {mode: disabled, message: No.}
same-event-again: {mode: enforce}
questions-per-integration: {on_error: allow}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A site that tunes shipped rules, and has one of its own."""
    (tmp_path / "overrides.yaml").write_text(OVERRIDES)
    (tmp_path / "own.yaml").write_text(
        "policy: own\nowner: me\nrules: {mine: {title: T, mode: warn, for: ['*'], if: {title: {contains: x}}}}"
    )
    return tmp_path


def test_it_is_told_what_became_of_each_shipped_rule(directory: Path) -> None:
    """Tuned, disabled, or not: with what differs, and what could be left out."""
    found = {each.rule: each for each in tunings(sources(directory))}

    assert found["already-posted"] == Tuning(
        rule="already-posted",
        state="tuned",
        changes={"mode": ("enforce", "warn"), "duplicate.within": ("90d", "7d")},
        idle=("duplicate.similarity",),
    )
    assert found["much-like-another"].state == "disabled"
    assert found["same-event-again"] == Tuning(
        rule="same-event-again", state="as shipped", changes={}, idle=("mode",)
    )
    assert found["questions-per-integration"].changes == {"on_error": ("-", "allow")}
    assert found["person-asked"].state == "untouched"
    assert found.keys() == {rule.id for rule in load(None, today=TODAY).rules}


def test_the_command_shows_it(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    assert main(["check", str(directory), "--diff-shipped"]) == 0
    shown = capsys.readouterr().out
    assert main(["check", str(directory), "--diff-shipped", "--json"]) == 0
    told = json.load(io.StringIO(capsys.readouterr().out))

    assert "already-posted: tuned\n  mode: enforce → warn\n  duplicate.within: 90d → 7d\n" in shown
    assert "  duplicate.similarity: as shipped, leave it out\n" in shown
    assert "mine" not in shown
    assert told["shipped"]["much-like-another"]["state"] == "disabled"
    assert told["shipped"]["person-asked"] == {"state": "untouched", "changes": {}, "idle": []}


def test_a_rule_that_looks_back_further_than_state_is_kept_is_a_problem(tmp_path: Path) -> None:
    """Told where it is written; an override mends what is shipped."""
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, today=TODAY, shipped=True, kept=30 * DAY)
    tuned = "\n".join(
        f"{rule}: {{{check}: {{within: 30d}}}}"
        for rule, check in (
            ("already-posted", "duplicate"),
            ("same-answer-elsewhere", "boilerplate"),
        )
    )
    (tmp_path / "overrides.yaml").write_text(tuned)

    assert load(tmp_path, today=TODAY, kept=30 * DAY).shipped
    assert {problem.text for problem in caught.value.problems} == {
        "longer than state is kept: at most 30d (state.keep)"
    }
    assert {Path(problem.path).name for problem in caught.value.problems} == {
        "no-boilerplate.yaml",
        "no-copies.yaml",
    }


def test_a_mistake_is_told_in_the_file_where_it_stands(tmp_path: Path) -> None:
    """Of a rule out of two files, in the one or the other."""
    (tmp_path / "overrides.yaml").write_text(
        "looks-like-a-log: {log_text: {share: 0%}}\nalready-posted: {message: '{percentt}'}\n"
    )

    with pytest.raises(PolicyError) as caught:
        load(tmp_path, today=TODAY)

    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == [
        "overrides.yaml:1:38: at 0% every text would fail",
        "overrides.yaml:2:27: no figure is called {percentt}; did you mean 'percent'?",
    ]
