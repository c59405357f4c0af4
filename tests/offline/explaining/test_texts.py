"""Why two texts are alike, as policy authors are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.model import Post
from gateway.offline.explaining.texts import Text, explain
from gateway.text import page
from tests.text.posts import HONEST


def test_a_copy_in_html_is_explained() -> None:
    """Score, shares, passages, and what was ignored."""
    html = f"<p>Hi 4711!</p><blockquote>Yes.</blockquote><p>{HONEST['badge']}</p><!-- hidden -->"

    found = explain(
        Text(post=Post(body=HONEST["badge"])), Text(post=Post(body=html), read=page.read)
    )

    assert found.two_authors.score >= 0.84
    assert found.one_author.score >= 0.84
    assert found.passages[0].startswith("Restart the agent")
    assert found.masked[1]["0"] == 1
    assert found.counts[1].unseen == 6
    assert not found.few


def test_the_same_event_is_told() -> None:
    """Only numbers, ids, times and paths differ."""
    one, other = (
        Text(post=Post(body=f"Job {number} failed at 10:0{number}, see /var/log/jobs/{number}.log"))
        for number in (1, 2)
    )

    found = explain(one, other)

    assert found.same_event
    assert not found.equal
    assert found.few


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Two files with a text each."""
    one, other = tmp_path / "one.md", tmp_path / "other.html"
    one.write_text(HONEST["cluster"])
    other.write_text(f"<p>Hello!</p><p>{HONEST['cluster'].upper()}</p>")
    return str(one), str(other)


def test_the_command_tells_it_in_words(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The likeness first, then the passages and the figures."""
    assert main(["explain", "--compare", *files]) == 0

    told = capsys.readouterr().out
    assert "between two authors" in told
    assert "“THE THIRD NODE" in told or "“THIRD NODE" in told


def test_the_command_tells_it_as_json(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """For tools."""
    assert main(["explain", "--compare", *files, "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["two_authors"]["score"] >= 0.84


def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its name, and exit 1."""
    missing = str(tmp_path / "nothing.md")

    assert main(["explain", "--compare", missing, missing]) == 1

    assert "nothing.md" in capsys.readouterr().out
