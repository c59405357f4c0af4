"""How the time of a piece of work grows, told so that a busy machine cannot make a test fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 16
"""How much longer the long input is: linear work takes some 16 times as long, quadratic 256."""

GROWTH = 64
"""What is taken for linear: half way to quadratic, by factors."""

SECONDS = 0.000_2
"""A short run below this is counted as this much, because the clock tells little there."""

ATTEMPTS = 6


def grows_linearly(work: Callable[[int], object], length: int) -> bool:
    """Whether work(16 * length) takes some 16 times as long as work(length), not 256 times.

    Whatever else the machine does can only lengthen a run, so the least of each counts, and
    more runs are made for as long as the answer is no.
    """
    short = long = float("inf")
    for _ in range(ATTEMPTS):
        short = min(short, thread_seconds(work, length))
        long = min(long, thread_seconds(work, TIMES * length))
        if long < GROWTH * max(short, SECONDS):
            return True
    return False


def thread_seconds(work: Callable[[int], object], length: int) -> float:
    """Give the processor's time that this thread spends on work(length)."""
    started = time.thread_time()
    work(length)
    return time.thread_time() - started
