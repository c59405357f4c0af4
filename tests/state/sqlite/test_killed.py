"""A process that is killed while it writes leaves nothing half done."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model import Charge, Outcome, Settlement
from gateway.state import Terms
from gateway.state.sqlite import SqliteStore
from gateway.state.sqlite.schema import CHARGES, OF_NOBODY
from tests.contract.conftest import KEEP
from tests.contract.test_stores import asks, write
from tests.patience import PATIENCE
from tests.state.sqlite.victim import ENDINGS, LIMIT, key, needs

ROUNDS = 25


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """What starts processes that write to `state.db`."""
    command = [sys.executable, "-m", "tests.state.sqlite.victim", str(tmp_path / "state.db")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        yield started
        assert started.stdin is not None
        started.stdin.close()


def killed(victims: subprocess.Popen[str], round_: int) -> list[str]:
    """Start one that does not live long, and give all that it told.

    It dies before some statement of a transaction, or wherever it is when it has told some things.
    """
    assert victims.stdin is not None
    assert victims.stdout is not None
    chance = random.Random(round_)
    from_outside = round_ % 5 == 0
    victims.stdin.write(f"{round_} {0 if from_outside else chance.randrange(1, 500)}\n")
    victims.stdin.flush()
    process = int(victims.stdout.readline())
    told = []
    if from_outside:
        told = [victims.stdout.readline() for _ in range(chance.randrange(1, 80))]
        os.kill(process, signal.SIGKILL)
    told += iter(victims.stdout.readline, "dead\n")
    return [line.strip() for line in told]


def number_of(name: str) -> int:
    """The number of a write in its round."""
    return int(name.partition("-")[2])


def charged(name: str) -> list[str]:
    """The caps that a write is charged to, if it was taken."""
    caps = (need for need in needs(number_of(name)).values() if isinstance(need, Charge))
    return sorted(cap.cap for cap in caps if not cap.attempts)


_CHARGES = f"""
SELECT CASE WHEN charges.id & {OF_NOBODY} THEN NULL ELSE coalesce(writes.id, 'nobody') END, cap
FROM charges LEFT JOIN writes ON seq = charges.id >> {CHARGES} ORDER BY cap
"""


_USES = """
SELECT coalesce(writes.id, 'nobody'), member FROM uses LEFT JOIN writes USING (seq)
WHERE uses.seq != 0
"""


class File:
    """What stands in the file, by a look without the engine."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            self.check = db.execute("PRAGMA integrity_check").fetchall()
            self.writes = dict(db.execute("SELECT id, outcome FROM writes").fetchall())
            self.kept = {row[0] for row in db.execute("SELECT write_id FROM kept")}
            charges = db.execute(_CHARGES).fetchall()
            self.uses = db.execute(_USES).fetchall()
        self.tries = sum(write_id is None for write_id, _ in charges)
        self.charges: dict[str, list[str]] = {}
        for write_id, cap in charges:
            if write_id is not None:
                self.charges.setdefault(write_id, []).append(cap)


def test_a_killed_process_leaves_nothing_half_done(
    tmp_path: Path, victims: subprocess.Popen[str]
) -> None:
    """However many times: each write with its charges and its key, or no trace of it."""
    told: list[str] = []
    for round_ in range(ROUNDS):
        told += killed(victims, round_)
        file = File(tmp_path / "state.db")

        assert file.check == [("ok",)]
        assert file.charges == {name: charged(name) for name in file.writes}
        assert dict(file.uses) == {
            name: f"m{number_of(name) % 3}" for name, outcome in file.writes.items() if not outcome
        }
        assert file.kept == {name for name in file.writes if key(name, number_of(name))}
        assert sum("limited" in caps for caps in file.charges.values()) <= LIMIT
        assert_told(told, file, unheard=4 * (round_ + 1))


def assert_told(told: list[str], file: File, unheard: int) -> None:
    """What came back to who called is in the file: a killed process loses nothing."""
    reserved = [line[1:] for line in told if line[0] in "+-"]
    settled = {line[1:] for line in told if line[0] == "="}
    for line in told:
        name = line[1:]
        outcome = ENDINGS[number_of(name) % len(ENDINGS)]
        if line[0] == "+" and outcome is None:
            assert file.writes[name] is None
        if line[0] == "+" and name in settled and outcome is Outcome.OK:
            assert file.writes[name] == "ok"
        if name in settled and outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            assert name not in file.writes
    assert len(reserved) <= file.tries <= len(reserved) + unheard


async def test_after_many_deaths_a_cap_takes_exactly_what_is_left(
    tmp_path: Path, victims: subprocess.Popen[str]
) -> None:
    """Nothing counts twice, and nothing is given away."""
    for round_ in range(3):
        killed(victims, round_)
    held = sum("limited" in caps for caps in File(tmp_path / "state.db").charges.values())
    store = SqliteStore(tmp_path / "state.db", Terms(keep=KEEP, timeout=PATIENCE))
    passed = 0
    for number in range(1, 2 * LIMIT + 2, 2):
        one = write(number, 10.0)
        passed += (await store.reserve(asks(one, needs(number)))).taken
        await store.settle(one.id, Settlement(outcome=Outcome.OK))
    await store.close()

    assert held + passed == LIMIT
