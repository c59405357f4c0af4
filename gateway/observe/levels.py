"""Gauges that nothing happens to: read now and then, so that no request pays for them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Protocol

from gateway.observe.caps import CapUse, Key
from gateway.observe.metrics import Metrics, child
from gateway.observe.observer import Observer

_EVERY = 1.0
"""Seconds between two readings: less than any scrape waits."""
_DISKS_EVERY = 10
"""Readings between two looks at the disks."""


class _Waits(Protocol):
    @property
    def waiting(self) -> int: ...


class _Connections(Protocol):
    @property
    def in_use(self) -> int: ...


class Levels:
    """Reads how full, how many and how much.

    Attributes:
        audit: the audit log, once it is open.
    """

    def __init__(
        self,
        metrics: Metrics,
        observer: Observer,
        caps: CapUse,
        pool: _Connections,
        directories: Sequence[Path],
    ) -> None:
        self.audit: _Waits | None = None
        self._metrics = metrics
        self._observer = observer
        self._caps = caps
        self._pool = pool
        self._directories = directories
        self._shown: dict[Key, float] = {}

    async def repeat(self) -> None:
        """Read for ever."""
        while True:
            with suppress(OSError):  # a disk that cannot be asked is told of by what writes there
                await asyncio.to_thread(self.read_disks)
            for _ in range(_DISKS_EVERY):
                self.read(monotonic())
                await asyncio.sleep(_EVERY)

    def read(self, at: float) -> None:
        """Read what costs nothing to ask; `at` is of the clock that `CapUse` heard."""
        self._metrics.in_flight.set(self._observer.in_flight)
        self._metrics.upstream_connections.set(self._pool.in_use)
        self._metrics.audit_waiting.set(self.audit.waiting if self.audit else 0)
        shares = self._caps.shares(at)
        for key, share in {**dict.fromkeys(self._shown, 0.0), **shares}.items():
            if self._shown.get(key) != share:
                child(self._metrics.cap_used, *key).set(share)
        self._shown = shares

    def read_disks(self) -> None:
        """Read the free space of the audit log's directories; waits for disks.

        Raises:
            OSError: one cannot be asked.
        """
        if self._directories:
            free = min(shutil.disk_usage(each).free for each in self._directories)
            self._metrics.audit_free.set(free)
