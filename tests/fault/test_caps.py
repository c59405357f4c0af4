"""Promise 7 under load: no cap is exceeded, and what did not happen does not count."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fault.checker import broken
from tests.fault.clients import Try
from tests.fault.posts import Question
from tests.fault.site import FULL, TEN_AN_HOUR_EACH, Site, full, site
from tests.servers import Valkey

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800 if FULL else 300),
    pytest.mark.asyncio(loop_scope="module"),
]

TRIES = full(200, 2000)
AT_ONCE = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["valkey", "sqlite"])
async def processes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: Valkey
) -> AsyncIterator[Site]:
    """Two workers of each of two replicas over Valkey, or four over one SQLite file.

    Half as many in the short form.
    """
    valkey.ask("FLUSHALL")
    words: tuple[str, ...] = ("--workers", str(full(2, 4)))
    replicas = 1
    if request.param == "valkey":
        words, replicas = ("--workers", str(full(1, 2)), "--state", valkey.url), 2
    folder: Path = tmp_path_factory.mktemp("caps")
    async with site(folder, TEN_AN_HOUR_EACH, *words, replicas=replicas) as running:
        running.soe.takes = 0.02
        yield running


async def post_many(running: Site, token: str) -> list[Try]:
    """Post as many different questions as there are tries, within the cap's hour.

    Nearly all come at once, the last ones one by one: a place that is freed last is used, too.
    """
    places = asyncio.Semaphore(AT_ONCE)
    one_by_one = TRIES // 20

    async def post(number: int) -> Try:
        question = Question(serial=f"{token}{number}", token=token, old=number % 4 == 3)
        async with places:
            return await running.clients.write(question)

    tries = await asyncio.gather(*(post(number) for number in range(TRIES - one_by_one)))
    tries += [await post(TRIES - number) for number in range(one_by_one)]
    return tries


async def test_ten_an_hour_are_ten_whatever_is_tried(processes: Site) -> None:
    """All processes count as one."""
    processes.soe.says = lambda: 201
    tries = await post_many(processes, "greedy")
    books = await processes.settled()

    assert sum(each.accepted for each in tries) == 10
    assert Counter(each.code for each in tries) == {"": 10, "rate_cap": TRIES - 10}
    assert broken(books) == []
    assert processes.crashes() == ""


async def test_places_that_soe_freed_are_used(processes: Site) -> None:
    """Of an SOE that refuses each third write there come ten posts, too, and no more."""
    answers = itertools.cycle((201, 404, 201))
    processes.soe.says = lambda: next(answers)
    tries = await post_many(processes, "unlucky")
    books = await processes.settled()
    refused = sum(arrival.status == 404 for each in tries for arrival in books.of(each))

    assert sum(each.accepted for each in tries) == 10
    assert refused > 0
    assert Counter(each.code for each in tries) == {
        "": 10 + refused,
        "rate_cap": TRIES - 10 - refused,
    }
    assert broken(books) == []
    assert processes.crashes() == ""
