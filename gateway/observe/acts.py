"""Whether an integration asserts the same act again and again: then it is likely a constant."""

from __future__ import annotations

from collections import OrderedDict

from gateway.checks.assertion import without_time
from gateway.model import Write

_AT_MOST = 4096
"""Integrations that are followed, the last that wrote: a registry has fewer."""


class Runs:
    """How many writes in a row of an integration assert the same act but for its time.

    What asserts nothing does not count, nor does it end a run: a literal is constant by nature.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def follow(self, write: Write) -> int:
        """Count a write; 0 for one that asserts nothing."""
        told = without_time(write)
        if not told:
            return 0
        last, run = self._runs.pop(write.integration, (0, 0))
        value = hash(told)
        run = run + 1 if value == last else 1
        self._runs[write.integration] = value, run
        if len(self._runs) > _AT_MOST:
            self._runs.popitem(last=False)
        return run
