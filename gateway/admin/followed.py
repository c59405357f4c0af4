"""The audit log as pages see it: its index, which a thread of this process keeps up to date.

Laws: nothing here runs on the event loop but waiting; a stop waits for one short step at most; and
where the index cannot be had, pages say so and the rest of the console works.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Generic, TypeVar

from gateway.audit.index.entries import Entry, Hour, IntegrationTotals, RuleHour, RuleTotals
from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.errors import AuditError, RequestError

DAY, HOUR = 86_400.0, 3_600.0
_STEP_LINES = 50
"""So few that the loop, which shares its interpreter, hardly waits for a step."""
_PAUSE, _AGAIN = 0.5, 5.0
"""Seconds until the log is looked at again: when all was read, and when that failed."""
_TO_OTHERS = 3.0
"""So many times what a step takes is left to others before the next, for they share an interpreter."""
_PATIENCE = 1.0
"""Seconds that a stop waits at most; the thread ends with its process, and the index bears it."""
_FRESH, _TIMES = 60.0, 100.0
"""Sums are kept for so many seconds at most, and for so many times what they took to make."""
_Told = TypeVar("_Told")
Names = Mapping[str, frozenset[str]]
"""By `integration`, `operation` or `rule`: those that stand in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What was counted of the last day; `hours` and `rule_hours` in whole hours, the last with now.

    Attributes:
        since: the first of the 24 hours.
    """

    at: float
    since: float
    hours: tuple[Hour, ...]
    rule_hours: tuple[RuleHour, ...]
    integrations: Mapping[str, IntegrationTotals]
    rules: Mapping[str, RuleTotals]


class Followed:
    """The index of one directory's log, followed.

    Args:
        directory: of the log; None where the log goes to no directory.
        path: of the index.
        shared: whether other replicas have logs of their own.
    """

    def __init__(self, directory: Path | None, path: Path, *, shared: bool) -> None:
        self._directory = directory
        self._path = path
        self._shared = shared
        self._index: Index | None = None
        self._failed = ""
        self._behind = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._sums, self._names = _Fresh[Sums](), _Fresh[Names]()

    def start(self) -> None:
        """Begin to follow."""
        if self._directory is not None:
            self._thread.start()

    async def close(self) -> None:
        """Cease to follow."""
        self._ending.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _PATIENCE)
        if self._index is not None and not self._thread.is_alive():
            await asyncio.to_thread(self._index.close)

    async def ask(self, question: Callable[[Index], _Told]) -> _Told:
        """Ask the index something.

        Raises:
            RequestError: `no_records` (503): there is none, or not yet.
        """
        if self._directory is None:
            raise RequestError(
                503,
                "no_records",
                "The audit log goes to standard output alone: there is nothing to show here. Add a directory to audit.sinks.",
            )
        if self._index is None:
            told = self._failed or "The audit log is being opened. Look again in a moment."
            raise RequestError(503, "no_records", told)
        try:
            return await asyncio.to_thread(question, self._index)
        except AuditError as error:
            raise RequestError(
                503, "no_records", f"The records cannot be read: {error}."
            ) from error

    async def record(self, entry: Entry) -> Mapping[str, Any] | None:
        """Give all that was recorded of a decision; None where it is no longer in the log."""
        assert self._directory is not None
        return await asyncio.to_thread(_record, self._directory, entry)

    async def sums(self, now: float) -> Sums:
        """Give the sums of the last day, a minute old at most.

        Raises:
            RequestError: as `ask`.
        """
        return await self._sums.get(lambda: self.ask(lambda index: _summed(index, now)))

    async def names(self) -> Names:
        """Give what stands in the log, by what it names: a minute old at most.

        Raises:
            RequestError: as `ask`.
        """
        return await self._names.get(lambda: self.ask(_named))

    async def sums_if_any(self, now: float) -> Sums | None:
        """Give the sums of the last day, for pages that have more to show; None without records."""
        with contextlib.suppress(RequestError):
            return await self.sums(now)
        return None

    def told(self) -> dict[str, Any]:
        """Say how far it is, for the foot of a page."""
        return {
            "shared": self._shared,
            "behind": self._behind,
            "failed": self._failed,
        }

    # ── on the thread ────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        """Follow the log, leaving most of the time to others where much is to be read."""
        assert self._directory is not None
        following: Index | None = None
        while not self._directory.is_dir() and not self._ending.wait(_PAUSE):
            pass  # a worker makes it
        while not self._ending.is_set():
            began = monotonic()
            try:
                if following is None:
                    following = Index(self._directory, self._path)
                    self._index = Index(self._directory, self._path)
                read = following.step(_STEP_LINES)
                self._behind = following.behind() if read else 0
                self._failed, pause = "", _TO_OTHERS * (monotonic() - began) if read else _PAUSE
            except (AuditError, OSError, sqlite3.Error) as error:  # it must outlast all of them
                self._failed, pause = f"The records cannot be followed: {error}.", _AGAIN
            self._ending.wait(pause)
        if following is not None:
            following.close()


class _Fresh(Generic[_Told]):
    """An answer that is kept for a while: the longer, the longer it took; made by one at a time."""

    def __init__(self) -> None:
        self._kept: tuple[float, _Told] | None = None
        self._making = asyncio.Lock()

    async def get(self, make: Callable[[], Awaitable[_Told]]) -> _Told:
        """Give it, made anew where it is too old."""
        async with self._making:
            if self._kept is None or monotonic() >= self._kept[0]:
                began = monotonic()
                made = await make()
                ended = monotonic()
                self._kept = (ended + min(_FRESH, _TIMES * (ended - began)), made)
            return self._kept[1]


def _record(directory: Path, entry: Entry) -> Mapping[str, Any] | None:
    lines = Lines(directory)
    try:
        found = lines.record(entry.place)
    finally:
        lines.close()
    return found if found is not None and found.get("write_id") == entry.id else None


def _named(index: Index) -> Names:
    return {name: index.names(name) for name in ("integration", "operation", "rule")}


def _summed(index: Index, now: float) -> Sums:
    since = (now // HOUR - 23) * HOUR
    return Sums(
        at=now,
        since=since,
        hours=index.hours(since),
        rule_hours=index.rule_hours(since),
        integrations={each.integration: each for each in index.integrations(now - DAY)},
        rules={each.rule: each for each in index.rules(now - DAY)},
    )
