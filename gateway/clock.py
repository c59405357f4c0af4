"""The only reader of the clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class SystemClock:
    """Wall time that never steps back: a clock that is set back stands still instead."""

    def __init__(self, read: Callable[[], float] = time.time) -> None:
        self._read = read
        self._last = 0.0

    def now(self) -> float:
        """Unix seconds, never less than before."""
        now = self._read()
        if now > self._last:
            self._last = now
        return self._last
