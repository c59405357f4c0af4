"""The command `seed`: what it refuses before it reads anything, and what it never says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main

SITE = ["--upstream", "http://127.0.0.1:9", "--data"]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings that every command wants."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOE_GATEWAY_SITE_CONTACT_NAME", "Knowledge Team")


def seed(*words: str) -> int:
    """Run it for a site that is not there."""
    return main(["seed", *SITE, "data", *words])


def test_state_in_memory_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be gone at the end."""
    monkeypatch.setenv("SOE_GATEWAY_SEED_TOKEN", "t")

    assert seed("--state", "memory:") == 1
    assert "memory: is gone when this command ends" in capsys.readouterr().out


def test_without_credentials_it_says_where_they_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before it asks anything."""
    assert seed() == 1
    assert "--token-file or --key-file, or set SOE_GATEWAY_SEED_TOKEN" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"two words", b"", b"t\xc3\xb6ken", b"\xff"])
def test_a_token_that_is_none_is_refused_and_not_shown(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody named the wrong file: what is in it is nobody's business."""
    (tmp_path / "token").write_bytes(content)

    assert seed("--token-file", "token") == 1
    told = capsys.readouterr().out
    assert told.startswith("soe-gateway: token does not hold one word")
    assert "two words" not in told


def test_a_file_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name."""
    assert seed("--token-file", "nowhere") == 1
    assert "nowhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--team", "no slug"],
        ["--rate", "0"],
        ["--rate", "100"],
        ["--rate", "fast"],
        ["--api", "v1"],
        ["--token", "secret"],
    ],
)
def test_a_wrong_call_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A token has no place on the command line, where everybody sees it."""
    with pytest.raises(SystemExit) as caught:
        seed(*words)

    assert caught.value.code == 2


def test_every_mistake_in_the_settings_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As `serve` tells them."""
    assert main(["seed", "--state", "nowhere:", "--upstream", "ftp://soe"]) == 1
    told = capsys.readouterr().out
    assert "command line:1:1: --state: expected memory:, sqlite:///path" in told
    assert "command line:1:1: --upstream: expected https://host" in told


def test_as_json_an_error_is_a_member(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on standard output, whatever happens."""
    assert seed("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["error"].startswith("soe-gateway: no credentials")
    assert (told["read"], told["remembered"], told["skipped"]) == (0, 0, 0)
