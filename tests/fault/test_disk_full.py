"""Promises 4 and 9 under load: on a full disk writes are refused at once, and reads go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
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
from tests.fault.disks import ROOM, small_disk
from tests.fault.outage import Outage, endure
from tests.fault.site import FULL, NO_COPIES, SLACK, full, site, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800 if FULL else 300),
    pytest.mark.asyncio(loop_scope="module"),
]

CODES = {"state": "state_unavailable", "audit log": "audit_unavailable"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=CODES)
async def full_disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Outage]]:
    """Two workers whose state, or whose audit log, lies on a disk that is full for a while."""
    folder: Path = tmp_path_factory.mktemp("disk")
    with small_disk(folder / "disk") as disk:
        words: tuple[str, ...] = ("--workers", "2")
        audit = disk.path / "audit" if request.param == "audit log" else None
        if audit is None:
            words += ("--state", f"sqlite:///{disk.path / 'state.db'}")
        async with site(folder, NO_COPIES, *words, audit=audit, environ=ROOM) as running:
            tries = running.clients.tries

            async def fill() -> None:
                disk.fill()
                # Files that have room within them take some more, each worker's its own.
                await until(lambda: all(each.code == CODES[request.param] for each in tries[-40:]))
                disk.fill()

            yield (
                CODES[request.param],
                await endure(running, "n", fill, disk.free, full(1, 15)),
            )


async def test_every_write_is_refused_and_nothing_is_sent(
    full_disk: tuple[str, Outage], measured: Measured
) -> None:
    """Each is told what is out of reach, and the three books agree."""
    code, outage = full_disk
    measured("", outage.figures())
    undecided = outage.books.outcomes.keys() - outage.books.decisions.keys()
    measured("outcomes of decisions that could not be recorded", len(undecided))

    assert Counter(each.code for each in outage.during).keys() == {code}
    assert broken(outage.books) == []
    assert outage.crashes == ""


async def test_writes_are_refused_within_a_second(full_disk: tuple[str, Outage]) -> None:
    """Nobody waits longer for a refusal."""
    assert full_disk[1].slowest < REFUSED_WITHIN + SLACK


async def test_writes_pass_again_without_a_restart(full_disk: tuple[str, Outage]) -> None:
    """The gateway finds out by itself that there is room."""
    assert full_disk[1].pause < RECOVERED_WITHIN + SLACK


async def test_reads_notice_nothing(full_disk: tuple[str, Outage]) -> None:
    """They depend on no disk."""
    assert full_disk[1].reads_ok >= READS_OK_AT_LEAST
