"""A run that ended knows where to go on, and when not to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.offline.seed.progress import Progress

NOW = 1_795_000_000.0
KEEP = 90 * 86_400.0
ABOUT = {"upstream": "https://soe.example.com", "state": "sqlite:///state.db", "epoch": "e1"}


def progress(path: Path, at: float = NOW, about: Mapping[str, str] = ABOUT) -> Progress:
    """The record of a run."""
    return Progress(path / "seed.json", about, at, KEEP)


def test_a_position_is_found_by_the_next_run(tmp_path: Path) -> None:
    """And so is the instant at which the reading began."""
    before = progress(tmp_path / "data")
    before.put("questions", {"since": 7, "page": 2})
    after = progress(tmp_path / "data", NOW + 60)

    assert not before.goes_on
    assert after.goes_on
    assert after.position("questions") == {"since": 7, "page": 2}
    assert after.position("answers") == {}
    assert after.begun == NOW


@pytest.mark.parametrize("name", ABOUT)
def test_another_site_or_state_begins_anew(name: str, tmp_path: Path) -> None:
    """Also the same place with other data in it."""
    progress(tmp_path).put("questions", {"since": 7})

    assert not progress(tmp_path, about=ABOUT | {name: "other"}).goes_on


def test_what_nobody_knows_is_not_compared(tmp_path: Path) -> None:
    """State that has no epoch yet has one later."""
    progress(tmp_path, about=ABOUT | {"epoch": ""}).put("questions", {"since": 7})

    assert progress(tmp_path).goes_on


def test_everything_is_read_again_before_state_forgets_it(tmp_path: Path) -> None:
    """When half of the time has passed for which state remembers."""
    progress(tmp_path).put("questions", {"since": 7})

    assert progress(tmp_path, NOW + KEEP / 2 - 1).goes_on
    assert not progress(tmp_path, NOW + KEEP / 2).goes_on


def test_a_restart_forgets_what_was_read(tmp_path: Path) -> None:
    """The file says so with the first batch, and not before."""
    progress(tmp_path).put("questions", {"since": 7})
    anew = progress(tmp_path, NOW + 60)
    anew.restart(NOW + 60)

    assert progress(tmp_path, NOW + 61).position("questions") == {"since": 7}
    anew.put("answers", {"since": 1})
    assert progress(tmp_path, NOW + 61).position("questions") == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 0}', '{"version": 1, "about": 3}'])
def test_a_file_that_is_none_of_ours_begins_anew(text: str, tmp_path: Path) -> None:
    """It is replaced as a whole, and leaves nothing beside it."""
    (tmp_path / "seed.json").write_text(text)
    begun = progress(tmp_path)
    begun.put("questions", {"since": 7})

    assert not begun.goes_on
    assert progress(tmp_path).goes_on
    assert [path.name for path in tmp_path.iterdir()] == ["seed.json"]
