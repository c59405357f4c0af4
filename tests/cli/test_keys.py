"""Keys for integrations: made here, kept nowhere."""

from __future__ import annotations

import json

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
