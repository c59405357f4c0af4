"""The command by which operators mend state: what it does, says and records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.model import Outcome, Reserved, Settlement
from gateway.state import Terms
from gateway.state.sqlite import SqliteStore
from tests.contract.test_stores import asks, cap, look, write
from tests.patience import PATIENCE

NEEDS = {"cap": cap("one|integration=help-bot"), "copies": look()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose state holds one write of unknown outcome."""
    store = SqliteStore(tmp_path / "state.db", terms(tmp_path))

    async def fill() -> None:
        await store.reserve(asks(write(1, target="question/1"), NEEDS))
        await store.settle("w1", Settlement(outcome=Outcome.UNKNOWN))
        await store.close()

    asyncio.run(fill())
    return tmp_path


def terms(data: Path) -> Terms:
    """The terms of a gateway with this data directory."""
    return Terms(keep=7_776_000.0, timeout=PATIENCE, note=data / "state.epoch")


def asked(data: Path) -> Reserved:
    """What state says to a copy."""
    store = SqliteStore(data / "state.db", terms(data))

    async def ask() -> Reserved:
        try:
            return await store.peek(asks(write(2), NEEDS))
        finally:
            await store.close()

    return asyncio.run(ask())


def events(data: Path) -> list[tuple[str, str]]:
    """What the audit log says was done, and to what."""
    lines = [
        json.loads(line)
        for path in sorted((data / "audit").iterdir())
        for line in path.read_text().splitlines()
    ]
    return [(line["event"], line["what"]) for line in lines if line["event"] != "audit.closed"]


@pytest.mark.parametrize(
    ("words", "said", "taken", "copies"),
    [
        (["forget", "question/1"], "forgotten: 1", False, 0),
        (["release", "w1"], "released", True, 0),
        (["reset", "one"], "counters emptied: 1", True, 1),
        (["reset", "one", "integration=help-bot"], "counters emptied: 1", True, 1),
    ],
)
def test_what_is_done_is_said_and_recorded(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
    taken: bool,
    copies: int,
) -> None:
    """Before it is done, and again with the result."""
    code = main(["state", *words, "--data", str(data)])
    again = main(["state", *words, "--data", str(data), "--json"])
    first, second = capsys.readouterr().out.splitlines()
    reserved = asked(data)

    assert (code, first, again, json.loads(second)["count"]) == (0, said, 1, 0)
    assert (reserved.taken, len(reserved.answers["copies"].posts)) == (taken, copies)  # type: ignore[union-attr]
    name, what = f"state.{words[0]}", "|".join(words[1:])
    assert events(data)[:2] == [(name, what), (f"{name}_done", what)]


def test_a_loss_is_accepted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gateway that goes on, or starts, takes writes again."""
    (data / "state.db").unlink()
    with pytest.raises(Exception, match="accept-loss"):
        asked(data)
    code = main(["state", "accept-loss", "--data", str(data)])

    assert (code, capsys.readouterr().out) == (0, "the loss is accepted: writes pass\n")
    assert asked(data).taken
    assert main(["state", "accept-loss", "--data", str(data)]) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["forget"], 2, "state --help"),
        (["accept-loss", "x"], 2, "state --help"),
        (["forget", "question/1", "--state", "memory:"], 1, "nothing to mend"),
        (["forget", "question/1", "--state", "unix:///nowhere/s"], 1, "out of reach"),
        (["forget", "question/1", "--state", "oracle:x"], 1, "expected memory:"),
    ],
)
def test_a_wrong_call_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    """With its reason, and nothing is done."""
    assert main(["state", *words, "--data", str(tmp_path)]) == code
    assert said in capsys.readouterr().out


def test_the_log_is_opened_before_anything_is_done(
    data: Path, capsys: pytest.CaptureFixture[str], run_without_audit: Callable[[], None]
) -> None:
    """What cannot be recorded is not done."""
    run_without_audit()
    code = main(["state", "forget", "question/1", "--data", str(data)])

    assert (code, len(asked(data).answers["copies"].posts)) == (1, 1)  # type: ignore[union-attr]
    assert "audit" in capsys.readouterr().out


@pytest.fixture
def run_without_audit(data: Path) -> Callable[[], None]:
    """Put a file where the audit log's directory would be."""

    def block() -> None:
        (data / "audit").write_text("")

    return block
