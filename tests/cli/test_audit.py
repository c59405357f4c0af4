"""The commands over the audit log: whether it is whole, and what is too old."""

from __future__ import annotations

import getpass
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.chain import begun
from gateway.audit.checkpoints import Checkpoint, append, signed
from gateway.audit.key import derived
from gateway.audit.people import Pseudonyms
from gateway.audit.segments import segment, segments
from gateway.cli import main
from gateway.cli.audit import SUBCOMMANDS
from gateway.clock import SystemClock
from tests.audit.chains import WRITER, a_checkpoint, closed, of_writer, outcomes
from tests.audit.chains import append as append_records
from tests.audit.disks import KEYS, NOW

KEY = KEYS.first.decode()
Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose audit log holds five records of one writer, and their end."""
    (tmp_path / "audit.key").write_text(KEY)
    append_records(tmp_path / "audit", begun(WRITER, KEYS), [*outcomes(5), closed(NOW + 5)])
    return tmp_path


@pytest.fixture
def checkpoint(data: Path) -> Checkpoint:
    """A checkpoint of its fifth record, in `elsewhere`."""
    point = a_checkpoint(of_writer(data / "audit")[4], 5)
    append(data / "elsewhere", signed(point, KEYS))
    return point


@pytest.fixture
def verify(data: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Runs `audit verify` on the data directory: its exit code, and what it prints."""

    def run(*words: str) -> tuple[int, str]:
        code = main(["audit", "verify", "--data", str(data), *words])
        return code, capsys.readouterr().out

    return run


def change(data: Path) -> Path:
    """Change the third record, and give the file where it stands."""
    path = segment(data / "audit", WRITER, 1)
    path.write_bytes(path.read_bytes().replace(b"write-2", b"write-3"))
    return path


def keep(data: Path, count: int) -> None:
    """Leave the first records only."""
    segment(data / "audit", WRITER, 1).write_bytes(b"".join(of_writer(data / "audit")[:count]))


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_sub_command_tells_what_it_does(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first sentence of its module opens its help."""
    module = importlib.import_module(f"gateway.cli.audit.{name}")
    with pytest.raises(SystemExit) as caught:
        main(["audit", name, "--help"])

    assert caught.value.code == 0
    assert (module.__doc__ or "nothing").splitlines()[0] in capsys.readouterr().out


def test_a_whole_log_is_called_so_as_far_as_it_is_proven(verify: Verify) -> None:
    """Without a checkpoint nobody can tell what stood at its end."""
    code, out = verify()

    assert code == 0
    assert f"{WRITER}: records 1 to 6, no checkpoint" in out
    assert "whole as far as it can be proven: 6 records. 6 are unproven" in out


@pytest.mark.usefixtures("checkpoint")
def test_what_is_unproven_is_a_fault_where_that_is_wanted(data: Path, verify: Verify) -> None:
    """With --strict; a checkpoint of the last record leaves nothing unproven."""
    words = ("--strict", "--checkpoints", str(data / "elsewhere"))
    before, told = verify(*words)
    append(data / "elsewhere", signed(a_checkpoint(of_writer(data / "audit")[5], 6), KEYS))
    after, _ = verify(*words)

    assert (before, after) == (1, 0)
    assert "1 are unproven" in told


def test_a_changed_record_is_named(data: Path, verify: Verify) -> None:
    """By file, line and number, with what is wrong."""
    path = change(data)
    code, out = verify()

    assert code == 1
    assert f"WRONG: {path}:3: record 3: it was changed" in out
    assert "NOT WHOLE" in out


@pytest.mark.usefixtures("checkpoint")
def test_a_cut_is_found_by_a_checkpoint_in_a_log_of_other_lines(data: Path, verify: Verify) -> None:
    """As where the gateway's own log is given."""
    [file] = (data / "elsewhere").iterdir()
    file.write_bytes(b'{"event":"request.finished"}\n' + file.read_bytes())
    keep(data, 3)
    code, out = verify("--checkpoints", str(file))

    assert code == 1
    assert f"record 4: it is gone: {file}:2 knows this writer's record 5" in out


@pytest.mark.usefixtures("checkpoint")
def test_a_checkpoint_that_was_changed_is_a_fault(data: Path, verify: Verify) -> None:
    """Somebody wanted it to fit."""
    [file] = (data / "elsewhere").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"seq":5', b'"seq":3'))
    keep(data, 3)
    code, out = verify("--checkpoints", str(file))

    assert code == 1
    assert f"{file}:1: the checkpoint was changed" in out


def test_the_report_is_also_one_object(data: Path, verify: Verify) -> None:
    """For programs."""
    told: dict[str, Any] = json.loads(verify("--json")[1])
    change(data)
    wrong: dict[str, Any] = json.loads(verify("--json")[1])

    assert (told["whole"], told["records"], told["unproven"]) == (True, 6, 6)
    assert wrong["whole"] is False
    assert (wrong["writers"][0]["fault"]["line"], wrong["writers"][0]["fault"]["seq"]) == (3, 3)


def test_of_single_files_what_stands_in_them_is_proven(data: Path, verify: Verify) -> None:
    """What stood in others is not missed."""
    file = segment(data / "audit", WRITER, 2)
    file.write_bytes(b"".join(of_writer(data / "audit")[3:]))
    segment(data / "audit", WRITER, 1).unlink()

    assert verify("--audit", str(file))[0] == 0
    assert verify()[0] == 1


@pytest.mark.parametrize("words", [["--audit", "nothing"], ["--checkpoints", "nothing"]])
def test_what_is_not_there_is_told(data: Path, words: list[str], verify: Verify) -> None:
    """Nothing to verify is no whole log."""
    code, out = verify(words[0], str(data / words[1]))

    assert code == 1
    assert "nothing" in out


def test_old_files_are_cut_and_the_rest_verifies(
    data: Path, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was cut, and when, is told; a second time there is nothing."""
    words = ["audit", "cut", "--data", str(data), "--before"]
    old = [*outcomes(3, 1.5e9), closed(1.5e9)]  # in July 2017
    append_records(data / "audit", begun("host-2", KEYS), old)
    early, late = main([*words, "2017-01-01"]), main([*words, "2018-01-01"])
    again = main([*words, "2018-01-01"])
    out = capsys.readouterr().out
    verified, _ = verify()

    assert (early, late, again, verified) == (1, 0, 1, 0)
    assert "no file is so old throughout" in out
    assert "1 files removed" in out
    assert {WRITER} < set(segments(data / "audit"))
    assert "host-2" not in segments(data / "audit")


def test_whom_only_old_files_named_is_cut_off_with_them(
    data: Path, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many is told, and recorded with who did it; who is told today stays."""
    in_july = SystemClock(lambda: 1.5e9)
    append_records(data / "audit", begun("host-2", KEYS), [*outcomes(3, 1.5e9), closed(1.5e9)])
    file = Pseudonyms(data / "people.db", derived(KEYS.first, "people"), in_july)
    file.told("jane@example.com")
    file.close()
    code = main(["audit", "cut", "--data", str(data), "--before", "2018-01-01", "--json"])
    told = json.loads(capsys.readouterr().out)
    people = Pseudonyms(data / "people.db", derived(KEYS.first, "people"), in_july)

    assert code == 0
    assert told == {"before": "2018-01-01", "segments": 1, "people": 1}
    assert [entry.told for entry in people.entries()] == [getpass.getuser()]
    assert verify()[0] == 0


def test_a_day_that_is_still_to_come_is_no_age(data: Path) -> None:
    """Else a slip of the pen would remove all."""
    assert main(["audit", "cut", "--data", str(data), "--before", "9999-12-31"]) == 2
