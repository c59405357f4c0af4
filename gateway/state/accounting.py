"""Exact sliding windows, and what a reservation charges: the one place that counts. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from gateway.model import Answer, Charge, Charged, Need, Reservation, Window

PENDING_SECONDS = 60.0
"""After this long a reservation that nobody settled counts as kept, its outcome as unknown."""


def longest(charge: Charge) -> float:
    """The seconds that the longest window of a cap looks back."""
    return max(window.seconds for window in charge.windows)


def most(charge: Charge) -> int:
    """The number of newest charges of a cap that tell all there is to know about it."""
    return max(window.limit for window in charge.windows)


def charged(charge: Charge, times: Sequence[float], now: float) -> Charged:
    """Tell whether a cap has room for one more, in every window.

    A window of T seconds at an instant t holds what was charged in (t - T, t].

    Args:
        times: of earlier charges, ascending: the newest, `most` of them or as far back as the
            longest window. So however many tries there were, as many as the limit are counted.
    """
    # A refused try counts too, where tries are counted: then one more has to leave first.
    after_refusal = [*times, now] if charge.attempts else times
    answers = [_in_window(window, times, after_refusal, now) for window in charge.windows]
    refused = [answer for answer in answers if not answer.accepted]
    if refused:
        return max(refused, key=lambda answer: answer.retry_after)
    return min(answers, key=lambda answer: answer.window.limit - answer.used)


def _in_window(
    window: Window, times: Sequence[float], after_refusal: Sequence[float], now: float
) -> Charged:
    first = bisect_right(times, now - window.seconds)
    used = len(times) - first
    oldest = times[first] if used else now
    accepted = used < window.limit
    retry_after = 0.0
    if not accepted:
        retry_after = after_refusal[len(after_refusal) - window.limit] + window.seconds - now
    return Charged(
        accepted=accepted,
        window=window,
        used=used + 1 if accepted else used,
        retry_after=retry_after,
        reset=oldest + window.seconds - now,
    )


def is_taken(group: Mapping[str, Need], answers: Mapping[str, Answer]) -> bool:
    """Whether every cap of a group has room, so that the group is charged."""
    return all(answer.accepted for rule in group if isinstance(answer := answers[rule], Charged))


def charges(reservation: Reservation, answers: Mapping[str, Answer]) -> list[Charge]:
    """Give the charges to make: attempts always, others with their whole group or not at all.

    Nothing but attempts is charged where the first group is not taken: that write is refused.
    """
    taken = reservation.remember and is_taken(reservation.groups[0], answers)
    return [
        need
        for group in reservation.groups
        for need in group.values()
        if isinstance(need, Charge) and (need.attempts or (taken and is_taken(group, answers)))
    ]
