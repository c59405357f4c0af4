"""How long tests wait for what must come: so long that no busy or stalling machine is too slow.

A test that is about impatience gives it to the one part or call that it is about, and shows by the
order of events that this did not wait for ever; all else has this. What waits so long in vain has
failed, so the length costs nothing where all is well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds."""


def until(true: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Wait for something that others bring about; where it does not come, `told` says what is."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"it did not come about {told()}"
        time.sleep(0.02)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait as `until`, and let the loop go on meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.005)
