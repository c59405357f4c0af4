"""Policy files load whole or not at all, and every problem is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.errors import PolicyError
from gateway.policy.load import load, shipped_directory

TODAY = date(2026, 11, 24)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It is no empty policy set."""
    with pytest.raises(PolicyError, match="cannot be read"):
        load(tmp_path / "nowhere", today=TODAY)


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends one mistake to meet the next."""
    (tmp_path / "a.yaml").write_text(
        "policy: a\nowner: b\nrules: {r: {title: T, mode: never, for: [x.y]}}"
    )
    (tmp_path / "b.yaml").write_text("policy: a\nrules: {}\nextra: 1")

    with pytest.raises(PolicyError) as caught:
        load(tmp_path, today=TODAY)

    assert len(caught.value.problems) == 5
    assert {Path(problem.path).name for problem in caught.value.problems} == {"a.yaml", "b.yaml"}


def test_the_shipped_policies_load_and_enforce() -> None:
    """Without a directory they are what applies."""
    policies = load(None, today=TODAY)

    assert policies.enforcing
    assert policies.shipped
    assert policies.warnings == ()


def test_a_directory_is_the_whole_set_unless_it_tunes_the_shipped_rules(tmp_path: Path) -> None:
    """An overrides.yaml, even an empty one, keeps the shipped rules beside the site's own."""
    (tmp_path / "own.yaml").write_text(
        "policy: own\nowner: me\nrules: {mine: {title: T, mode: warn, for: ['*'], if: {title: {contains: x}}}}"
    )
    alone = load(tmp_path, today=TODAY)
    (tmp_path / "overrides.yaml").write_text(
        "already-posted: {mode: warn, duplicate: {within: 7d}}"
    )

    tuned = load(tmp_path, today=TODAY)

    assert [rule.id for rule in alone.rules] == ["mine"]
    by_id = {rule.id: rule for rule in tuned.rules}
    assert by_id["already-posted"].mode == "warn"
    assert getattr(by_id["already-posted"].check, "within", 0) == 7 * 86_400
    assert "mine" in by_id
    assert alone.revision != tuned.revision


def test_the_revision_names_the_files(tmp_path: Path) -> None:
    """The same files have the same revision, wherever they lie."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for path in shipped_directory().glob("*.yaml"):
            (tmp_path / name / path.name).write_text(path.read_text())

    assert (
        load(tmp_path / "one", today=TODAY).revision == load(tmp_path / "two", today=TODAY).revision
    )
