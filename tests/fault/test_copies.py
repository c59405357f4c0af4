"""Promise 6 under load: of many copies at once, through workers and replicas, one is published."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fault.checker import broken, most_at_once
from tests.fault.clients import Clients
from tests.fault.conftest import Measured
from tests.fault.posts import Question
from tests.fault.site import FULL, NO_COPIES, Site, full, site
from tests.servers import Valkey

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800 if FULL else 300),
    pytest.mark.asyncio(loop_scope="module"),
]

WORKERS = str(full(1, 2))
ROUNDS = full(3, 100)
COPIES = full(40, 100)
PAUSE = COPIES * 0.004
"""Seconds between two tries of one caller: sooner than the gateway advises, so that a round is
short, but not so soon that there is always a try of which the others hear."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replicas(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> AsyncIterator[Site]:
    """Two replicas, of two workers in the long form, before an SOE that takes 20 ms over a write."""
    valkey.ask("FLUSHALL")
    folder: Path = tmp_path_factory.mktemp("copies")
    words = ("--workers", WORKERS, "--state", valkey.url)
    async with site(folder, NO_COPIES, *words, replicas=2) as running:
        running.soe.takes = 0.02
        yield running


async def insist(clients: Clients, question: Question, pause: float) -> None:
    """Post a question again and again while a copy of it is in flight, after a pause on average."""
    while (await clients.write(question)).in_flight_elsewhere:
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause)


async def post_copies(
    running: Site, serials: Sequence[str], *answers: int, pause: float = PAUSE
) -> None:
    """Let all callers post one text at once, over both versions of the API, round after round.

    Args:
        answers: what SOE says first in each round; 201 is what it says then.
    """
    for serial in serials:
        told = iter(answers)
        running.soe.says = lambda told=told: next(told, 201)  # type: ignore[misc]
        copies = [Question(serial=serial, old=each % 4 == 3) for each in range(COPIES)]
        await asyncio.gather(*(insist(running.clients, each, pause) for each in copies))


async def test_of_many_copies_at_once_one_is_published(replicas: Site) -> None:
    """Never are two with SOE at a time, and only one comes there, in each round."""
    serials = [f"first{number}" for number in range(ROUNDS)]
    await post_copies(replicas, serials)
    books = await replicas.settled()

    assert [replicas.soe.published(serial) for serial in serials] == [1] * ROUNDS
    assert [replicas.soe.arrived(serial) for serial in serials] == [1] * ROUNDS
    assert broken(books) == []
    assert replicas.crashes() == ""


async def test_where_soe_refused_one_copy_another_gets_through(replicas: Site) -> None:
    """What SOE did not take stands in nobody's way, and still one is published."""
    serials = [f"second{number}" for number in range(ROUNDS)]
    await post_copies(replicas, serials, 404)
    books = await replicas.settled()

    assert [replicas.soe.published(serial) for serial in serials] == [1] * ROUNDS
    assert [replicas.soe.arrived(serial) for serial in serials] == [2] * ROUNDS
    assert [most_at_once(books.arrivals, serial) for serial in serials] == [1] * ROUNDS
    assert broken(books) == []
    assert replicas.crashes() == ""


@pytest.mark.skipif(not FULL, reason="the long form waits as long as it takes")
async def test_impatient_callers_do_not_stand_in_each_others_way(
    replicas: Site, measured: Measured
) -> None:
    """However soon they come again, one gets through as soon as nothing is with SOE."""
    serials = [f"third{number}" for number in range(5)]
    gaps = []
    for serial in serials:
        await post_copies(replicas, [serial], 404, pause=0.05)
        first, second = (each for each in replicas.soe.arrivals if each.serial == serial)
        gaps.append(second.at - first.until)
    measured("seconds in which nothing was with SOE", [round(gap, 1) for gap in gaps])

    assert max(gaps) < 2.0
