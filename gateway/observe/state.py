"""State as it is watched: how long each call takes, whether it works, and how full caps are.

Laws: every call of the gateway to its state goes through here once, and is passed on unchanged; but
for switches, which no write waits for, and which are given also while other data is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter
from typing import Final, Literal, TypeVar

from gateway.errors import StoreError
from gateway.model import Reservation, Reserved, Settlement
from gateway.observe.caps import CapUse
from gateway.observe.metrics import STORE_CALLS, Metrics
from gateway.ports import Expected, Notes, Store, Switches

_LOST: Final = "LOST"
"""The code of the error that waits for an operator's word."""
_Said = TypeVar("_Said")


class WatchedStore:
    """A store that tells how it does."""

    def __init__(self, store: Store, metrics: Metrics, caps: CapUse) -> None:
        self._store = store
        self._metrics = metrics
        self._caps = caps
        self._seconds = {call: metrics.store.labels(call) for call in STORE_CALLS}
        self._errors = {call: metrics.store_errors.labels(call) for call in STORE_CALLS}
        self._works = True
        self.notes: Notes = _WatchedNotes(self)

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `Store.reserve`."""
        said = await self.asked("reserve", lambda store: store.reserve(reservation))
        self._caps.reserved(reservation, said, monotonic())
        return said

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `Store.settle`."""
        self._caps.settled(write_id, settlement)
        await self.asked("settle", lambda store: store.settle(write_id, settlement))

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `Store.keep_answer`."""
        await self.asked("keep_answer", lambda store: store.keep_answer(write_id, answer))

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `Store.peek`."""
        return await self.asked("peek", lambda store: store.peek(reservation))

    async def close(self) -> None:
        """As `Store.close`."""
        await self._store.close()

    @property
    def switches(self) -> Switches:
        """As `Store.switches`, and unwatched: that they are given says nothing of the rest."""
        return self._store.switches

    async def asked(self, call: str, ask: Callable[[Store], Awaitable[_Said]]) -> _Said:
        """Ask the store itself, and count how that went."""
        started = perf_counter()
        try:
            said = await ask(self._store)
        except StoreError as error:
            self._errors[call].inc()
            self._works = False
            self._metrics.store_up.set(0)
            self._metrics.store_waits.set(error.code == _LOST)
            raise
        finally:
            self._seconds[call].observe(perf_counter() - started)
        if not self._works:
            self._works = True
            self._metrics.store_up.set(1)
            self._metrics.store_waits.set(0)
        return said


class _WatchedNotes:
    """The notes of a store, of which all calls count as `notes`."""

    def __init__(self, watched: WatchedStore) -> None:
        self._watched = watched

    async def get(self, name: str, at: float) -> bytes | None:
        """As `Notes.get`."""
        return await self._watched.asked("notes", lambda store: store.notes.get(name, at))

    async def put(
        self,
        name: str,
        value: bytes,
        at: float,
        *,
        until: float,
        expected: bytes | Literal[Expected.ANY] | None,
    ) -> bool:
        """As `Notes.put`."""
        return await self._watched.asked(
            "notes", lambda store: store.notes.put(name, value, at, until=until, expected=expected)
        )

    async def names(self, prefix: str, limit: int, at: float) -> list[str]:
        """As `Notes.names`."""
        return await self._watched.asked(
            "notes", lambda store: store.notes.names(prefix, limit, at)
        )

    async def drop(self, name: str, at: float) -> bool:
        """As `Notes.drop`."""
        return await self._watched.asked("notes", lambda store: store.notes.drop(name, at))
