"""Time does not go back."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock


@given(st.lists(st.floats(0, 4e9), min_size=1))
def test_instants_never_decrease(readings: list[float]) -> None:
    """However the machine's clock is set, each instant is the latest that was seen."""
    clock = SystemClock(iter(readings).__next__)
    instants = [clock.now() for _ in readings]

    assert all(earlier <= later for earlier, later in pairwise(instants))
    assert instants[-1] == max(readings)


def test_instants_are_those_of_the_machine() -> None:
    """Without another reader it is the machine's own time."""
    before = time.time()
    now = SystemClock().now()

    assert before <= now <= time.time()
