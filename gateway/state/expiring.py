"""What a process keeps by itself to answer repeated requests, for a time."""

from __future__ import annotations

from itertools import islice

from gateway.state.accounting import Kept

_PRUNED_AT_ONCE = 4
_BYTES_AT_MOST = 64 * 2**20
"""Of all kept answers; then the oldest go, for they would take what the process needs."""


class Expiring:
    """What is kept to answer repeated requests, for a time, the oldest first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, Kept] = {}
        self._bytes = 0

    def get(self, name: str | None, now: float) -> Kept | None:
        """What is kept under a name and has not expired."""
        kept = self._kept.get(name or "")
        return kept if kept is not None and now - kept.at < self._seconds else None

    def put(self, name: str, kept: Kept) -> None:
        """Keep it; what was there under the name goes."""
        self.drop(name)
        self._kept[name] = kept
        self._bytes += len(kept.answer or b"")

    def drop(self, name: str) -> None:
        """Forget what is under a name."""
        kept = self._kept.pop(name, None)
        self._bytes -= len((kept and kept.answer) or b"")

    def prune(self, now: float) -> None:
        """Forget what has expired, some at a time, and the oldest where there is too much."""
        for name in list(islice(self._kept, _PRUNED_AT_ONCE)):
            if self.get(name, now) is None or self._bytes > _BYTES_AT_MOST:
                self.drop(name)
