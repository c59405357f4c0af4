"""One decision explained: what was asked, what each rule said to it, and what became of it.

What was decided is the record's word. Why a rule did not judge, and what a refusal said, is judged
again under the policies in force, as `soe-gateway explain` does; the page says where those are others
than the decision's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.admin.followed import Followed
from gateway.admin.visit import Told, View, Visit
from gateway.admin.wording import (
    HIDDEN,
    OUTCOMES,
    RELATIONS,
    address,
    hides,
    in_words,
    row,
    sentence,
)
from gateway.audit.index.entries import Entry, Selection
from gateway.audit.index.index import Index
from gateway.errors import RequestError
from gateway.offline.explaining.walk import Step, walk_recorded
from gateway.offline.records.decision import Recorded, recorded
from gateway.policy.policyset import PolicySet
from gateway.policy.why import Reason, asked

_NO_DECISION = RequestError(
    404,
    "no_decision",
    "No decision with this id stands in the records of this gateway: it may be of another replica, "
    "too new to be read, or older than what is kept.",
)
_GROUPS = ("decided", "found", "passed", "away")
"""In which order rules are told: those that decided, that found something, that passed, the others."""
_FIGURES: Mapping[str, str] = {
    "threshold": "likeness that is too much",
    "similarity": "likeness",
    "relation": "whose the earlier post is",
    "of_this": "of this text in the earlier one",
    "of_the_earlier": "of the earlier text in this one",
    "threads": "threads with this text",
    "limit": "limit",
    "window": "window",
    "used": "used",
    "retry_after": "room again after",
    "share": "share",
    "evidence": "evidence that is wanted",
}
_SHARES = frozenset(("threshold", "similarity", "of_this", "of_the_earlier", "share"))
_SECONDS = frozenset(("window", "retry_after"))
_LONG = re.compile(r"([0-9.e+]+) s\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Explains a decision by its record, and the policies in force."""

    followed: Followed
    policies: Callable[[], PolicySet]

    @property
    def view(self) -> View:
        """The page."""
        return View(path="decisions/", template="decision.html", show=self._show)

    async def _show(self, visit: Visit) -> Told:
        entry = await self.followed.ask(lambda index: index.one(visit.rest))
        record = None if entry is None else await self.followed.record(entry)
        if entry is None or record is None:
            raise _NO_DECISION
        hidden, policies = hides(visit.who, entry.team), self.policies()
        try:
            rules = await asyncio.to_thread(_rules, policies, recorded(record), hidden=hidden)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(500, "damaged", "The record of this decision is damaged.") from error
        await self._trace(rules)
        return {
            "decision": _told(entry, record, hidden=hidden) | row(entry, visit.who),
            "groups": {name: [each for each in rules if each["group"] == name] for name in _GROUPS},
            "then": record["revision"],
            "now": policies.revision,
            "hidden": HIDDEN if hidden else "",
        }

    async def _trace(self, rules: list[dict[str, Any]]) -> None:
        """Find the decisions by which the earlier posts came, where they are among the records."""
        for each in rules:
            if each["earlier"] and each["earlier"]["url"]:
                url = each["earlier"]["url"]

                def made(index: Index, url: str = url) -> tuple[Entry, ...]:
                    return index.newest(Selection(url=url, outcomes=("ok",)), 100)

                found = await self.followed.ask(made)
                if found:
                    each["earlier"]["decision"] = found[-1].id  # the first: others changed it


def _told(entry: Entry, record: Mapping[str, Any], *, hidden: bool) -> dict[str, Any]:
    """Tell what was asked and what became of it."""
    text = None if hidden else record.get("text")
    sizes = record["sizes"]
    return {
        "revision": record["revision"],
        "tier": record.get("tier") or "",
        "api": record["api"],
        "thread": None if hidden else entry.thread,
        "target": None if hidden else entry.target,
        "user_agent": record.get("user_agent") or "",
        "acts": [each or "unreadable" for each in record.get("explicit_action", ())]
        if not hidden
        else [],
        "on_word_of": entry.on_word_of,
        "confirmed": bool(record.get("confirmed")),
        "repeats": record["repeats"],
        "in_flight": list((record.get("state") or {}).get("in_flight", ())),
        "state": _state(record.get("state")),
        "became": OUTCOMES.get(entry.outcome or "", ""),
        "upstream_status": entry.upstream_status,
        "latency": entry.latency,
        "sizes": sizes,
        "tags": [] if hidden else list(record.get("tags", ())),
        "text": text,
        "cut": text is not None and len(text["body"]) < sizes["body"],
        "writer": record["writer"],
        "seq": record["seq"],
        "segment": entry.place.number,
    }


