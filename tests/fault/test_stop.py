"""Promise 14 under load: a stop finishes what is in flight, and who leaves loses no outcome."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fault.checker import broken
from tests.fault.conftest import Measured
from tests.fault.posts import Question
from tests.fault.site import FULL, NO_COPIES, SLACK, full, site, until
from tests.patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if FULL else 300)]

IN_FLIGHT = 50
STOPS = full(1, 5)
LEAVING = full(30, 500)
STOPPED_WITHIN = 5.0


@pytest.mark.parametrize("workers", ["2", "1"][: full(1, 2)])
async def test_a_stop_finishes_the_writes_in_flight(
    tmp_path: Path, workers: str, measured: Measured
) -> None:
    """Each gets SOE's answer, none is cancelled, and the process ends well and soon."""
    for number in range(STOPS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with site(folder, NO_COPIES, "--workers", workers) as running:
            running.soe.takes = 0.3
            process = running.gateway.process
            async with asyncio.TaskGroup() as group:
                for each in range(IN_FLIGHT):
                    group.create_task(running.clients.write(Question(serial=f"n{each}")))
                await until(lambda: len(running.soe.arrivals) == IN_FLIGHT)
                in_flight = sum(each.until > time.time() for each in running.soe.arrivals)
                process.send_signal(signal.SIGTERM)
            began = time.time()
            code = await asyncio.to_thread(process.wait, PATIENCE)
            measured("in flight", in_flight)
            measured("ended after its last answer by", f"{time.time() - began:.2f} s")
            books = running.books()

        assert in_flight > 0
        assert code == 0
        assert time.time() - began < STOPPED_WITHIN + SLACK
        assert Counter(each.status for each in books.tries) == {201: IN_FLIGHT}
        assert {outcome for each in books.outcomes.values() for outcome in each} == {"ok"}
        assert broken(books) == []
        assert running.crashes() == ""


async def test_who_leaves_in_the_middle_loses_no_outcome(
    tmp_path: Path, measured: Measured
) -> None:
    """A write that was whole goes its way, another one is none, and nothing is sent twice.

    Also not when they come again: they are told what came of it.
    """
    async with site(tmp_path, NO_COPIES, "--workers", "2") as running:
        running.soe.takes = 0.02
        leaving = [Question(serial=f"leaves{each}", old=each % 4 == 3) for each in range(LEAVING)]
        async with running.clients.load(lambda number: Question(serial=f"stays{number}")):
            for question in leaving:
                await running.clients.leave(
                    question,
                    after=random.choice([0, random.uniform(0, 0.04)]),
                    bytes_sent=random.choice([1, 1, 1, random.random()]),
                )
        books = await running.settled()
        left = [each for each in books.tries if not each.status]
        at_soe = sum(len(books.of(each)) for each in left)
        outcomes = Counter(outcome for each in books.outcomes.values() for outcome in each)
        again = [await running.clients.write(question) for question in leaving]
        books_again = await running.settled()
    measured("left", len(left))
    measured("of these at SOE", at_soe)
    measured("outcomes", dict(outcomes))
    measured("answered again", sum(each.replayed for each in again))
    measured("told of a copy", sum(each.code == "duplicate" for each in again))

    assert len(left) == LEAVING
    assert at_soe > LEAVING // 2
    assert outcomes == {"ok": len(books.arrivals)}
    assert [running.soe.published(each.serial) for each in leaving] == [1] * LEAVING
    assert all(each.accepted or each.code == "duplicate" for each in again)
    assert broken(books_again) == []
    assert all(each.ok for each in running.clients.reads)
    assert running.crashes() == ""
