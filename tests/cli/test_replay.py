"""The command that judges recorded writes: what it prints and exits with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.state.memory import MemoryStore
from tests.offline.replaying.test_replay import COPIES, TEXT, a_set
from tests.recording import Sent, play


@pytest.fixture
def log(tmp_path: Path) -> list[str]:
    """The arguments that name a log of three copies, and the policies that only observed them."""
    policies = a_set(tmp_path / "policies", COPIES)
    copies = [Sent(body=TEXT, act=None), Sent(body=TEXT), Sent(body=TEXT)]
    played = asyncio.run(play(policies, copies, MemoryStore(90 * 86_400.0)))
    (tmp_path / "audit").mkdir()
    played.log.write(tmp_path / "audit")
    return ["--audit", str(tmp_path / "audit"), "--policies", str(tmp_path / "policies")]


def test_the_same_policies_change_nothing(
    log: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And that is well, whatever the limit."""
    assert main(["replay", *log, "--fail-over", "0"]) == 0
    assert "0 would change under" in capsys.readouterr().out


def test_what_enforcing_would_have_refused_is_listed(
    log: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which write, why, and how many by rule and integration."""
    assert main(["replay", *log, "--mode", "copies=enforce", "--limit", "1"]) == 0
    out = capsys.readouterr().out

    assert "2 would change under" in out
    assert ": 2 from allow to refuse" in out
    assert "allow → refuse  copies: duplicate 100%" in out
    assert "and 1 more (--limit)" in out
    assert out.splitlines()[-4:] == [
        "copies  2            2           2",
        "",
        "integration  writes  refused then  refused now  changed",
        "anonymous    3       0             2            2",
    ]


@pytest.mark.parametrize(
    ("limit", "code"), [("2", 0), ("1", 1), ("0", 1), ("66.6%", 1), ("66.7%", 0)]
)
def test_a_limit_makes_it_a_check(log: list[str], limit: str, code: int) -> None:
    """A number of writes, or a share of all."""
    assert main(["replay", *log, "--mode", "copies=enforce", "--fail-over", limit]) == code


def test_json_tells_the_same(log: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """For machines."""
    main(["replay", *log, "--mode", "copies=enforce", "--json", "--fail-over", "0"])
    told = json.loads(capsys.readouterr().out)

    assert (told["writes"], told["changed"], told["to_refusal"]) == (3, 2, 2)
    assert told["effects"][0] == {"then": "allow", "now": "refuse", "writes": 2}
    assert told["changes"][0]["reasons_now"][0]["evidence"]["similarity"] == 1.0
    assert told["rules"] == {"copies": {"before": 2, "now": 2, "newly": 2}}
    assert told["failed"] is True


def test_lines_that_cannot_be_read_are_told(
    log: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their place, and the rest is replayed."""
    [path] = (tmp_path / "audit").iterdir()
    path.write_bytes(path.read_bytes() + b'{"schema":2,"kind":"dec')

    assert main(["replay", *log]) == 0
    assert "1 lines could not be read:\n  " in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["copies", "copies=on", "copies=hold", "=warn"])
def test_a_mode_that_is_none_is_a_wrong_call(log: list[str], mode: str) -> None:
    """Before anything is read."""
    with pytest.raises(SystemExit, match="2"):
        main(["replay", *log, "--mode", mode])


def test_a_rule_that_is_none_is_a_wrong_call(
    log: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the pen must not look like a rule that stops nothing."""
    assert main(["replay", *log, "--mode", "copy=enforce"]) == 2
    assert "no rule is called 'copy'; did you mean 'copies'?" in capsys.readouterr().out


def test_a_place_without_records_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing replayed is no proof."""
    assert main(["replay", "--audit", str(tmp_path)]) == 1
    assert "holds no audit files" in capsys.readouterr().out

    assert main(["replay", "--data", str(tmp_path)]) == 1
