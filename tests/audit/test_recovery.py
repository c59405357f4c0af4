"""After kill -9, the log itself tells what became of each write."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gateway.audit.chain import verify
from gateway.audit.recovery import Recovered, recover
from gateway.audit.segments import lines, segment, segments
from gateway.errors import AuditError
from gateway.model import Outcome, Settlement
from tests.audit.disks import ALLOW, KEY, KEYS, NOW, a_log, a_sink
from tests.samples import a_write
from tests.shared import ROOT


@pytest.fixture(scope="module")
def victims() -> Iterator[subprocess.Popen[str]]:
    """What starts processes that record."""
    command = [sys.executable, "-m", "tests.audit.victim"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as started:
        yield started
        assert started.stdin is not None
        started.stdin.close()


@contextlib.contextmanager
def victim(victims: subprocess.Popen[str], folder: Path, *steps: str) -> Iterator[None]:
    """A process that took these steps and lives; it is killed at the end."""
    assert victims.stdin is not None
    assert victims.stdout is not None
    victims.stdin.write(f"{' '.join((str(folder), *steps))}\n")
    victims.stdin.flush()
    process = int(victims.stdout.readline())
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        assert victims.stdout.readline() == "dead\n"


def killed(victims: subprocess.Popen[str], folder: Path, *steps: str) -> None:
    """Leave the log of a process that died after these steps."""
    with victim(victims, folder, *steps):
        pass


def of_victim(folder: Path) -> list[bytes]:
    """The victim's lines."""
    return list(lines(segments(folder)["victim"]))


def test_each_write_gets_the_outcome_that_is_certain(
    victims: subprocess.Popen[str], tmp_path: Path
) -> None:
    """`unknown` where SOE may have it, `not_sent` where it cannot; what ended stays as it was.

    That is told too: state may not have heard of it.
    """
    killed(victims, tmp_path, "a=decided", "b=sending", "c=settled", "d=refused")

    assert set(recover(tmp_path, KEYS, NOW)) == {
        Recovered("a", Outcome.NOT_SENT),
        Recovered("b", Outcome.UNKNOWN),
        Recovered("c", Outcome.OK, was_open=False),
        Recovered("d", Outcome.NOT_SENT, was_open=False),
    }


def test_the_outcomes_stand_in_the_dead_writers_chain(
    victims: subprocess.Popen[str], tmp_path: Path
) -> None:
    """It verifies to its end, which says that it was closed."""
    killed(victims, tmp_path, "a=decided", "b=sending")
    recover(tmp_path, KEYS, NOW + 9)
    told = [orjson.loads(line) for line in of_victim(tmp_path)]

    assert verify(of_victim(tmp_path), KEY) is None
    assert [(each["write_id"], each["outcome"], each["at"]) for each in told[-3:-1]] == [
        ("a", "not_sent", NOW + 9),
        ("b", "unknown", NOW + 9),
    ]
    assert (told[-1]["event"], told[-1]["recovered"]) == ("audit.closed", 2)


def test_recovering_twice_is_recovering_once(
    victims: subprocess.Popen[str], tmp_path: Path
) -> None:
    """The second start finds a closed writer, and reads no more of it than its end."""
    killed(victims, tmp_path, "a=decided")
    recover(tmp_path, KEYS, NOW)
    before = sorted(tmp_path.iterdir())

    assert recover(tmp_path, KEYS, NOW) == ()
    assert sorted(tmp_path.iterdir()) == before


def test_a_recovery_that_was_killed_itself_is_finished_by_the_next(
    victims: subprocess.Popen[str], tmp_path: Path
) -> None:
    """What it had told is not told again."""
    killed(victims, tmp_path, "a=decided", "b=sending")
    recover(tmp_path, KEYS, NOW)
    last = segment(tmp_path, "victim", 2)
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:1]) + b'{"kin')

    assert recover(tmp_path, KEYS, NOW) == (
        Recovered("b", Outcome.UNKNOWN),
        Recovered("a", Outcome.NOT_SENT, was_open=False),
    )
    assert verify(of_victim(tmp_path), KEY) is None


