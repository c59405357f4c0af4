"""Exact windows: when a cap has room, and when it will have."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.model import Charge, Window
from gateway.state.accounting import charged

HALVES = st.integers(0, 80).map(lambda halves: halves / 2)
TIMES = st.lists(HALVES, max_size=12).map(sorted)
WINDOWS = st.lists(
    st.builds(Window, limit=st.integers(1, 4), seconds=st.sampled_from([5.0, 10.0, 30.0])),
    min_size=1,
    max_size=3,
).map(tuple)


@given(times=TIMES, windows=WINDOWS)
def test_a_refused_write_passes_after_the_wait_that_it_was_told_and_not_before(
    times: list[float], windows: tuple[Window, ...]
) -> None:
    """With nothing else happening meanwhile, to the moment."""
    charge = Charge(cap="c", windows=windows)
    answer = charged(charge, times, 40.0)
    assume(not answer.accepted)
    then = 40.0 + answer.retry_after

    assert charged(charge, times, then).accepted
    assert not charged(charge, times, then - 0.25).accepted


@given(times=TIMES, windows=WINDOWS)
def test_a_refused_try_passes_after_the_wait_that_it_was_told(
    times: list[float], windows: tuple[Window, ...]
) -> None:
    """The refused try is counted itself, and the wait knows that."""
    charge = Charge(cap="c", windows=windows, attempts=True)
    answer = charged(charge, times, 40.0)
    assume(not answer.accepted)
    then = 40.0 + answer.retry_after

    assert charged(charge, [*times, 40.0], then).accepted
    assert not charged(charge, [*times, 40.0], then - 0.25).accepted


@given(times=TIMES, windows=WINDOWS)
def test_the_window_is_free_of_its_oldest_write_after_reset(
    times: list[float], windows: tuple[Window, ...]
) -> None:
    """Then one less is used than before."""
    answer = charged(Charge(cap="c", windows=windows), times, 40.0)
    span = answer.window.seconds

    oldest = min((at for at in times if at > 40.0 - span), default=40.0)
    assert answer.reset == oldest + span - 40.0
