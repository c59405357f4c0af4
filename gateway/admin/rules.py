"""The console's page of policies: what is in force, since when, and what it did in the last day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.admin.followed import Followed, Sums
from gateway.admin.visit import Told, View, Visit
from gateway.audit.index.entries import Deed
from gateway.policy.policyset import PolicySet, Rule, Waiver
from gateway.ports import Clock

_LOADED = "policies.loaded"
_DEEDS_AT_MOST = 1_000
_CHANGES_AT_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesPage:
    """Shows each rule.

    Attributes:
        policies: gives those in force.
    """

    followed: Followed
    policies: Callable[[], PolicySet]
    clock: Clock

    @property
    def view(self) -> View:
        """The page."""
        return View(path="policies", title="Policies", template="policies.html", show=self._show)

    async def _show(self, visit: Visit) -> Told:
        policies, now = self.policies(), self.clock.now()
        sums, deeds = await self.followed.sums_if_any(now), tuple[Deed, ...]()
        if sums is not None:
            deeds = await self.followed.ask(lambda index: index.deeds(limit=_DEEDS_AT_MOST))
        return {
            "revision": policies.revision,
            "discovering": policies.discovering,
            "changes": changes(deeds)[:_CHANGES_AT_MOST],
            "rules": [_row(rule, policies, sums, now) for rule in policies.rules],
            "warnings": list(policies.warnings) if visit.who.may_act else [],
            "index": self.followed.told(),
        }


def changes(deeds: Iterable[Deed]) -> list[dict[str, Any]]:
    """Give when revisions came into force, the newest first; a restart is no change.

    Args:
        deeds: the newest first.
    """
    found: list[dict[str, Any]] = []
    for deed in deeds:
        if deed.event != _LOADED:
            continue
        revision = str(deed.facts["revision"])
        if found and found[-1]["revision"] == revision:
            found[-1]["at"] = deed.at  # an earlier start with the same
        else:
            found.append({"revision": revision, "at": deed.at})
    return found


def _row(rule: Rule, policies: PolicySet, sums: Sums | None, now: float) -> dict[str, Any]:
    counted = sums.rules.get(rule.id) if sums else None
    today = datetime.fromtimestamp(now, UTC).date()
    return {
        "rule": rule.id,
        "title": rule.title,
        "policy": rule.policy,
        "owner": rule.owner,
        "source": rule.source,
        "mode": rule.mode.value,
        "docs": rule.docs,
        "operations": sorted(rule.operations),
        "hits": counted.hits if counted else 0,
        "would_deny": counted.would_deny if counted else 0,
        "errors": counted.errors if counted else 0,
        "last": counted.last if counted else None,
        "waivers": [
            _waiver(waiver, over=waiver.expires < today)
            for waiver in policies.waivers
            if rule.id in waiver.rules
        ],
    }


def _waiver(waiver: Waiver, *, over: bool) -> dict[str, Any]:
    return {
        "integrations": sorted(waiver.integrations),
        "expires": waiver.expires.isoformat(),
        "over": over,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "ticket": waiver.ticket,
    }
