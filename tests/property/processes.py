"""Processes that share a state: each is a store object, and may die as by `kill -9`."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from gateway.ports import Administered
from gateway.state import Terms
from gateway.state.memory import MemoryStore
from gateway.state.redis import RedisStore
from gateway.state.sqlite import SqliteStore
from tests.patience import PATIENCE, eventually
from tests.servers import Valkey
from tests.state.redis.holding import holds

KEEP = 1e6
"""Longer than any test lasts, in the time that it makes."""
TERMS = Terms(keep=KEEP, timeout=PATIENCE)
Call = Coroutine[Any, Any, Any]
_Store = TypeVar("_Store", bound=Administered)


async def pass_turns(count: int) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


class Processes(Generic[_Store]):
    """What is shared, and how processes come and go."""

    count: ClassVar[int]
    """How many there are at once."""

    async def open(self) -> _Store:
        """Start one."""
        raise NotImplementedError

    async def kill(self, store: _Store, call: Call, turns: int) -> None:
        """End one without a last word, so many turns of the loop after it began a call."""
        raise NotImplementedError

    async def quiet(self, store: _Store) -> None:
        """Wait until a process has nothing left to do of what it began."""
        raise NotImplementedError

    def holds(self, write_id: str) -> bool:
        """Whether a write is remembered, by a look at the data itself."""
        raise NotImplementedError

    def end(self) -> None:
        """Clean up."""


class InMemory(Processes[MemoryStore]):
    """One process; were it to die, nothing would be left."""

    count = 1

    async def open(self) -> MemoryStore:
        """As `Processes.open`."""
        return MemoryStore(KEEP)

    async def quiet(self, store: MemoryStore) -> None:
        """As `Processes.quiet`: no call of it ever waits."""


class OverFile(Processes[SqliteStore]):
    """Processes over one file."""

    count = 2

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "state.db"

    async def open(self) -> SqliteStore:
        """As `Processes.open`."""
        return SqliteStore(self.path, TERMS)

    async def kill(self, store: SqliteStore, call: Call, turns: int) -> None:
        """As `Processes.kill`: what its thread has not begun is not done, and nothing is undone."""
        task = asyncio.ensure_future(call)
        await pass_turns(turns)
        transactions = store._transactions
        with contextlib.suppress(queue.Empty):
            while True:
                transactions._jobs.get_nowait()
        transactions._jobs.put(None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(transactions._thread.join)
        await store._janitor.close()

    async def quiet(self, store: SqliteStore) -> None:
        """As `Processes.quiet`: a late result reaches the loop, then its undoing the thread."""
        for _ in range(2):
            await store._transactions.run(lambda: None)

    def holds(self, write_id: str) -> bool:
        """As `Processes.holds`."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            found = db.execute("SELECT 1 FROM writes WHERE id = ?", (write_id,)).fetchone()
        return found is not None

    def end(self) -> None:
        """As `Processes.end`."""
        self._folder.cleanup()


class OverServer(Processes[RedisStore]):
    """Processes over one server, which stamps with the instants of the writes."""

    count = 3

    def __init__(self, server: Valkey, terms: Terms = TERMS) -> None:
        self.server = server
        self._terms = terms
        server.ask("FLUSHALL")

    async def open(self) -> RedisStore:
        """As `Processes.open`."""
        return RedisStore(self.server.url, self._terms, stamped=True)

    async def kill(self, store: RedisStore, call: Call, turns: int) -> None:
        """As `Processes.kill`: what was written reaches the server; what is owed is not paid."""
        number = await store._redis.call("CLIENT", "ID")
        task = asyncio.ensure_future(call)
        await pass_turns(turns)
        await store._redis.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store._owed.clear()
        for alive in (store._paying, store._losses._pulse):
            if alive is not None:
                alive.cancel()
        await eventually(lambda: b"id=%d " % number not in self.server.ask("CLIENT", "LIST"))

    async def quiet(self, store: RedisStore) -> None:
        """As `Processes.quiet`."""
        await eventually(lambda: not store._owed)

    def holds(self, write_id: str) -> bool:
        """As `Processes.holds`."""
        return holds(self.server, write_id)