def _state(state: Mapping[str, Any] | None) -> str:
    if state is None:
        return "was not asked"
    return "did not answer" if state.get("failed") else f"answered, as its write {state['number']}"


# ── rules ────────────────────────────────────────────────────────────────────────────────────


def _rules(policies: PolicySet, decision: Recorded, *, hidden: bool) -> list[dict[str, Any]]:
    """Tell what each rule said: those of the record first, then those that did not judge."""
    steps = {step.rule.id: step for step in walk_recorded(policies, decision).steps}
    told = [
        _judged(found, steps.get(name), decision, hidden=hidden)
        for name, found in decision.findings.items()
    ]
    others = [step for name, step in steps.items() if name not in decision.findings]
    return told + [_away(step, hidden=hidden) for step in others]


def _judged(
    found: Mapping[str, Any], step: Step | None, decision: Recorded, *, hidden: bool
) -> dict[str, Any]:
    violation = step.finding.violation if step is not None and step.finding is not None else None
    same = violation is not None and violation.code == found["code"]
    failed = found["result"] in ("fail", "error")
    decides = failed and found["mode"] in ("enforce", "hold") and not found.get("consented")
    decides = decides and not found["open"]
    return {
        "group": "decided" if decides else "found" if failed else "passed",
        "rule": found["rule"],
        "title": step.rule.title if step else "",
        "policy": step.rule.policy if step else "",
        "mode": found["mode"],
        "result": found["result"],
        "code": found["code"],
        "status": found.get("status"),
        "message": (violation.message if violation and same and not hidden else "")
        or sentence(found["code"], found.get("evidence", {})),
        "fix": violation.fix if violation and same and not hidden else "",
        "docs": step.rule.docs if step else "",
        "figures": [_figure(*each) for each in found.get("evidence", {}).items()],
        "earlier": None if hidden else _earlier(found.get("earlier")),
        "asked": "" if hidden or step is None else _asked(step, decision),
        "open": found["open"],
        "consented": bool(found.get("consented")),
        "reasons": [] if hidden or step is None else _reasons(step.conditions),
        "known": step is not None,
    }


def _earlier(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if told is None else {**told, "url": address(told["url"]), "decision": None}


def _away(step: Step, *, hidden: bool) -> dict[str, Any]:
    against = [each for each in step.reasons if not each.holds]
    if hidden:
        against = [each for each in against if not each.text.startswith("tags:")]
    told = [(each.text, each.holds) for each in against]
    if not told and step.conditions is not None and not hidden:
        told = _reasons(step.conditions)
    return {
        "group": "away",
        "rule": step.rule.id,
        "title": step.rule.title,
        "policy": step.rule.policy,
        "mode": step.rule.mode.value,
        "result": "would judge now"
        if step.judges
        else "unknown"
        if step.judges is None
        else "away",
        "reasons": told,
        "earlier": None,
    }


def _asked(step: Step, decision: Recorded) -> str:
    """Say what the check asks of state; nothing where that cannot be told from the record."""
    check = step.rule.check
    if check is None or not check.needs_state:
        return ""
    try:
        need = check.need(decision.seen, step.rule.id)
    except LookupError:
        return ""
    return _LONG.sub(lambda found: in_words(float(found[1])), asked(need)) if need else ""


def _reasons(reason: Reason | None) -> list[tuple[str, bool | None]]:
    return list(_flat(reason))


def _flat(reason: Reason | None) -> Iterator[tuple[str, bool | None]]:
    if reason is None:
        return
    if not reason.parts:
        yield reason.text, reason.holds
    for part in reason.parts:
        yield from _flat(part)


def _figure(name: str, value: object) -> tuple[str, str]:
    """Say a figure of evidence in words."""
    told = _FIGURES.get(name, name.replace("_", " "))
    if isinstance(value, bool):
        return told, "yes" if value else "no"
    if name == "relation":
        return told, RELATIONS.get(str(value), str(value))
    if name in _SHARES and isinstance(value, int | float):
        return told, f"{value:.0%}"
    if name in _SECONDS and isinstance(value, int | float):
        return told, in_words(value)
    return told, f"{value:,}" if isinstance(value, int | float) else str(value)
