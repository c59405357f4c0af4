"""How long tests wait: a busy machine stands still for seconds, and that is no fault of the code.

What is not about impatience gets `PATIENCE` everywhere; what is gives little to the one call that
it is about, and shows by the order of events that it did not wait for ever.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0
"""Seconds after which something that must come about has not; no test waits for this long."""


async def until(true: Callable[[], object]) -> None:
    """Wait until something has come about."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.005)