@pytest.mark.parametrize("cut", [1, 2, 70, 200])
def test_a_torn_last_line_did_not_happen(
    victims: subprocess.Popen[str], tmp_path: Path, cut: int
) -> None:
    """The `sending` line was not whole, so its write was not sent; the chain goes on before it."""
    killed(victims, tmp_path, "a=sending")
    path = segment(tmp_path, "victim", 1)
    path.write_bytes(path.read_bytes()[:-cut])

    assert recover(tmp_path, KEYS, NOW) == (Recovered("a", Outcome.NOT_SENT),)
    assert verify(of_victim(tmp_path), KEY) is None


@pytest.mark.parametrize("spoilt", [b"rubbish\n", b"[]\n", b'"text"\n', b"{}\n", b"\xff\n"])
def test_a_spoilt_line_hides_no_other(
    victims: subprocess.Popen[str], tmp_path: Path, spoilt: bytes
) -> None:
    """The start goes on; that something was done to the log, the chain shows."""
    killed(victims, tmp_path, "a=decided")
    path = segment(tmp_path, "victim", 1)
    path.write_bytes(path.read_bytes() + spoilt)

    assert recover(tmp_path, KEYS, NOW) == (Recovered("a", Outcome.NOT_SENT),)


def test_a_living_writer_is_left_alone(victims: subprocess.Popen[str], tmp_path: Path) -> None:
    """It holds its file; its writes are its own business."""
    with victim(victims, tmp_path, "a=decided"):
        found = recover(tmp_path, KEYS, NOW)

    assert found == ()


async def test_a_writer_that_closed_is_left_alone(tmp_path: Path) -> None:
    """Nothing of it can be open."""
    log = a_log(a_sink(tmp_path))
    await log.decided(a_write(), ALLOW)
    await log.settled(a_write(), Settlement(outcome=Outcome.OK), 201)
    await log.close()

    assert recover(tmp_path, KEYS, NOW) == ()


async def test_a_write_that_was_open_at_the_end_is_found(tmp_path: Path) -> None:
    """As where stopping took too long."""
    log = a_log(a_sink(tmp_path))
    await log.decided(a_write(), ALLOW)
    await log.close()

    assert recover(tmp_path, KEYS, NOW) == (Recovered("w1", Outcome.NOT_SENT),)


def test_no_log_yet_is_nothing_to_recover(tmp_path: Path) -> None:
    """As at the first start."""
    assert recover(tmp_path / "audit", KEYS, NOW) == ()


def test_a_writer_that_died_before_its_first_line_is_closed(
    victims: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Its empty file is no mistake."""
    killed(victims, tmp_path)

    assert recover(tmp_path, KEYS, NOW) == ()
    assert b"audit.closed" in of_victim(tmp_path)[0]


def test_a_log_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Else decisions would stay without an outcome."""
    segment(tmp_path, "victim", 1).mkdir()

    with pytest.raises(AuditError, match="cannot be read on: Is a directory"):
        recover(tmp_path, KEYS, NOW)


_LIMITED = """
import asyncio, sys
from pathlib import Path
from tests.audit.disks import ALLOW, a_log, a_sink
from tests.samples import a_write
from gateway.errors import AuditError
from gateway.model import Outcome, Settlement

async def main():
    log, recorded = a_log(a_sink(Path(sys.argv[1]))), 0
    for number in range(60):
        write = a_write(id=f"w{number}")
        try:
            await log.decided(write, ALLOW)
            recorded += 1
        except AuditError:
            await asyncio.sleep(0.6)  # the next file is opened within LAZY_SECONDS
        try:
            await log.settled(write, Settlement(outcome=Outcome.NOT_SENT), None)
        except AuditError:
            pass
    await log.close()
    print(recorded)

asyncio.run(main())
"""


def test_a_limit_on_the_size_of_files_costs_single_writes_alone(tmp_path: Path) -> None:
    """The system tears the line that crosses it; the next file goes on, and all verifies."""
    folder = tmp_path / "audit"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000)),
    )
    paths = segments(folder)["w"]
    found = list(lines(paths))

    assert int(done.stdout) > 20
    assert len(paths) > 2
    assert any(not path.read_bytes().endswith(b"\n") for path in paths)
    assert verify(found, KEY) is None
