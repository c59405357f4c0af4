"""How full each cap is, as state last said: for a gauge that falls though nobody writes.

State is never asked for this. Between two answers of a counter its share is taken to stay until the
oldest charge leaves the window, and then to fall evenly to nothing at the window's end.
"""

from __future__ import annotations

from gateway.model import Answer, Charge, Charged, Reservation, Reserved, Settlement

_COUNTERS_AT_MOST = 4096
"""Counters that are followed, those that were charged last."""
_IN_FLIGHT_AT_MOST = 4096
"""Reservations of which it is known what they charged."""

Key = tuple[str, str]
"""A rule and an integration."""


_Counter = tuple[Key, int, int, float, float]
"""What a counter held in the window that had the least left: rule and integration, charges, limit,
when the oldest leaves, and when all have left. A tuple, for two are made for many a write."""


def _share(counter: _Counter, at: float) -> float:
    """How full a counter is likely to be."""
    _, used, limit, oldest_leaves, all_left = counter
    falling = max(all_left - oldest_leaves, 1e-9)
    stays = 1.0 if at < oldest_leaves else (all_left - at) / falling
    return max(0.0, min(1.0, stays * used / limit))


class CapUse:
    """Follows the counters of one process; instants are of its own, ascending clock."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}
        self._in_flight: dict[str, list[str]] = {}

    def reserved(self, reservation: Reservation, answer: Reserved, at: float) -> None:
        """Take what state said about the caps of a write."""
        write, charged = reservation.write, list[str]()
        if write.preview or not answer.answers:
            return
        for group in reservation.groups:
            said = [each for each in map(answer.answers.get, group) if type(each) is Charged]
            whole = reservation.remember and answer.taken and all(each.accepted for each in said)
            for rule, need in group.items():
                if type(need) is Charge:
                    stays = whole or need.attempts
                    self._follow(
                        (rule, write.integration), need, answer.answers[rule], at, stays=stays
                    )
                    if whole and not need.attempts:
                        charged.append(need.cap)
        if charged:
            self._in_flight[write.id] = charged
            if len(self._in_flight) > _IN_FLIGHT_AT_MOST:
                del self._in_flight[next(iter(self._in_flight))]

    def settled(self, write_id: str, settlement: Settlement) -> None:
        """Give back what a write was charged, where it did not happen."""
        charged = self._in_flight.pop(write_id, ())
        if settlement.outcome.keeps:
            return
        for cap in charged:
            if counter := self._counters.get(cap):
                key, used, limit, oldest_leaves, all_left = counter
                self._counters[cap] = (key, max(0, used - 1), limit, oldest_leaves, all_left)

    def shares(self, at: float) -> dict[Key, float]:
        """Give how full the fullest counter of each rule and integration is; forget the empty."""
        fullest: dict[Key, float] = {}
        for cap, counter in list(self._counters.items()):
            key, all_left = counter[0], counter[-1]
            if at >= all_left:
                del self._counters[cap]
            fullest[key] = max(_share(counter, at), fullest.get(key, 0.0))
        return fullest

    def _follow(self, key: Key, need: Charge, said: Answer, at: float, *, stays: bool) -> None:
        assert isinstance(said, Charged)
        used, window = said.used, said.window
        if said.accepted and not stays:
            used -= 1  # it counts itself, and was not charged
        self._counters.pop(need.cap, None)  # so that the newest stand at the end
        self._counters[need.cap] = (key, used, window.limit, at + said.reset, at + window.seconds)
        if len(self._counters) > _COUNTERS_AT_MOST:
            del self._counters[next(iter(self._counters))]
