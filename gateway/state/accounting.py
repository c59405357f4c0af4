"""Exact sliding windows, and what a reservation charges: the one place that counts. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from gateway.model import (
    Answer,
    Charge,
    Charged,
    Counted,
    Found,
    Lookup,
    Need,
    Outcome,
    Repeat,
    Repeated,
    Reservation,
    Reserved,
    Settlement,
    Sharers,
    Window,
)
from gateway.state.sharing import shared

PENDING_SECONDS = 60.0
"""After this long a reservation that nobody settled counts as kept, its outcome as unknown."""
KEY_SECONDS = 86_400.0
"""How long an idempotency key is known, and the answer under it."""
ANSWERS_AT_MOST = 10_000
"""Answers that are kept at a time; for an older one, its repeat is told that it is not."""
LOST_SECONDS = 600.0
"""How long an answer that its client did not get is given to the same request."""


FULLEST_AT_MOST, LOOKED_AT_MOST = 20, 10_000
"""Counters of a rule that are given at a time, and that are looked at for this."""
_PERSON = re.compile(r"\bperson=[^|]*")
"""Names a person in the counter of a cap; a record has no key that can be made again from a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an engine keeps of a write whose answer may be asked for again.

    `outcome` is None while nobody settled it.
    """

    write_id: str
    request: str
    at: float
    outcome: Outcome | None
    answer: bytes | None = field(default=None, repr=False)


def repeat(under_key: Kept | None, lost: Kept | None, request: str, now: float) -> Repeat | None:
    """Tell how a request repeats an earlier one; None where it may go its way.

    What `failed`, or ended `unknown`, may be sent again as it was; nothing else under its key.

    Args:
        under_key: the write that was reserved under the request's key, if it has one.
        lost: the newest write of the same request whose answer was lost.
        request: the digest of the request, as `Write.request`.
        now: the reservation's stamp.
    """
    if under_key is not None and under_key.request != request:
        return Repeat(kind=Repeated.MISMATCH, write_id=under_key.write_id)
    for kept in (under_key, lost):
        if kept is None:
            continue
        if kept.answer is not None:
            return Repeat(kind=Repeated.ANSWERED, write_id=kept.write_id, answer=kept.answer)
        if kept.outcome is Outcome.OK:
            return Repeat(kind=Repeated.UNKEPT, write_id=kept.write_id)
        if kept.outcome is None and now - kept.at < PENDING_SECONDS:
            return Repeat(kind=Repeated.IN_FLIGHT, write_id=kept.write_id)
    return None


def is_given(under_key: Kept | None, repeated: Repeat | None) -> bool:
    """Whether a repeat gets the answer that was lost: once, for then its client has it."""
    kept_under_key = under_key is not None and under_key.answer is not None
    return repeated is not None and repeated.kind is Repeated.ANSWERED and not kept_under_key


def answerable(settlement: Settlement) -> bool:
    """Whether what was reserved under a key stays there: not where nothing final was said."""
    final = settlement.outcome is not Outcome.REFUSED or settlement.answer is not None
    return final and settlement.outcome is not Outcome.NOT_SENT


def is_counter_of(counter: str, cap: str) -> bool:
    """Whether a counter, as `rule|part=value|…`, is of a rule or of its beginning `rule|part=value`."""
    return f"{counter}|".startswith(f"{cap}|")


def fullest(counted: Iterable[tuple[str, int]]) -> tuple[Counted, ...]:
    """Give the counters that counted most, as `ports.Caps.counters`."""
    found = (Counted(cap=cap, used=used) for cap, used in counted if used)
    return tuple(nsmallest(FULLEST_AT_MOST, found, key=lambda each: (-each.used, each.cap)))


def without_people(cap: str) -> str:
    """Give the name of a counter without whom it is of: for records, which name nobody so."""
    return _PERSON.sub("person=-", cap)


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
    held = {window: _held(window, times, now) for window in charge.windows}
    if any(len(held[window]) >= window.limit for window in held):
        return _refused(charge, times, now)
    tightest = min(held, key=lambda window: window.limit - len(held[window]))
    return Charged(
        accepted=True,
        window=tightest,
        used=len(held[tightest]) + 1,
        retry_after=0.0,
        reset=(held[tightest] or [now])[0] + tightest.seconds - now,
    )


def _held(window: Window, times: Sequence[float], now: float) -> Sequence[float]:
    return times[bisect_right(times, now - window.seconds) :]


def _refused(charge: Charge, times: Sequence[float], now: float) -> Charged:
    # Where tries are counted this one is, though refused: its wait is longer for it, and a window
    # that had room for it may have none for the next.
    counted = [*times, now] if charge.attempts else times
    waits = {window: _wait(window, _held(window, counted, now), now) for window in charge.windows}
    last = max(waits, key=lambda window: waits[window])
    held = _held(last, counted, now)
    return Charged(
        accepted=False,
        window=last,
        used=min(len(held), last.limit),
        retry_after=waits[last],
        reset=held[0] + last.seconds - now,
    )


def _wait(window: Window, held: Sequence[float], now: float) -> float:
    """The seconds until so many have left that there is room for one."""
    return held[-window.limit] + window.seconds - now if len(held) >= window.limit else 0.0


def answered(
    reservation: Reservation,
    times: Callable[[Charge], Sequence[float]],
    find: Callable[[Lookup], Found],
    uses: Callable[[Sharers], Iterable[tuple[str, float]]],
    now: float,
    number: int,
    overdue: Iterable[str],
) -> Reserved:
    """Answer every need of a reservation from what an engine holds.

    Args:
        reservation: what is asked.
        times: gives the instants of a cap's earlier charges, ascending.
        find: gives the earlier posts of a lookup.
        uses: gives who used a thing, and when.
        now: the reservation's stamp.
        number: where it stands among the reservations.
        overdue: the earlier tries that nobody settled in time, in any order.
    """
    found: dict[Lookup, Found] = {}  # several rules ask the same

    def answer(need: Need) -> Answer:
        if isinstance(need, Charge):
            return charged(need, times(need), now)
        if not isinstance(need, Lookup):
            return shared(need, uses(need), now)
        known = found.get(need)
        if known is None:
            known = found[need] = find(need)
        return known

    answers: dict[str, Answer] = {
        rule: answer(need) for group in reservation.groups for rule, need in group.items()
    }
    taken = is_taken(reservation.groups[0], answers)
    late = tuple(sorted(overdue))
    return Reserved(answers=answers, taken=taken, overdue=late, at=now, number=number)


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
