"""The console's feed of decisions: the newest first, narrowed by what stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from gateway.admin.followed import Followed, Names
from gateway.admin.visit import Told, View, Visit
from gateway.admin.wording import EFFECTS, hides, row
from gateway.audit.index.entries import Cursor, Selection
from gateway.errors import RequestError
from gateway.policy.policyset import PolicySet
from gateway.soe.addresses import read_address

PATH = "decisions"
_PAGE = 50
_FIELDS = ("q", "integration", "operation", "effect", "rule", "person", "from", "to")
"""What narrows the feed, as it stands in the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Shows what was decided.

    Attributes:
        policies: gives those in force, whose rules and integrations can be chosen.
    """

    followed: Followed
    policies: Callable[[], PolicySet]

    @property
    def view(self) -> View:
        """The page."""
        return View(
            path=PATH, title="Decisions", template="decisions.html", show=self._show, live=True
        )

    async def _show(self, visit: Visit) -> Told:
        wanted = {name: visit.query.get(name, "").strip() for name in _FIELDS}
        given = {name: value for name, value in wanted.items() if value}
        selection, before = selected(wanted), cursor(visit.query.get("before", ""))
        by_post = selection.post is not None
        found = await self.followed.ask(lambda index: index.newest(selection, _PAGE + 1, before))
        names = await self.followed.names()
        more = found[_PAGE - 1].cursor if len(found) > _PAGE else None
        # That a write meant this very post would tell what it was about.
        seen = [each for each in found[:_PAGE] if not (by_post and hides(visit.who, each.team))]
        return {
            "decisions": [row(each, visit.who) for each in seen],
            "wanted": wanted,
            "narrowed": bool(given),
            "choices": self._choices(names, wanted),
            "older": None if more is None else _address(given, more),
            "newest": _address(given) if before is not None else None,
            "again": _address(given, before),
            "index": self.followed.told(),
        }

    def _choices(self, names: Names, wanted: Mapping[str, str]) -> dict[str, list[str]]:
        """Give what may be chosen: what stands in the log, what could, and what is chosen."""
        policies = self.policies()
        more = {
            "integration": [each.name for each in policies.registry.integrations],
            "rule": [each.id for each in policies.rules],
        }
        return {
            "effect": list(EFFECTS),
            **{
                name: sorted({*listed, *more.get(name, ()), *filter(None, (wanted[name],))})
                for name, listed in names.items()
            },
        }


def selected(wanted: Mapping[str, str]) -> Selection:
    """Read what narrows the feed.

    Raises:
        RequestError: `no_such_filter` (400).
    """
    chosen = Selection(
        since=_instant(wanted["from"]),
        until=_instant(wanted["to"]),
        integrations=_words(wanted["integration"]),
        operations=_words(wanted["operation"]),
        effects=_words(wanted["effect"]),
        rules=_words(wanted["rule"]),
        persons=_words(wanted["person"]),
    )
    if not wanted["q"]:
        return chosen
    post = read_address(wanted["q"])
    if post is not None:
        return replace(chosen, post=post)
    return replace(chosen, ids=(wanted["q"],))


def _words(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _instant(value: str) -> float | None:
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        told = f"{value!r} is no time: write it as 2026-11-26T14:00."
        raise RequestError(400, "no_such_filter", told) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def cursor(told: str) -> Cursor | None:
    """Read where a page begins.

    Raises:
        RequestError: `no_such_filter` (400).
    """
    if not told:
        return None
    at, _, write_id = told.partition("_")
    try:
        return Cursor(float(at), write_id)
    except ValueError:
        raise RequestError(400, "no_such_filter", "This page of the feed cannot be read.") from None


def _address(given: Mapping[str, str], before: Cursor | None = None) -> str:
    """Give the address of a page, below the root of the console."""
    told: dict[str, Any] = dict(given)
    if before is not None:
        told["before"] = f"{before.at!r}_{before.id}"
    return f"{PATH}?{urlencode(told)}" if told else PATH
