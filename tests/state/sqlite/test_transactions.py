"""One thread, shared transactions, and nobody who waits for ever."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.state.sqlite.transactions import Edges, Transactions
from tests.patience import PATIENCE


class Noted(Edges):
    """The edges of transactions, which leave their names."""

    def __init__(self, bench: Bench) -> None:
        self.told: list[tuple[str, bool]] = []
        self.bench = bench

    def note(self, name: str) -> None:
        """What happened, and whether it was in a transaction."""
        self.told.append((name, self.bench.db.in_transaction))

    def begun(self) -> None:
        """As `Edges.begun`."""
        self.note("begun")

    def committed(self) -> None:
        """As `Edges.committed`."""
        self.note("committed")

    def rolled_back(self) -> None:
        """As `Edges.rolled_back`."""
        self.note("rolled back")


class Bench:
    """Transactions over a file that may be locked, and what was done in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: list[str] = []
        self.changed = threading.Semaphore(0)
        self.begun = threading.Event()
        self.may_end = threading.Event()
        # No patience with locks: what is locked fails at once.
        db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self.db = db
        end = self.note("end")
        db.set_trace_callback(lambda told: end() if told == "COMMIT" else None)
        self.edges = Noted(self)
        self.transactions = Transactions(db, timeout=PATIENCE, edges=self.edges)

    def note(self, name: str) -> Callable[[], None]:
        """Work that leaves its name."""

        def work() -> None:
            self.done.append(name)
            self.changed.release()

        return work

    def hold(self) -> None:
        """Work that keeps the thread busy until it may end."""
        self.begun.set()
        assert self.may_end.wait(PATIENCE)

    async def held(self, undo: Callable[[], None] | None = None) -> asyncio.Task[None]:
        """Start `hold` and wait until it runs."""
        task = asyncio.ensure_future(self.transactions.run(self.hold, undo=undo))
        assert await asyncio.to_thread(self.begun.wait, PATIENCE)
        return task

    def locked(self) -> sqlite3.Connection:
        """Lock the file, as another process does."""
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        return other


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Transactions over an empty file."""
    made = Bench(tmp_path / "file.db")
    yield made
    made.may_end.set()
    await made.transactions.close()


async def test_what_waits_shares_a_transaction(bench: Bench) -> None:
    """However many came while the thread was busy."""
    first = await bench.held()
    others = [asyncio.ensure_future(bench.transactions.run(bench.note(name))) for name in "abc"]
    await asyncio.sleep(0)
    bench.may_end.set()
    await asyncio.gather(first, *others)

    assert bench.done == ["end", "a", "b", "c", "end"]


async def test_work_whose_caller_went_while_it_was_done_is_undone(bench: Bench) -> None:
    """In a transaction of its own, after it."""
    task = await bench.held(undo=bench.note("undone"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.may_end.set()
    while "undone" not in bench.done:
        assert await asyncio.to_thread(bench.changed.acquire, timeout=PATIENCE)

    assert bench.done[:2] == ["end", "undone"]


async def test_work_whose_caller_went_before_is_not_begun(bench: Bench) -> None:
    """There is nothing to undo then."""
    first = await bench.held()
    second = asyncio.ensure_future(
        bench.transactions.run(bench.note("begun"), undo=bench.note("undone"))
    )
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    bench.may_end.set()
    await first
    await bench.transactions.run(bench.note("later"))

    assert [name for name in bench.done if name != "end"] == ["later"]


async def test_work_whose_caller_goes_as_its_result_arrives_is_undone(bench: Bench) -> None:
    """The result was there, but nobody came to take it."""
    deliver = bench.transactions._deliver
    task = await bench.held(undo=bench.note("undone"))

    def deliver_and_cancel(done: list[Any]) -> None:
        bench.transactions._deliver = deliver  # type: ignore[method-assign]  # once
        deliver(done)
        task.cancel()

    bench.transactions._deliver = deliver_and_cancel  # type: ignore[method-assign]  # the moment
    bench.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.transactions.run(bench.note("later"))

    assert [name for name in bench.done if name != "end"] == ["undone", "later"]


async def test_what_must_be_undone_is_undone_before_the_end(bench: Bench) -> None:
    """Closing waits for it."""
    task = await bench.held(undo=bench.note("undone"))
    task.cancel()
    closing = asyncio.ensure_future(bench.transactions.close())
    await asyncio.sleep(0)
    bench.may_end.set()
    await closing

    assert "undone" in bench.done


async def test_a_caller_waits_for_no_longer_than_the_time_out(bench: Bench) -> None:
    """Whatever keeps the thread."""
    bench.transactions._timeout = 0.01
    with pytest.raises(StoreError, match="in time"):
        await bench.transactions.run(bench.hold)

    assert not bench.may_end.is_set()


async def test_what_must_be_done_is_done_when_the_file_works_again(bench: Bench) -> None:
    """First of all, though its caller had an error."""
    other = bench.locked()
    with pytest.raises(StoreError, match="locked"):
        await bench.transactions.run(bench.note("must"), again=True)
    with pytest.raises(StoreError, match="locked"):
        await bench.transactions.run(bench.note("need not"))
    other.close()
    await bench.transactions.run(bench.note("next"))

    assert [name for name in bench.done if name != "end"] == ["must", "next"]


async def test_what_must_be_done_waits_for_nobody_to_ask(bench: Bench) -> None:
    """Another worker, which has more to do, would take a settled write for one in flight."""
    other = bench.locked()
    with pytest.raises(StoreError, match="locked"):
        await bench.transactions.run(bench.note("must"), again=True)
    other.close()

    assert await asyncio.to_thread(bench.changed.acquire, timeout=PATIENCE)


async def test_a_failed_transaction_leaves_nothing(bench: Bench) -> None:
    """What was written before the failure is rolled back."""

    def fails() -> None:
        bench.transactions._db.execute("CREATE TABLE half (done)")
        bench.transactions._db.execute("no SQL at all")

    def tables() -> int:
        found = bench.transactions._db.execute("SELECT count(*) FROM sqlite_master")
        return int(found.fetchone()[0])

    with pytest.raises(StoreError, match="syntax error"):
        await bench.transactions.run(fails)

    assert await bench.transactions.run(tables) == 0


async def test_what_is_done_ahead_is_done_before_the_transaction(bench: Bench) -> None:
    """Others may write meanwhile; then come the edges, at each end."""
    told = bench.edges.told
    await bench.transactions.run(
        lambda: bench.edges.note("work"), ahead=lambda: bench.edges.note("ahead")
    )

    assert told == [("ahead", False), ("begun", True), ("work", True), ("committed", False)]


async def test_a_failed_transaction_ends_at_its_other_edge(bench: Bench) -> None:
    """And what was done ahead is done anew for each attempt."""
    first = await bench.held()

    def fails() -> None:
        raise StoreError("no")

    jobs = [
        asyncio.ensure_future(bench.transactions.run(work, ahead=lambda: bench.edges.note("ahead")))
        for work in (fails, lambda: bench.edges.note("work"))
    ]
    await asyncio.sleep(0)
    bench.may_end.set()
    await asyncio.gather(first, *jobs, return_exceptions=True)

    assert [name for name, _ in bench.edges.told] == [
        *("begun", "committed"),
        *("ahead", "ahead", "begun", "rolled back"),
        *("ahead", "begun", "rolled back"),
        *("ahead", "begun", "work", "committed"),
    ]
