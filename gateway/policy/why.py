"""Why a rule judges a write or does not, and what its conditions looked at. Pure.

A fact that is not there raises `LookupError` with its name when it is asked for: then nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.model import Answer, Charge, Charged, Mode, Need, Shared, Sharers, Write
from gateway.policy.conditions import WEEKDAYS, Condition, Group, Looked, Tested
from gateway.policy.match import is_waived
from gateway.policy.policyset import PolicySet, Rule

_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that was looked at.

    Attributes:
        text: what was looked at, what it was, and what was wanted.
        holds: whether it speaks for the rule; None where nobody knows.
        parts: what it is made of.
    """

    text: str
    holds: bool | None
    parts: tuple[Reason, ...] = ()


def narrowing(rule: Rule, write: Write, policies: PolicySet) -> tuple[Reason, ...]:
    """Look at each key that narrows a rule; the rule judges where all of them hold."""
    return tuple(_narrowing(rule, write, policies))


def _narrowing(rule: Rule, write: Write, policies: PolicySet) -> Iterator[Reason]:
    operation, name = write.operation, write.integration
    if rule.mode is Mode.DISABLED:
        yield Reason(text="the rule is disabled", holds=False)
    told = f"for: {_listed(rule.operations)}; this is {operation}"
    yield Reason(text=told, holds=operation in rule.operations)
    if rule.excepted:
        told = f"except: {_listed(rule.excepted)}; this is {name}"
        yield Reason(text=told, holds=name not in rule.excepted)
    if rule.integrations:
        told = f"integrations: {_listed(rule.integrations)}; this is {name}"
        yield Reason(text=told, holds=name in rule.integrations)
    if rule.tiers:
        yield _one_of("tiers", rule.tiers, lambda: write.tier, "none")
    if rule.teams:
        yield _one_of("teams", rule.teams, lambda: write.team or "", "the main site")
    if rule.tags:
        yield _tagged(rule, write)
    if is_waived(rule, name, write.at, policies):
        waiver = next(w for w in policies.waivers if rule.id in w.rules and name in w.integrations)
        told = f"an exception of {waiver.owner} until {waiver.expires}: {waiver.reason}"
        yield Reason(text=told, holds=False)


def _one_of(key: str, wanted: frozenset[str], get: Callable[[], str], none: str) -> Reason:
    try:
        found = get()
    except LookupError as lacking:
        return Reason(text=f"{key}: {_listed(wanted)}; unknown: {_name(lacking)}", holds=None)
    return Reason(text=f"{key}: {_listed(wanted)}; this is {found or none}", holds=found in wanted)


def _tagged(rule: Rule, write: Write) -> Reason:
    try:
        tags = write.post.tags
    except LookupError as lacking:
        return Reason(text=f"tags: {_listed(rule.tags)}; unknown: {_name(lacking)}", holds=None)
    holds = not rule.tags.isdisjoint(tag.casefold() for tag in tags)
    return Reason(text=f"tags: {_listed(rule.tags)}; these are {_listed(tags)}", holds=holds)


def looked(condition: Condition, write: Write) -> Reason:
    """Say what conditions looked at, and whether they hold."""
    if isinstance(condition, Group):
        parts = tuple(looked(part, write) for part in condition.parts)
        return Reason(text=condition.word, holds=_together(condition.word, parts), parts=parts)
    assert isinstance(condition, Looked)
    try:
        value = condition.get(write)
    except LookupError as lacking:
        told = f"{condition.field}: unknown: {_name(lacking)}"
        return Reason(text=told, holds=None)
    parts = tuple(_tested(condition.field, test, value) for test in condition.tests)
    return (
        parts[0]
        if len(parts) == 1
        else Reason(text="all", holds=_together("all", parts), parts=parts)
    )


def _together(word: str, parts: Iterable[Reason]) -> bool | None:
    each = [part.holds for part in parts]
    if word == "any":
        return True if True in each else (None if None in each else False)
    together = False if False in each else (None if None in each else True)
    return together if word == "all" or together is None else not together


def _tested(field: str, test: Tested, value: Any) -> Reason:
    """Say what one operator found; texts are told as wanted, not as they are."""
    name = f"{field} {test.operator}".rstrip()
    if test.count is not None:
        told = f"{name} = {test.count(value)}, {test.wanted}"
    elif field == "weekday":
        told = f"{name}: {_listed(test.wanted)}; this is {WEEKDAYS[value]}"
    elif isinstance(value, str):
        told = f"{name}: {_cut(' | '.join(map(_pattern, test.wanted)))}"
    else:
        told = f"{name}: {_listed(test.wanted)}; these are {_listed(value)}"
    return Reason(text=told, holds=test.holds(value))


def _pattern(wanted: Any) -> str:
    """Give a text that is wanted, or the pattern of a search."""
    pattern = getattr(getattr(wanted, "__self__", None), "pattern", wanted)
    return pattern.decode() if isinstance(pattern, bytes) else str(pattern)


def _listed(words: Iterable[str]) -> str:
    return _cut(", ".join(sorted(words)) or "none")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _name(lacking: LookupError) -> str:
    return f"{lacking.args[0]} was not kept"


# ── what state was asked ─────────────────────────────────────────────────────────────────────


def asked(need: Need) -> str:
    """Say what a check asked of state."""
    if isinstance(need, Sharers):
        return f"who else used this within {need.within:g} s"
    if isinstance(need, Charge):
        counted = "tries" if need.attempts else "accepted writes"
        windows = " and ".join(f"{each.limit} in {each.seconds:g} s" for each in need.windows)
        return f"{counted} of {need.cap}: at most {windows}"
    whose = "the author's earlier posts" if need.author else "earlier posts"
    where = "of all teams" if need.across_teams else f"of {need.team or 'the main site'}"
    near = ", the same or near" if need.near else " with the same digest"
    return f"{whose} {where} within {need.within:g} s{near} ({need.compare})"


def answered(answer: Answer) -> str:
    """Say what state answered."""
    if isinstance(answer, Shared):
        return ", ".join(answer.others) or "nobody"
    if isinstance(answer, Charged):
        room = "room" if answer.accepted else f"no room for {answer.retry_after:.0f} s"
        return f"{answer.used} of {answer.window.limit} in {answer.window.seconds:g} s: {room}"
    equal = sum(post.equal for post in answer.posts)
    return f"{equal} the same, {len(answer.posts) - equal} near"
