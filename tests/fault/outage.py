"""A fault that begins and ends under load, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.fault.checker import Books
from tests.fault.clients import Try
from tests.fault.posts import Question
from tests.fault.site import Site, accepted_again, until

_AT_LEAST = 10


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What came of a fault.

    Attributes:
        during: the writes that came and went while it was there.
        pause: seconds from its end to the first write that was accepted again.
        reads_ok: the part of the reads that were answered well, before, during and after it.
        slowest_read: seconds.
        crashes: what the gateways said about bugs.
    """

    books: Books
    during: Sequence[Try]
    pause: float
    reads: int
    reads_ok: float
    slowest_read: float
    crashes: str

    @property
    def slowest(self) -> float:
        """The seconds of the slowest answer while the fault was there."""
        return max(each.seconds for each in self.during)

    def figures(self) -> str:
        """What was measured, in a line."""
        return (
            f"{len(self.during)} writes during the fault, slowest answer {self.slowest:.2f} s, "
            f"pause afterwards {self.pause:.2f} s, {self.reads_ok:.2%} of {self.reads} reads ok, "
            f"slowest read {self.slowest_read:.2f} s"
        )


async def endure(
    running: Site,
    name: str,
    begin: Callable[[], Awaitable[object]],
    end: Callable[[], object],
    seconds: float,
) -> Outage:
    """Let a fault come and go under load.

    Args:
        name: a word that no other fault of this site has.
        begin: ends when the fault is there.
        seconds: how long it stays at least: it ends when some writes came and went meanwhile.
    """
    clients = running.clients
    reads = len(clients.reads)
    async with clients.load(lambda number: Question(serial=f"{name}{number}", old=number % 4 == 3)):
        await accepted_again(clients, time.time())
        await begin()
        # What was let pass a moment before may still be on its way to SOE.
        began = time.time() + 0.1
        await asyncio.sleep(seconds)
        await until(lambda: sum(began < each.began for each in clients.tries) > _AT_LEAST)
        ended = time.time()
        end()
        pause = await accepted_again(clients, time.time())
    books = await running.settled()
    during = [each for each in books.tries if began < each.began and each.ended < ended]
    answered = clients.reads[reads:]
    return Outage(
        books=books,
        during=during,
        pause=pause,
        reads=len(answered),
        reads_ok=sum(each.ok for each in answered) / len(answered),
        slowest_read=max(each.seconds for each in answered),
        crashes=running.crashes(),
    )
