"""A draft of the registrations, out of what was seen of callers that nobody registered.

Whoever uses one SOE token, or calls itself by one name of its own, is one caller. The names of HTTP
libraries are nobody's own: those who say no more are told apart by their tokens.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.checks.attribution import own_products
from gateway.model import ANONYMOUS
from gateway.offline.records.decision import Recorded
from gateway.offline.records.read import Line

_BROWSERS = "mozilla"
"""What every browser says first; beside it stands what it is made of."""
_BY = re.compile(r'\bby="([^"]*)"')
_WORD = re.compile(r"[a-z0-9]+")
_NAME_AT_MOST = 40
_MINUTE = 60.0
_TOLD_AT_MOST = 5


@dataclass(slots=True)
class Seen:
    """A caller, and what was seen of it.

    Attributes:
        tokens: digests of its SOE tokens, as `integrations.yaml` takes them.
        agents: what it said as User-Agent.
        people: pseudonyms of whom it acts for, or says so.
        days: writes by day (UTC).
        busiest: writes in its busiest minute.
        warned: how often which rule failed.
    """

    tokens: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    people: set[str] = field(default_factory=set)
    operations: Counter[str] = field(default_factory=Counter)
    days: Counter[datetime.date] = field(default_factory=Counter)
    warned: Counter[str] = field(default_factory=Counter)
    instants: list[float] = field(default_factory=list)

    @property
    def writes(self) -> int:
        """How many there were."""
        return len(self.instants)

    @property
    def busiest(self) -> int:
        """The most writes in any minute."""
        most, recent = 0, deque[float]()
        for at in sorted(self.instants):
            recent.append(at)
            while recent[0] <= at - _MINUTE:
                recent.popleft()
            most = max(most, len(recent))
        return most


@dataclass(slots=True, kw_only=True)
class Draft:
    """What was seen: callers by proposed names, and what stands in no registration.

    Attributes:
        registered: writes of integrations that are registered, by name.
        nameless: writes that named no caller at all.
    """

    callers: dict[str, Seen]
    registered: Counter[str]
    nameless: int


def propose(lines: Iterable[Line]) -> Draft:
    """Gather who wrote."""
    registered: Counter[str] = Counter()
    groups = _Groups()
    nameless = 0
    for line in lines:
        decision = line.decision
        if decision is None:
            continue
        write = decision.write
        if write.integration != ANONYMOUS:
            registered[write.integration] += 1
        elif write.credential is None:
            nameless += 1
        else:
            _count(groups.of(write.credential, _own_name(write.user_agent)), decision)
    return Draft(callers=_named(groups.all()), registered=registered, nameless=nameless)


def _count(seen: Seen, decision: Recorded) -> None:
    write = decision.write
    assert write.credential is not None
    seen.tokens[write.credential] += 1
    seen.agents[write.user_agent] += 1
    seen.operations[write.operation] += 1
    seen.days[datetime.datetime.fromtimestamp(write.at, datetime.UTC).date()] += 1
    seen.instants.append(write.at)
    if write.person is not None:
        seen.people.add(write.person)
    else:
        seen.people.update(by for act in write.actions for by in _BY.findall(act))
    for rule, told in decision.findings.items():
        if told["code"] is not None:
            seen.warned[rule] += 1


class _Groups:
    """Callers, joined where a token or a name of their own is the same."""

    def __init__(self) -> None:
        self._of: dict[str, Seen] = {}

    def of(self, token: str, name: str | None) -> Seen:
        """Give the caller with this token, or this name."""
        keys = [token, *([f"name {name}"] if name else [])]
        known = list({id(seen): seen for key in keys if (seen := self._of.get(key))}.values())
        seen = known[0] if known else Seen()
        for other in known[1:]:
            _join(seen, other)
            self._of = {key: seen if each is other else each for key, each in self._of.items()}
        self._of.update(dict.fromkeys(keys, seen))
        return seen

    def all(self) -> list[Seen]:
        """All callers, those who write most first."""
        found = {id(seen): seen for seen in self._of.values()}.values()
        return sorted(found, key=lambda seen: (-seen.writes, min(seen.tokens)))


def _join(seen: Seen, other: Seen) -> None:
    for name in ("tokens", "agents", "operations", "days", "warned"):
        getattr(seen, name).update(getattr(other, name))
    seen.people |= other.people
    seen.instants += other.instants


# ── names ────────────────────────────────────────────────────────────────────────────────────


def _own_name(agent: str) -> str | None:
    """Give the name that a client has of its own, in kebab-case; None for a library's."""
    products = own_products(agent)
    if not products or products[0] == _BROWSERS:
        return None
    return "-".join(_WORD.findall(products[0]))[:_NAME_AT_MOST].strip("-") or None


