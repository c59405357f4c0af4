"""Promises 6 and 7 where state comes back empty: what it knew is not given back by silence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import workers
from tests.fault.checker import RECOVERED_WITHIN, broken
from tests.fault.conftest import Measured
from tests.fault.posts import Question
from tests.fault.site import (
    FULL,
    SLACK,
    TEN_AN_HOUR_AND_NO_COPIES,
    Site,
    accepted_again,
    full,
    site,
    until,
)
from tests.servers import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if FULL else 300)]

SECONDS = full(1, 10)
"""How long is watched what passes after the loss."""
SPENT = "spender"
"""The token whose cap is used up before the loss."""
PUBLISHED = Question(serial="published", token="author")


@asynccontextmanager
async def lost(folder: Path, **environ: str) -> AsyncIterator[tuple[Site, Valkey, float]]:
    """Two workers under load, whose Valkey was killed and is back, empty; gives when it was back.

    Before that, a cap was used up and a question published. Callers of the load have each a cap
    of their own.
    """
    valkey = Valkey()
    words = ("--workers", "2", "--state", valkey.url)
    try:
        async with site(folder, TEN_AN_HOUR_AND_NO_COPIES, *words, environ=environ) as running:
            for number in range(10):
                await running.clients.write(Question(serial=f"spent{number}", token=SPENT))
            await running.clients.write(PUBLISHED)
            assert all(each.accepted for each in running.clients.tries)
            async with running.clients.load(
                lambda number: Question(serial=f"n{number}", token=f"t{number}")
            ):
                await accepted_again(running.clients, time.time())
                valkey.kill()
                await until(lambda: running.clients.tries[-1].code == "state_unavailable")
                valkey.start()
                yield running, valkey, time.time()
            books = await running.settled()
            assert broken(books) == []
            assert running.crashes() == ""
    finally:
        valkey.close()


def both_answer(running: Site) -> bool:
    """Whether both workers are ready."""
    metrics = httpx.get(f"{running.gateway.admin}/metrics", trust_env=False).text
    return "soe_gateway_workers 2.0" in metrics


async def test_nothing_passes_after_a_loss(tmp_path: Path, measured: Measured) -> None:
    """Neither through who knows of it, nor through a worker that starts after it."""
    async with lost(tmp_path) as (running, _, since):
        await asyncio.sleep(SECONDS)
        before = workers(running.gateway)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: len(set(workers(running.gateway)) - set(before)) == 1)
        await until(lambda: both_answer(running))
        await asyncio.sleep(SECONDS)
    after = [each for each in running.clients.tries if each.began >= since and each.status]
    measured("writes after the loss", len(after))

    assert {each.code for each in after} == {"state_unavailable"}


async def test_an_operator_may_accept_the_loss(tmp_path: Path, measured: Measured) -> None:
    """Then writes pass again, without a restart."""
    async with lost(tmp_path) as (running, valkey, _):
        command = [sys.executable, "-m", "gateway", "state", "accept-loss"]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, "--state", valkey.url, "--data", str(running.gateway.data)],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
        pause = await accepted_again(running.clients, time.time())
    measured("pause", f"{pause:.2f} s")

    assert pause < RECOVERED_WITHIN + SLACK


async def test_where_losses_are_accepted_what_processes_know_still_counts(
    tmp_path: Path, measured: Measured
) -> None:
    """A cap that was used up stays used up, and a copy of what was published is refused."""
    async with lost(tmp_path, SOE_GATEWAY_STATE_AFTER_LOSS="accept") as (running, _, since):
        pause = await accepted_again(running.clients, since)
        one_more = [
            await running.clients.write(Question(serial=f"more{number}", token=SPENT))
            for number in range(10)
        ]
        copies = [
            await running.clients.write(Question(serial=PUBLISHED.serial, token=f"copy{number}"))
            for number in range(10)
        ]
    measured("pause", f"{pause:.2f} s")

    assert pause < RECOVERED_WITHIN + SLACK
    assert {each.code for each in one_more} == {"rate_cap"}
    assert {each.code for each in copies} == {"duplicate"}
