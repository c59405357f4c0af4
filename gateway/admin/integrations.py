"""The console's page of integrations: whose they are, and the switch of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.admin.followed import Followed
from gateway.admin.visit import Act, Done, Told, View, Visit
from gateway.audit.index.entries import IntegrationTotals, Selection
from gateway.audit.index.index import Index
from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Switch
from gateway.policy.registry import Integration
from gateway.ports import Clock, Recorder
from gateway.proxy.switches import REASON_AT_MOST, Switches, switched

PATH = "integrations"
_SWITCHED = {
    "disabled": "It is switched off: its writes are refused, everywhere within about a second.",
    "enabled": "It is switched on again: it may write, everywhere within about a second.",
    "later": "This is done here. The state does not answer: other replicas follow when it does.",
}
"""What is told after an act, by the word in the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrations:
    """Shows who is registered, and switches them off and on.

    Attributes:
        registered: gives the integrations of the policies in force.
    """

    registered: Callable[[], Sequence[Integration]]
    switches: Switches
    audit: Recorder
    followed: Followed
    clock: Clock

    @property
    def view(self) -> View:
        """The page."""
        return View(path=PATH, title="Integrations", template="integrations.html", show=self._show)

    @property
    def acts(self) -> tuple[Act, ...]:
        """What operators do on it."""
        return (
            Act(path=f"{PATH}/disable", do=self._disable),
            Act(path=f"{PATH}/enable", do=self._enable),
        )

    async def _show(self, visit: Visit) -> Told:
        await self.switches.look()  # what another process switched a moment ago
        rows = list(listed(self.registered(), self.switches.current))
        days = await self._days([row["name"] for row in rows])
        return {
            "integrations": [row | {"day": days.get(row["name"])} for row in rows],
            "done": _SWITCHED.get(visit.query.get("done", ""), ""),
            "reason_at_most": REASON_AT_MOST,
        }

    async def _days(self, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Give what integrations wrote in the last day, and when last; nothing without records."""
        sums = await self.followed.sums_if_any(self.clock.now())
        if sums is None:
            return {}
        totals = sums.integrations
        quiet = [name for name in wanted if name not in totals]
        lasts = await self.followed.ask(lambda index: {name: _last(index, name) for name in quiet})
        return {
            **{name: {"writes": 0, "held": 0, "refused": 0, "last": lasts[name]} for name in quiet},
            **{name: _day(one) for name, one in totals.items()},
        }

    async def _disable(self, visit: Visit, fields: Mapping[str, str]) -> Done:
        reason = " ".join(fields.get("reason", "").split())
        if not 0 < len(reason) <= REASON_AT_MOST:
            told = f"A reason is wanted, of {REASON_AT_MOST} characters at most: whoever is refused reads it."
            raise RequestError(400, "no_reason", told)
        return await self._switch(visit, fields, off=True, reason=reason)

    async def _enable(self, visit: Visit, fields: Mapping[str, str]) -> Done:
        return await self._switch(visit, fields, off=False, reason="")

    async def _switch(
        self, visit: Visit, fields: Mapping[str, str], *, off: bool, reason: str
    ) -> Done:
        name = fields.get("integration", "")
        if name not in names(self.registered(), self.switches.current):
            raise RequestError(404, "no_integration", "No integration has this name.")
        everywhere = await switched(
            self.switches, self.audit, name, off=off, by=visit.who.name, reason=reason
        )
        event = "disabled" if off else "enabled"
        told = {"integration": name, "disabled": off, "everywhere": everywhere}
        return Done(place=f"{PATH}?done={event if everywhere else 'later'}", told=told)


def _day(one: IntegrationTotals) -> dict[str, Any]:
    return {"writes": one.writes, "held": one.held, "refused": one.refused, "last": one.last}


def _last(index: Index, name: str) -> float | None:
    found = index.newest(Selection(integrations=(name,)), 1)
    return found[0].at if found else None


def names(registered: Sequence[Integration], switches: Mapping[str, Switch]) -> list[str]:
    """Give the integrations that can be switched: also those that were, and are gone since."""
    return list(dict.fromkeys((*(each.name for each in registered), *sorted(switches), ANONYMOUS)))


def listed(
    registered: Sequence[Integration], switches: Mapping[str, Switch]
) -> Iterator[dict[str, Any]]:
    """Give who is registered, or was switched, and whether it is off; those that are come first."""
    known = {each.name: each for each in registered}
    rows = [_row(known.get(name), name, switches.get(name)) for name in names(registered, switches)]
    yield from sorted(rows, key=lambda row: row["disabled"] is None)


def _row(one: Integration | None, name: str, switch: Switch | None) -> dict[str, Any]:
    told = None
    if switch is not None:
        told = {"at": switch.at, "by": switch.by, "reason": switch.reason}
    return {
        "name": name,
        "registered": one is not None,
        "owner": one.owner if one else "",
        "contact": one.contact if one else "",
        "purpose": one.purpose if one else "",
        "tier": one.tier if one else "",
        "expires": one.expires.isoformat() if one and one.expires else "",
        "disabled": told if switch is not None and switch.off else None,
        "enabled": told if switch is not None and not switch.off else None,
    }
