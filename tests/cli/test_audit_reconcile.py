"""The commands `audit reconcile` and `audit fate`: what they refuse before they ask the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import main
from tests.audit.written import Writer, decision


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings that every command wants, and a site that is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOE_GATEWAY_SITE_CONTACT_NAME", "Knowledge Team")
    monkeypatch.setenv("SOE_GATEWAY_UPSTREAM_URL", "http://127.0.0.1:9")
    (tmp_path / "data").mkdir()


def audit(*words: str) -> int:
    """Run a sub-command."""
    return main(["audit", *words, "--data", "data"])


@pytest.fixture
def log(tmp_path: Path) -> Writer:
    """A log with one write."""
    writer = Writer(tmp_path / "data" / "audit")
    writer.write(decision("w1"))
    return writer


@pytest.mark.parametrize("command", ["reconcile", "fate"])
@pytest.mark.usefixtures("log")
def test_without_credentials_they_say_where_they_come_from(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before they ask anything."""
    assert audit(command) == 1
    told = capsys.readouterr()
    assert "--token-file or --key-file, or set SOE_GATEWAY_SEED_TOKEN" in told.err
    assert told.out == ""


@pytest.mark.parametrize("command", ["reconcile", "fate"])
@pytest.mark.usefixtures("log")
def test_a_time_that_is_none_is_a_wrong_call(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And an example is shown."""
    assert audit(command, "--since", "lately") == 2
    assert "as 90s, 30m, 2h" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["reconcile", "fate"])
def test_without_a_log_they_say_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare, and nothing is made."""
    assert audit(command) == 1
    assert "audit" in capsys.readouterr().err
    assert not Path("data", "audit").exists()


def test_an_empty_log_is_held_against_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or everything on the site would look as if it went around."""
    Writer(tmp_path / "data" / "audit").path.touch()

    assert audit("reconcile") == 2
    assert "the log holds no write" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--json", "--urls"], ["--author", "me"], ["--team", "no slug"]])
def test_a_wrong_flag_exits_2(words: list[str]) -> None:
    """An author is a number, and there is one form at a time."""
    with pytest.raises(SystemExit) as caught:
        audit("reconcile", *words)

    assert caught.value.code == 2