def _named(callers: Iterable[Seen]) -> dict[str, Seen]:
    named: dict[str, Seen] = {}
    for seen in callers:
        own = Counter({name: n for agent, n in seen.agents.items() if (name := _own_name(agent))})
        name = own.most_common(1)[0][0] if own else "caller"
        if name == ANONYMOUS or name == "caller":
            name = f"caller-{min(seen.tokens).removeprefix('sha256:')[:6]}"
        number, unique = 1, name
        while unique in named:
            number += 1
            unique = f"{name}-{number}"
        named[unique] = seen
    return named


# ── the file ─────────────────────────────────────────────────────────────────────────────────


def as_yaml(draft: Draft) -> Iterator[str]:
    """Write the draft as `integrations.yaml`, line by line."""
    yield "# yaml-language-server: $schema=integrations.schema.json"
    yield "# A draft, out of the audit log. Fill in owner, contact and purpose of each;"
    yield "# `soe-gateway check` names what is missing. What nobody owns up to, take out."
    for name, count in sorted(draft.registered.items()):
        yield f"# {name} is registered already ({count} writes): keep its entry."
    if draft.nameless:
        yield f"# {draft.nameless} writes carried no token: nobody can be registered for them."
    if not draft.callers:
        yield "integrations: {}"
        return
    yield "integrations:"
    for name, seen in draft.callers.items():
        yield f"  {name}:"
        yield from (f"    # {told}" for told in _told(seen))
        yield "    owner: # the team that answers for it"
        yield "    contact: # how to reach them"
        yield "    purpose: # what it writes, and why"
        yield f"    operations: [{', '.join(sorted(seen.operations))}]"
        yield "    tokens:"
        yield from (f"      - {token}" for token in sorted(seen.tokens))


def _told(seen: Seen) -> Iterator[str]:
    agents = [json.dumps(agent) for agent, _ in seen.agents.most_common(_TOLD_AT_MOST)]
    more = len(seen.agents) - len(agents)
    yield f"User-Agent {', '.join(agents)}{f' and {more} more' if more else ''}"
    people = f", {_number(len(seen.people), 'person', 'people')} named" if seen.people else ""
    yield f"{_number(len(seen.tokens), 'token', 'tokens')}{people}"
    days = (max(seen.days) - min(seen.days)).days + 1
    yield (
        f"{_number(seen.writes, 'write', 'writes')} from {min(seen.days)} to {max(seen.days)}: "
        f"{seen.writes / days:.1f} a day, {max(seen.days.values())} on the busiest, "
        f"{seen.busiest} in the busiest minute"
    )
    used = ", ".join(f"{operation} {n}" for operation, n in seen.operations.most_common())
    yield f"operations: {used}"
    if seen.warned:
        warned = ", ".join(f"{rule} {n}" for rule, n in seen.warned.most_common(_TOLD_AT_MOST))
        yield f"rules that it failed: {warned}"
    names = {name for agent in seen.agents if (name := _own_name(agent))}
    if len(names) > 1:
        yield f"{' and '.join(sorted(names))} use one token: ask whether these are two"


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def as_json(draft: Draft) -> dict[str, object]:
    """Give the draft as JSON."""
    return {
        "integrations": {
            name: {
                "tokens": sorted(seen.tokens),
                "user_agents": dict(seen.agents.most_common()),
                "people": len(seen.people),
                "operations": dict(seen.operations.most_common()),
                "writes": seen.writes,
                "days": {str(day): count for day, count in sorted(seen.days.items())},
                "busiest_minute": seen.busiest,
                "failed": dict(seen.warned.most_common()),
            }
            for name, seen in draft.callers.items()
        },
        "registered": dict(draft.registered),
        "nameless": draft.nameless,
    }
