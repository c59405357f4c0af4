"""Who stands behind a pseudonym, and cutting somebody off from the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.key import derived, load_or_make_keys
from gateway.audit.people import Pseudonyms
from gateway.cli import main
from gateway.model import Person
from tests.audit.disks import StoppedClock

JANE = Person(id="17", name="Jane Doe", email="jane@example.com")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that knows two people, one of them in two ways."""
    key = derived(load_or_make_keys(tmp_path / "audit.key").first, "people")
    people = Pseudonyms(tmp_path / "people.db", key, StoppedClock())
    people.person(JANE)
    people.told("jane@example.com")
    people.told("joe@example.com")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> tuple[int, str]:
    """Run `audit` with these words; gives exit code and output."""
    code = main(["audit", *words, "--data", str(data)])
    return code, capsys.readouterr().out


def people(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> list[dict[str, Any]]:
    """What `audit people` tells."""
    out = call(capsys, data, "people", "--json", *words)[1]
    return [json.loads(line) for line in out.splitlines()]


def test_everybody_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, by address or by account."""
    code, out = call(capsys, data, "people")

    assert code == 0
    assert [line.split("  ")[1] for line in out.splitlines()] == [
        "jane@example.com",
        "account 17 Jane Doe jane@example.com",
        "joe@example.com",
    ]


def test_a_pseudonym_leads_to_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And an address to all pseudonyms that somebody has."""
    both = people(capsys, data, "jane@example.com")
    one = people(capsys, data, both[0]["pseudonym"])

    assert len(both) == 2
    assert one == both[:1]


def test_who_is_forgotten_is_nobody(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All his pseudonyms lead nowhere; the record says which, and that somebody did it."""
    gone = {each["pseudonym"] for each in people(capsys, data, "jane@example.com")}
    code, out = call(capsys, data, "forget", "Jane@Example.com", "--json")
    [segment] = (data / "audit").iterdir()
    records = [json.loads(line) for line in segment.read_text().splitlines()]

    assert code == 0
    assert set(json.loads(out)["forgotten"]) == gone
    assert not people(capsys, data, "jane@example.com")
    assert call(capsys, data, "people", "17") == (1, "nobody is known by this\n")
    events = [(each["event"], set(each.get("pseudonyms", ()))) for each in records]
    assert events == [
        ("people.forget", gone),
        ("people.forget_done", gone),
        ("audit.closed", set()),
    ]
    assert call(capsys, data, "verify")[0] == 0


def test_nobody_is_forgotten_by_a_word_that_means_none(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is recorded."""
    code, out = call(capsys, data, "forget", "nobody@example.com")

    assert (code, "nobody is known by this" in out) == (1, True)
    assert not (data / "audit").exists()


def test_where_there_is_no_file_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to name, and none is made."""
    code, out = call(capsys, tmp_path, "people")

    assert (code, "name the data directory" in out) == (1, True)
    assert not (tmp_path / "people.db").exists()
