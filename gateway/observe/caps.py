"""How full each cap is, as state last said: for a gauge that falls though nobody writes.

State is never asked for this. Between two answers of a counter its share is taken to stay until the
oldest charge leaves the window, and then to fall evenly to nothing at the window's end.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from gateway.model import Charge, Charged, Reservation, Reserved, Settlement

_COUNTERS_AT_MOST = 4096
"""Counters that are followed, those that were charged last."""
_IN_FLIGHT_AT_MOST = 4096
"""Reservations of which it is known what they charged."""

Key = tuple[str, str]
"""A rule and an integration."""


@dataclass(slots=True)
class _Counter:
    """What a counter held at an instant, in the window that had the least left."""

    key: Key
    used: int
    limit: int
    oldest_leaves: float
    all_left: float

    def share(self, at: float) -> float:
        """How full it is likely to be."""
        falling = self.all_left - self.oldest_leaves
        left = 1.0 if at < self.oldest_leaves else (self.all_left - at) / max(falling, 1e-9)
        return max(0.0, min(1.0, left * self.used / self.limit))


class CapUse:
    """Follows the counters of one process; instants are of its own, ascending clock."""

    def __init__(self) -> None:
        self._counters: OrderedDict[str, _Counter] = OrderedDict()
        self._in_flight: OrderedDict[str, list[str]] = OrderedDict()

    def reserved(self, reservation: Reservation, answer: Reserved, at: float) -> None:
        """Take what state said about the caps of a write."""
        write, charged = reservation.write, []
        if write.preview:
            return
        for group in reservation.groups:
            caps = [
                (rule, need, said)
                for rule, need in group.items()
                if isinstance(need, Charge)
                and isinstance(said := answer.answers.get(rule), Charged)
            ]
            whole = reservation.remember and answer.taken and all(s.accepted for _, _, s in caps)
            for rule, need, said in caps:
                is_charged = need.attempts or whole
                self._follow((rule, write.integration), need.cap, said, at, is_charged=is_charged)
                if not need.attempts and whole:
                    charged.append(need.cap)
        if charged:
            self._in_flight[write.id] = charged
            if len(self._in_flight) > _IN_FLIGHT_AT_MOST:
                self._in_flight.popitem(last=False)

    def settled(self, write_id: str, settlement: Settlement) -> None:
        """Give back what a write was charged, where it did not happen."""
        charged = self._in_flight.pop(write_id, ())
        if settlement.outcome.keeps:
            return
        for cap in charged:
            if counter := self._counters.get(cap):
                counter.used = max(0, counter.used - 1)

    def shares(self, at: float) -> dict[Key, float]:
        """Give how full the fullest counter of each rule and integration is; forget the empty."""
        fullest: dict[Key, float] = {}
        for cap, counter in list(self._counters.items()):
            if at >= counter.all_left:
                del self._counters[cap]
            share = counter.share(at)
            fullest[counter.key] = max(share, fullest.get(counter.key, 0.0))
        return fullest

    def _follow(self, key: Key, cap: str, said: Charged, at: float, *, is_charged: bool) -> None:
        counts_itself = said.accepted and not is_charged
        self._counters[cap] = _Counter(
            key=key,
            used=said.used - 1 if counts_itself else said.used,
            limit=said.window.limit,
            oldest_leaves=at + said.reset,
            all_left=at + said.window.seconds,
        )
        self._counters.move_to_end(cap)
        if len(self._counters) > _COUNTERS_AT_MOST:
            self._counters.popitem(last=False)
