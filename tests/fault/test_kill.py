"""Promises 4, 5, 6 and 14 where workers are killed under load, at any moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.audit.key import load_or_make_keys
from gateway.audit.proof import prove
from gateway.audit.segments import segments
from tests.e2e.process import alive, workers
from tests.fault.checker import RECOVERED_WITHIN, broken
from tests.fault.conftest import Measured
from tests.fault.posts import Question
from tests.fault.site import FULL, NO_COPIES, SLACK, Site, accepted_again, full, site, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000 if FULL else 300)]

ROUNDS = full(1, 20)
"""Supervisors; each waits longer from death to death, so that few deaths of one take long."""
KILLS = full(3, 10)
"""Workers that are killed in each round."""


def copied(number: int) -> Question:
    """A new question, or a copy of one of a moment before by another caller."""
    if number % 2 == 0 or number < 11:
        return Question(serial=f"n{number}", token="author")
    return Question(serial=f"n{number - 11}", token="copyist")


def living(running: Site) -> list[int]:
    """The workers that live: also one that is only starting, or gives a dead one's outcomes."""
    return [pid for pid in workers(running.gateway) if alive(pid)]


async def kill_one(running: Site) -> float:
    """Kill one of two workers at a random moment; gives the seconds to the next accepted write."""
    await until(lambda: len(living(running)) == 2)
    await asyncio.sleep(random.uniform(0, 0.6))
    os.kill(random.choice(living(running)), signal.SIGKILL)
    return await accepted_again(running.clients, time.time())


async def test_whatever_is_killed_each_write_has_its_outcome_and_nothing_is_doubled(
    tmp_path: Path, measured: Measured
) -> None:
    """Who is killed leaves no write without an outcome, and no copy of it passes afterwards.

    The audit log that is left is whole: killing leaves the chains as they were.
    """
    outcomes: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    pauses = []
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with site(folder, NO_COPIES, "--workers", "2") as running:
            running.soe.takes = 0.01
            async with running.clients.load(copied):
                pauses += [await kill_one(running) for _ in range(KILLS)]
            books = await running.settled()
        published = Counter(each.serial for each in books.arrivals if each.executed)
        outcomes.update(outcome for each in books.outcomes.values() for outcome in each)
        counted["writes"] += len(books.tries)
        counted["writes without answer"] += sum(not each.status for each in books.tries)
        counted["reads"] += len(running.clients.reads)
        counted["reads without answer"] += sum(not each.ok for each in running.clients.reads)

        assert broken(books) == []
        assert set(published.values()) == {1}
        assert running.crashes() == ""
        proven = prove(segments(running.audits[0]), load_or_make_keys(folder / "audit.key"))
        assert [each.fault for each in proven] == [None] * len(proven)
        assert sum(each.last for each in proven) > KILLS
    for name, figure in {"kills": ROUNDS * KILLS, **counted, "outcomes": dict(outcomes)}.items():
        measured(name, figure)
    measured("longest pause", f"{max(pauses):.1f} s")

    assert max(pauses) < RECOVERED_WITHIN + SLACK
