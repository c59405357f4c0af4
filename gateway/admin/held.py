"""The console's page of writes that wait for a person; who decides does so on the hold's own page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.admin.roles import Who
from gateway.admin.visit import Told, View, Visit
from gateway.admin.wording import hides
from gateway.pages.holds import what
from gateway.proxy.hold import Hold
from gateway.proxy.holds import Holds

_AT_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Shows what waits; neither its text, nor its link, nor who it is for."""

    holds: Holds

    @property
    def view(self) -> View:
        """The page."""
        return View(path="holds", title="Holds", template="holds.html", show=self._show)

    async def _show(self, visit: Visit) -> Told:
        waiting = await self.holds.waiting(_AT_MOST)
        return {
            "holds": [_row(hold, visit.who) for hold in waiting],
            "more": len(waiting) == _AT_MOST,
        }


def _row(hold: Hold, who: Who) -> dict[str, Any]:
    hidden = hides(who, hold.team)
    return {
        "decision": hold.write_id,
        "integration": hold.integration,
        "what": hold.operation if hidden else what(hold),
        "team": hold.team,
        "thread": None if hidden else hold.thread,
        "at": hold.at,
        "until": hold.until,
        "rules": [rule.rule for rule in hold.rules],
        "approver": hold.approver.value,
    }
