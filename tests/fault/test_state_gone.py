"""Promise 9 under load: without its state the gateway refuses writes at once, and reads go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fault.checker import (
    READS_OK_AT_LEAST,
    RECOVERED_WITHIN,
    REFUSED_WITHIN,
    broken,
)
from tests.fault.conftest import Measured
from tests.fault.outage import Outage, endure
from tests.fault.site import FULL, NO_COPIES, SLACK, WITHIN_A_SECOND, Site, full, site
from tests.servers import Valkey

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800 if FULL else 300),
    pytest.mark.asyncio(loop_scope="module"),
]


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Valkey]]:
    """Two workers over a Valkey of their own, which may be broken."""
    folder: Path = tmp_path_factory.mktemp("state")
    valkey = Valkey()
    try:
        words = ("--workers", "2", "--state", valkey.url)
        async with site(
            folder, NO_COPIES, *words, environ=WITHIN_A_SECOND, program="gateway"
        ) as running:
            yield running, valkey
    finally:
        valkey.close()


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=FAULTS, ids=lambda fault: fault.name
)
async def outage(request: pytest.FixtureRequest, two: tuple[Site, Valkey]) -> Outage:
    """One fault after the other comes and goes; nothing is restarted."""
    running, valkey = two
    fault: Fault = request.param

    async def begin() -> None:
        fault.begin(valkey)

    return await endure(
        running,
        f"fault{FAULTS.index(fault)}n",
        begin,
        lambda: fault.end(valkey),
        fault.seconds,
    )


async def test_every_write_is_refused_and_nothing_is_sent(
    outage: Outage, measured: Measured
) -> None:
    """Each is told that the state is out of reach, and the three books agree."""
    measured("", outage.figures())

    assert Counter(each.code for each in outage.during).keys() == {"state_unavailable"}
    assert broken(outage.books) == []
    assert outage.crashes == ""


async def test_writes_are_refused_within_a_second(outage: Outage) -> None:
    """Nobody waits longer for a refusal."""
    assert outage.slowest < REFUSED_WITHIN + SLACK


async def test_writes_pass_again_without_a_restart(outage: Outage) -> None:
    """The gateway finds out by itself that the state is back."""
    assert outage.pause < RECOVERED_WITHIN + SLACK


async def test_reads_notice_nothing(outage: Outage) -> None:
    """They depend on no state."""
    assert outage.reads_ok >= READS_OK_AT_LEAST
