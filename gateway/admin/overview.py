"""The console's first page: the last day at a glance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import Any

from gateway.admin.charts import HEIGHT, SPARK_HEIGHT, SPARK_WIDTH, WIDTH, by_hour, spark
from gateway.admin.followed import Followed, Sums
from gateway.admin.visit import Told, View, Visit
from gateway.ports import Clock
from gateway.proxy.switches import Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Shows what was counted, and who is switched off."""

    followed: Followed
    clock: Clock
    switches: Switches

    @property
    def view(self) -> View:
        """The page."""
        return View(path="overview", title="Overview", template="overview.html", show=self._show)

    async def _show(self, visit: Visit) -> Told:
        sums = await self.followed.sums(self.clock.now())
        off = sorted(name for name, switch in self.switches.current.items() if switch.off)
        return {
            "totals": _totals(sums),
            "chart": asdict(by_hour(sums.hours, sums.since)),
            "size": (WIDTH, HEIGHT, SPARK_WIDTH, SPARK_HEIGHT),
            "rules": _rules(sums),
            "integrations": sorted(
                (asdict(each) for each in sums.integrations.values()),
                key=itemgetter("writes"),
                reverse=True,
            ),
            "off": off,
            "index": self.followed.told(),
        }


def _totals(sums: Sums) -> dict[str, int]:
    each = sums.integrations.values()
    writes, refused, held = (
        sum(getattr(one, name) for one in each) for name in ("writes", "refused", "held")
    )
    return {
        "writes": writes,
        "allowed": writes - refused - held,
        "held": held,
        "refused": refused,
    }


def _rules(sums: Sums) -> list[dict[str, Any]]:
    """Tell of the rules that found something, what they found most first."""
    told = [
        {
            "rule": name,
            "hits": each.hits,
            "would_deny": each.would_deny,
            "errors": each.errors,
            "spark": [
                asdict(bar)
                for bar in spark([h for h in sums.rule_hours if h.rule == name], sums.since)
            ],
        }
        for name, each in sums.rules.items()
    ]
    return sorted(told, key=itemgetter("hits"), reverse=True)
