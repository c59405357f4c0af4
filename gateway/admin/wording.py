"""How the console's pages put things: words for what happened, and what is kept from viewers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.admin.roles import Who
from gateway.audit.index.entries import Entry

EFFECTS: Mapping[str, str] = {"allow": "allowed", "hold": "held", "refuse": "refused"}
"""What is said of an effect."""
OUTCOMES: Mapping[str, str] = {
    "ok": "posted",
    "refused": "Stack Overflow refused it",
    "failed": "failed",
    "unknown": "nobody knows",
    "not_sent": "not sent",
}
"""What became of a write that was allowed."""
RELATIONS: Mapping[str, str] = {
    "same_author": "the same author's",
    "same_integration": "this integration's",
    "other": "somebody else's",
}
"""Whose an earlier post is."""
_UNITS = ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second"))
HIDDEN = "hidden: only operators see what private teams write"


def hides(who: Who, team: str | None) -> bool:
    """Whether texts and targets of a team are kept from somebody."""
    return team is not None and not who.may_act


def address(url: str | None) -> str | None:
    """Give an address that may be a link, as SOE told it; None where it is another kind."""
    return url if url is not None and url.startswith(("https://", "http://")) else None


def row(entry: Entry, who: Who) -> dict[str, Any]:
    """Tell of a write in a line."""
    hidden = hides(who, entry.team)
    found = entry.deciding
    return {
        "id": entry.id,
        "at": entry.at,
        "integration": entry.integration,
        "operation": entry.operation,
        "team": entry.team,
        "effect": entry.effect,
        "outcome": entry.outcome,
        "rule": found.rule if found else None,
        "mode": found.mode if found else None,
        "rules": len(entry.found),
        "person": entry.person_name or entry.person,
        "hidden": hidden,
        "post": None if hidden else entry.post or entry.target,
        "url": None if hidden else address(entry.url),
    }


def in_words(seconds: float) -> str:
    """Say how long something is, in the largest unit of which it is a whole number."""
    for unit, name in _UNITS:
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:,.0f} {name}{'s' if seconds != unit else ''}"
    return f"{seconds:,.3g} seconds"


def sentence(code: str | None, evidence: Mapping[str, Any]) -> str:
    """Say in a sentence what a rule found, from its figures; nothing where they do not tell."""
    told = evidence.get
    if "similarity" in evidence and told("relation") in RELATIONS:
        whose = RELATIONS[evidence["relation"]]
        return f"It is {told('similarity'):.0%} like {whose} earlier post. From {told('threshold'):.0%} on that is too much."
    if code in ("duplicate", "boilerplate", "duplicate_in_flight"):
        return "It is too much like an earlier post in another private team."
    if code == "integration_disabled":
        return "An operator had switched the integration off."
    if code == "rate_cap" and {"used", "limit", "window"} <= evidence.keys():
        return f"{evidence['used']} of {evidence['limit']} writes in {in_words(evidence['window'])} were used already."
    return ""
