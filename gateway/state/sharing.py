"""Who used the same thing lately: what is recorded of a write, and who is told of whom."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice

from gateway.model import Reservation, Shared, Sharers

MEMBERS_AT_MOST = 16
"""That are kept of a name, and told."""
_PRUNED_AT_ONCE = 4

Use = tuple[str, str]
"""What is used, and by whom."""


def uses_of(reservation: Reservation) -> list[Use]:
    """Give the uses that a write is recorded with, each once."""
    needs = (need for group in reservation.groups for need in group.values())
    return list(
        dict.fromkeys((need.name, need.member) for need in needs if isinstance(need, Sharers))
    )


def shared(asked: Sharers, uses: Iterable[tuple[str, float]], now: float) -> Shared:
    """Tell who else used a thing, from members and the instants of their uses."""
    newest: dict[str, float] = {}
    for member, at in uses:
        if member != asked.member and at > now - asked.within:
            newest[member] = max(at, newest.get(member, at))
    others = sorted(newest, key=lambda member: (newest[member], member), reverse=True)
    return Shared(others=tuple(others[:MEMBERS_AT_MOST]))


class Uses:
    """Uses in this process alone: by name, those of writes in flight, and under no id what was kept."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._uses: OrderedDict[str, dict[tuple[str, str], float]] = OrderedDict()
        self._open: dict[str, Sequence[Use]] = {}

    def of(self, name: str, now: float) -> list[tuple[str, float]]:
        """Give the members that used a thing, and when."""
        since = now - self._keep
        return [(each[1], at) for each, at in self._uses.get(name, {}).items() if at > since]

    def record(self, write_id: str, uses: Sequence[Use], now: float) -> None:
        """Record the uses of a write, as long as it is in flight."""
        if uses:
            self._open[write_id] = uses
        for name, member in uses:
            self._uses.setdefault(name, {})[write_id, member] = now

    def keep(self, write_id: str) -> None:
        """Keep the uses of a write that was kept, of each member the newest."""
        for name, member in self._open.pop(write_id, ()):
            there = self._uses.get(name, {})
            at = there.pop((write_id, member), None)
            if at is None:
                continue  # it expired before its write ended
            there["", member] = max(at, there.get(("", member), at))
            kept = sorted((at, each[1]) for each, at in there.items() if not each[0])
            for _, oldest in kept[:-MEMBERS_AT_MOST]:
                del there["", oldest]

    def give_back(self, write_id: str) -> None:
        """Take back the uses of a write that is in flight."""
        for name, member in self._open.pop(write_id, ()):
            there = self._uses.get(name, {})
            there.pop((write_id, member), None)
            if not there:
                self._uses.pop(name, None)

    def prune(self, now: float) -> None:
        """Forget what has expired, some names at a time."""
        for name in list(islice(self._uses, _PRUNED_AT_ONCE)):
            self._uses.move_to_end(name)  # every name has its turn
            there = self._uses[name]
            if min(there.values()) > now - self._keep:
                continue
            left = {each: at for each, at in there.items() if at > now - self._keep}
            if left:
                self._uses[name] = left
            else:
                del self._uses[name]
