"""Promises 9 and 14 for a worker that starts while something is out of order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.process import workers
from tests.fault.checker import RECOVERED_WITHIN, broken
from tests.fault.disks import ROOM, small_disk
from tests.fault.posts import Question
from tests.fault.site import (
    FULL,
    NO_COPIES,
    SLACK,
    WITHIN_A_SECOND,
    Site,
    accepted_again,
    full,
    site,
    until,
)
from tests.patience import PATIENCE
from tests.servers import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if FULL else 300)]

IN_FLIGHT = full(10, 50)


@asynccontextmanager
async def in_flight(running: Site) -> AsyncIterator[None]:
    """Have writes at SOE, whose clients will learn nothing."""
    running.soe.takes = 1.0
    async with asyncio.TaskGroup() as group:
        for number in range(IN_FLIGHT):
            group.create_task(running.clients.write(Question(serial=f"n{number}")))
        await until(lambda: len(running.soe.arrivals) == IN_FLIGHT)
        yield
    running.soe.takes = 0.0


async def kill_all(running: Site) -> None:
    """Kill all workers, and wait until others serve reads."""
    killed = workers(running.gateway)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not set(killed) & set(workers(running.gateway)))

    def serves() -> bool:
        return bool(reads) and reads[-1].ok

    reads = running.clients.reads
    del reads[:]
    async with running.clients.load(lambda _: Question(serial="none"), writes=0, reads=20):
        await until(serves, RECOVERED_WITHIN + SLACK)


async def test_a_worker_that_starts_without_state_serves_reads_and_settles_later(
    tmp_path: Path,
) -> None:
    """What its predecessor left open gets its outcome at once, in state when that is back."""
    valkey = Valkey()
    try:
        words = ("--workers", "2", "--state", valkey.url)
        async with site(
            tmp_path, NO_COPIES, *words, environ=WITHIN_A_SECOND, program="gateway"
        ) as running:
            async with in_flight(running):
                valkey.pause()
                await kill_all(running)
            recovered = Counter(running.books().outcomes.values())
            valkey.resume()
            copies = [Question(serial=f"n{each}", token="other") for each in range(IN_FLIGHT)]

            async def all_settled() -> bool:
                told = [await running.clients.write(each) for each in copies]
                return {each.code for each in told} == {"duplicate"}

            async with asyncio.timeout(PATIENCE):
                while not await all_settled():
                    await asyncio.sleep(0.1)
            books = await running.settled()

            assert await all_settled()
    finally:
        valkey.close()
    log = (running.gateway.data / "stdout").read_text()

    assert recovered == {("unknown",): IN_FLIGHT}
    assert log.count('"worker.died"') == 2
    assert log.count('"audit.recovered"') == IN_FLIGHT
    assert running.soe.published() == IN_FLIGHT
    assert broken(books) == []
    assert running.crashes() == ""


def waiting(running: Site) -> int:
    """How many processes still wait for what they could not open at their start."""
    log = (running.gateway.data / "stdout").read_text()
    assert '"start.waits"' in log
    return log.count('"start.waits"') - log.count('"start.completed"')


@pytest.mark.parametrize("full_of", ["state", "audit log"])
async def test_a_worker_that_starts_on_a_full_disk_serves_reads(
    tmp_path: Path, full_of: str
) -> None:
    """Reads depend neither on state nor on the audit log, whoever serves them."""
    with small_disk(tmp_path / "disk") as disk:
        words: tuple[str, ...] = ("--workers", "2")
        audit = disk.path / "audit" if full_of == "audit log" else None
        if audit is None:
            words += ("--state", f"sqlite:///{disk.path / 'state.db'}")
        async with site(tmp_path, NO_COPIES, *words, audit=audit, environ=ROOM) as running:
            async with in_flight(running):
                disk.fill()
                try:
                    await kill_all(running)
                    refused = await running.clients.write(Question(serial="full"))
                finally:
                    disk.free()
            async with running.clients.load(lambda each: Question(serial=f"later{each}")):
                await accepted_again(running.clients, time.time())
            await until(lambda: waiting(running) == 0)
            books = await running.settled()

    assert refused.status == 503
    assert broken(books) == []
    assert running.crashes() == ""
