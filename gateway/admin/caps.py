"""The console's page of caps: how full they are, and how operators empty one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.admin.roles import Who
from gateway.admin.visit import Act, Done, Told, View, Visit
from gateway.admin.wording import in_words
from gateway.checks.rate_cap import RateCap
from gateway.errors import RequestError
from gateway.model import Counted, Mode, Window
from gateway.policy.policyset import PolicySet, Rule
from gateway.ports import Caps, Clock, Recorder
from gateway.state.accounting import without_people

PATH = "caps"
_SEEN = ("integration", "operation", "team")
"""What a viewer sees of what is counted apart: others tell of people, or of private teams."""
_CAP_AT_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsPage:
    """Shows the counters of each cap, the fullest first, and empties them.

    Attributes:
        policies: gives those in force, whose caps are shown.
    """

    policies: Callable[[], PolicySet]
    caps: Caps
    audit: Recorder
    clock: Clock

    @property
    def view(self) -> View:
        """The page."""
        return View(path=PATH, title="Caps", template="caps.html", show=self._show)

    @property
    def acts(self) -> tuple[Act, ...]:
        """What operators do on it."""
        return (Act(path=f"{PATH}/reset", do=self._reset),)

    async def _show(self, visit: Visit) -> Told:
        windows = [
            (rule, window)
            for rule in self.policies().rules
            if isinstance(rule.check, RateCap) and rule.mode is not Mode.DISABLED
            for window in rule.check.windows
        ]
        asked = [(rule.id, window.seconds) for rule, window in windows]
        found = await self.caps.counters(asked, self.clock.now()) if asked else []
        rows = [
            _row(rule, window, counted, visit.who)
            for (rule, window), each in zip(windows, found, strict=True)
            for counted in each
        ]
        return {
            "caps": [_cap(rule) for rule in dict.fromkeys(rule for rule, _ in windows)],
            "counters": sorted(rows, key=lambda row: (-row["share"], row["rule"])),
            "done": "The counters are empty: it counts from nothing."
            if "done" in visit.query
            else "",
        }

    async def _reset(self, visit: Visit, fields: Mapping[str, str]) -> Done:
        """Empty a cap's counters, on record: before it is done, and that it was."""
        cap = fields.get("cap", "")
        known = {rule.id for rule in self.policies().rules if isinstance(rule.check, RateCap)}
        if cap.partition("|")[0] not in known or len(cap) > _CAP_AT_MOST:
            raise RequestError(404, "no_cap", "No cap of the policies has this name.")
        shown, by = without_people(cap), visit.who.name
        self.audit.told("state.reset", person=by, what=shown)
        count = await self.caps.reset(cap)
        self.audit.told("state.reset_done", person=by, what=shown, count=count)
        return Done(place=f"{PATH}?done=reset", told={"cap": shown, "count": count})


def _cap(rule: Rule) -> dict[str, Any]:
    assert isinstance(rule.check, RateCap)
    return {
        "rule": rule.id,
        "title": rule.title,
        "mode": rule.mode.value,
        "per": list(rule.check.per),
        "counts": "tries" if rule.check.attempts else "accepted writes",
        "windows": [_window(window) for window in rule.check.windows],
    }


def _window(window: Window) -> str:
    return f"{window.limit:,} in {in_words(window.seconds)}"


def _row(rule: Rule, window: Window, counted: Counted, who: Who) -> dict[str, Any]:
    parts = [part.partition("=") for part in counted.cap.split("|")[1:]]
    told = [(name, value if who.may_act or name in _SEEN else "hidden") for name, _, value in parts]
    return {
        "rule": rule.id,
        "mode": rule.mode.value,
        "parts": [
            (name, value or ("the main site" if name == "team" else "none")) for name, value in told
        ],
        "cap": counted.cap if who.may_act else None,
        "used": counted.used,
        "limit": window.limit,
        "window": in_words(window.seconds),
        "share": counted.used / max(1, window.limit),
    }
