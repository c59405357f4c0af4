"""Keys for integrations: made here, kept nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.policy.registry import digest


def made(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """A new key with its digest."""
    assert main(["keys", "new", "--json"]) == 0
    told: dict[str, str] = json.loads(capsys.readouterr().out)
    return told


def test_a_key_comes_with_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    """The digest is what integrations.yaml takes; from it nobody gets the key back."""
    told = made(capsys)

    assert told["digest"] == f"sha256:{digest(told['key'].encode())}"


def test_no_key_is_made_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys are random."""
    assert made(capsys) != made(capsys)


def test_key_and_digest_are_told_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Two lines say what to do with which."""
    assert main(["keys", "new"]) == 0
    told = capsys.readouterr().out.splitlines()

    assert [line.partition(":")[0] for line in told] == [
        "key, for the integration",
        "digest, for integrations.yaml",
    ]


REGISTERED = """\
# who may write
integrations:
  help-bot:
    owner: o
    contact: c
    purpose: p   # why
    tokens: ["sha256:1111111111111111111111111111111111111111111111111111111111111111"]
    expires: 2027-06-30
"""


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """What the command tells programs."""
    assert main(["keys", *words, "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """A file with one integration."""
    path = tmp_path / "integrations.yaml"
    path.write_text(REGISTERED)
    path.chmod(0o640)
    return path


def test_a_key_goes_into_the_file_and_out_again(
    registered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is told once, its digest stands in the file, with the mode and comments it had."""
    file = f"--file={registered}"
    first = said(capsys, "new", "help-bot", file)
    second = said(capsys, "new", "help-bot", file)
    third = said(capsys, "new", "help-bot", file, code=1)
    listed = said(capsys, "list", file)
    doubt = said(capsys, "revoke", "help-bot", file, code=1)
    gone = said(capsys, "revoke", "help-bot", first["digest"][:15], file)
    last = said(capsys, "revoke", "help-bot", file)

    keys = [each["digest"].removeprefix("sha256:")[:8] for each in (first, second)]
    assert first["digest"] == f"sha256:{digest(first['key'].encode())}"
    assert (first["older"], second["older"]) == ([], [first["digest"]])
    assert f"{keys[0]} (the older)" in third["problem"]
    (integration,) = listed["integrations"]
    assert (integration["keys"], integration["tokens"]) == (keys, 1)
    assert integration["expires"] == "2027-06-30"
    assert "the first is the older" in doubt["problem"]
    assert (gone["revoked"], gone["left"]) == (first["digest"], 1)
    assert (last["revoked"], last["left"]) == (second["digest"], 0)
    assert registered.read_text() == REGISTERED
    assert registered.stat().st_mode & 0o777 == 0o640
    assert list(registered.parent.iterdir()) == [registered]


def test_people_are_told_what_to_do_next(
    registered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How the older key goes, who is registered, and what is wrong."""
    file = f"--file={registered}"
    assert main(["keys", "new", "help-bot", file]) == 0
    assert main(["keys", "new", "help-bot", file]) == 0
    assert main(["keys", "list", file]) == 0
    assert main(["keys", "revoke", "other-bot", file]) == 1
    assert main(["keys", "list", "--file=nowhere.yaml"]) == 1
    assert main(["keys", "new", "help-bot"]) == 2
    told = capsys.readouterr().out

    assert "soe-gateway keys revoke help-bot" in told
    assert re.search(r"help-bot +[0-9a-f]{8} [0-9a-f]{8} +1 token +2027-06-30", told)
    assert "no integration is called 'other-bot'; registered: help-bot" in told
    assert "nowhere.yaml: No such file or directory" in told
    assert "keys new NAME --file integrations.yaml" in told
