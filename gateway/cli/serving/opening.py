"""State and audit log that could not be opened at the start, because their disk is full or broken.

Reads depend on neither, so they are served meanwhile; every write is refused, as it would be if the
disk had filled while the gateway ran. What is wrong for good (a path, a version) ends the start.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence

from gateway.errors import AuditError, GatewayError, StoreError
from gateway.model import Counted, Decision, Reservation, Reserved, Settlement, Write
from gateway.ports import Administered, AuditLog, Notes, Switches

AGAIN_AFTER = 1.0
"""Seconds after which opening is tried again."""
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_SQLITE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
_PRIMARY = 0xFF
"""The bits of an error code of SQLite's that say its kind."""


def may_pass(error: GatewayError) -> bool:
    """Whether what failed may work later, as the disk is what is wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _DISK:
            return True
        if isinstance(cause, sqlite3.Error):
            return getattr(cause, "sqlite_errorcode", 0) & _PRIMARY in _SQLITE_DISK
        cause = cause.__cause__
    return False


class LateStore:
    """State, from when it is opened on."""

    def __init__(self) -> None:
        self._store: Administered | None = None

    def opened(self, store: Administered) -> None:
        """Let calls through."""
        self._store = store

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `Store.reserve`."""
        return await self._there().reserve(reservation)

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `Store.settle`."""
        await self._there().settle(write_id, settlement)

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `Store.keep_answer`."""
        await self._there().keep_answer(write_id, answer)

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `Store.peek`."""
        return await self._there().peek(reservation)

    async def counters(
        self, asked: Sequence[tuple[str, float]], at: float
    ) -> list[tuple[Counted, ...]]:
        """As `Caps.counters`."""
        return await self._there().counters(asked, at)

    async def reset(self, cap: str) -> int:
        """As `Caps.reset`."""
        return await self._there().reset(cap)

    async def close(self) -> None:
        """As `Store.close`."""
        if self._store is not None:
            await self._store.close()

    @property
    def notes(self) -> Notes:
        """As `Store.notes`; raises `StoreError` while there are none."""
        return self._there().notes

    @property
    def switches(self) -> Switches:
        """As `Store.switches`; raises `StoreError` while there are none."""
        return self._there().switches

    def _there(self) -> Administered:
        if self._store is None:
            raise StoreError("the state could not be opened yet")
        return self._store


class LateAudit:
    """The audit log, from when it is opened on."""

    def __init__(self) -> None:
        self._audit: AuditLog | None = None

    def opened(self, audit: AuditLog) -> None:
        """Let records through."""
        self._audit = audit

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `AuditLog.decided`."""
        await self._there().decided(write, decision)

    def sending(self, write_id: str) -> None:
        """As `AuditLog.sending`."""
        self._there().sending(write_id)

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `AuditLog.settled`; a write that could not be recorded has no outcome."""
        if self._audit is not None:
            await self._audit.settled(write, settlement, status)

    async def close(self) -> None:
        """As `AuditLog.close`."""
        if self._audit is not None:
            await self._audit.close()

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """As `AuditLog.told`."""
        self._there().told(event, person=person, **facts)

    def _there(self) -> AuditLog:
        if self._audit is None:
            raise AuditError("the audit log could not be opened yet")
        return self._audit
