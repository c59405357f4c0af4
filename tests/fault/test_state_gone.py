"""Promise 9 under load: without its state the gateway refuses writes at once, and reads go on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fault.checker import (
    READS_OK_AT_LEAST,
    RECOVERED_WITHIN,
    REFUSED_WITHIN,
    broken,
)
from tests.fault.conftest import Measured
from tests.fault.posts import Question
from tests.fault.site import FULL, NO_COPIES, accepted_again, full, site
from tests.servers import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800 if FULL else 120)]

SLACK = 0.5
"""Seconds by which a busy machine may be late."""


@dataclass(frozen=True)
class Fault:
    """How a Valkey gets out of order, and into it again."""

    name: str
    begin: Callable[[Valkey], object]
    end: Callable[[Valkey], object]
    seconds: float


FAULTS = (
    Fault("hangs", Valkey.pause, Valkey.resume, full(3, 30)),
    Fault(
        "is read-only",
        lambda valkey: valkey.ask("REPLICAOF", "127.0.0.1", "1"),
        lambda valkey: valkey.ask("REPLICAOF", "NO", "ONE"),
        full(1, 10),
    ),
    Fault(
        "has no memory",
        lambda valkey: valkey.ask("CONFIG", "SET", "maxmemory", "1"),
        lambda valkey: valkey.ask("CONFIG", "SET", "maxmemory", "0"),
        full(1, 10),
    ),
)


@pytest.fixture
def own() -> Iterator[Valkey]:
    """A Valkey that may be broken."""
    server = Valkey()
    yield server
    server.close()


def new(number: int) -> Question:
    """A question like no other."""
    return Question(serial=f"n{number}", old=number % 4 == 3)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_writes_are_refused_at_once_and_pass_again_afterwards(
    tmp_path: Path, own: Valkey, fault: Fault, measured: Measured
) -> None:
    """A state that is out of order stops every write within a second, and no read."""
    async with site(tmp_path, NO_COPIES, "--workers", "2", "--state", own.url) as running:
        async with running.clients.load(new):
            await accepted_again(running.clients, time.time())
            began = time.time()
            fault.begin(own)
            await asyncio.sleep(fault.seconds)
            fault.end(own)
            ended = time.time()
            pause = await accepted_again(running.clients, ended)
        books = await running.settled()
    # A reservation that was answered a moment before the fault may still be with SOE.
    during = [each for each in books.tries if began + 0.1 < each.began and each.ended < ended]
    slowest = max(each.seconds for each in during)
    measured("writes during the fault", len(during))
    measured("slowest refusal", f"{slowest:.2f} s")
    measured("pause afterwards", f"{pause:.2f} s")
    measured("reads ok", f"{running.clients.reads_ok} of {running.clients.reads}")

    assert Counter(each.code for each in during).keys() == {"state_unavailable"}
    assert slowest < REFUSED_WITHIN + SLACK
    assert pause < RECOVERED_WITHIN
    assert running.reads_ok() >= READS_OK_AT_LEAST
    assert broken(books) == []
    assert running.crashes() == ""
