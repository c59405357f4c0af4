"""A rule out of its keys; and what is wrong with it as a whole, above all that it can never fire.

What one key or one check can tell by itself stands with it, in `language` and `parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.checks import CHECKS, Check
from gateway.checks.rate_cap import RateCap
from gateway.model import ANONYMOUS, Mode
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, nearest
from gateway.parse import Sequence as SequenceNode
from gateway.policy.conditions import fields_in
from gateway.policy.decide import PLACEHOLDERS
from gateway.policy.kinds import operations, written
from gateway.policy.parameters import PARAMETERS
from gateway.policy.policyset import Rule
from gateway.policy.reader import PolicyReader
from gateway.policy.registry import Registry
from gateway.soe.fields import FIELDS, WITH

_BRACES = re.compile(r"\{\s*(\w+)\s*\}")
_WITH_TEXT = WITH["title"] | WITH["body"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rules of one file share."""

    name: str
    owner: str
    docs: str


def make_rule(
    reader: PolicyReader,
    name: str,
    node: MappingNode,
    read: Mapping[str, Any],
    *,
    policy: Policy,
    registry: Registry,
) -> Rule | None:
    """Make a rule out of what was read of it; None where something is missing."""
    meant = operations(read.get("for") or ())
    check = next((read[key] for key in read if key in PARAMETERS), None)
    _check_names(reader, node, read, registry)
    _check_narrowing(reader, node, read, registry)
    _check_words(reader, node, read)
    if meant:
        _check_fields(reader, node, check, meant)
    if isinstance(check, RateCap):
        _check_windows(reader, node.items["rate_cap"], check)
    if None in read.values() or not read.keys() >= {"title", "mode", "for"}:
        return None
    return Rule(
        id=name,
        policy=policy.name,
        owner=policy.owner,
        source=Path(reader.path).name,
        title=read["title"],
        mode=Mode(read["mode"]),
        operations=meant,
        excepted=frozenset(read.get("except", ())),
        integrations=frozenset(read.get("integrations", ())),
        tiers=frozenset(read.get("tiers", ())),
        teams=frozenset(read.get("teams", ())),
        tags=frozenset(tag.casefold() for tag in read.get("tags", ())),
        condition=read.get("if"),
        check=check,
        message=read.get("message", ""),
        fix=read.get("fix", ""),
        docs=read.get("docs", policy.docs),
        status=read.get("status"),
        approver=read.get("approver", "person"),
        open_on_error=read.get("on_error") == "allow",
    )


def check_integrations(
    reader: PolicyReader, node: Node, registry: Registry, also: tuple[str, ...] = ()
) -> None:
    """Note the integrations in a list that nobody registered."""
    for entry in _texts(reader, node):
        name = getattr(entry, "text", "")
        if name not in registry.names and name not in also:
            told = f"no integration is called {name!r}{nearest(name, sorted(registry.names))}"
            reader.problem(entry, told)


def _texts(reader: PolicyReader, node: Node) -> tuple[Node, ...]:
    return reader.entries(node) or ()


def _check_names(
    reader: PolicyReader, node: MappingNode, read: Mapping[str, Any], registry: Registry
) -> None:
    for key, also in (("except", ()), ("integrations", (ANONYMOUS,))):
        if read.get(key) is not None:
            check_integrations(reader, node.items[key], registry, also)


def _check_narrowing(
    reader: PolicyReader, node: MappingNode, read: Mapping[str, Any], registry: Registry
) -> None:
    """Note what is taken away as soon as it is chosen."""
    chosen = read.get("integrations") or ()
    for entry in _texts(reader, node.items["except"]) if read.get("except") else ():
        name = getattr(entry, "text", "")
        if name in chosen:
            reader.problem(entry, f"{name!r} stands under 'integrations', too")
    tiers = {each.name: each.tier for each in registry.integrations}
    has = {tiers.get(name, "") for name in chosen}
    if chosen and read.get("tiers") and has.isdisjoint(read["tiers"]):
        reader.problem(node.keys["tiers"], "none of the integrations named here has this tier")


def _check_words(reader: PolicyReader, node: MappingNode, read: Mapping[str, Any]) -> None:
    """Note the names in messages that nothing will be put in the place of."""
    figures = [name for key in read if key in CHECKS for name in CHECKS[key].placeholders]
    known = (*PLACEHOLDERS, *figures)
    for key in ("message", "fix"):
        for found in _BRACES.finditer(read.get(key) or ""):
            if found[0][1:-1] not in known:
                told = f"no figure is called {found[0]}{nearest(found[1].lower(), known)}"
                reader.problem(node.items[key], told)


def _check_fields(
    reader: PolicyReader, node: MappingNode, check: Check | None, meant: frozenset[str]
) -> None:
    """Note what looks at something that none of the operations has."""
    lacking = {field for field in FIELDS if WITH[field].isdisjoint(meant)}
    for field, mark in fields_in(node.items["if"]) if "if" in node.items else ():
        if field in lacking:
            reader.problem(mark, _lacking(field))
    for key, field in (("tags", "tags"), ("teams", "team")):
        if key in node.keys and field in lacking:
            reader.problem(node.keys[key], _lacking(field))
    if isinstance(check, RateCap):
        per = {"tag": "tags", "thread": "thread", "team": "team"}
        for part in check.per:
            if per.get(part) in lacking:
                told = f"per {part}: nothing that 'for' names has a {part}"
                reader.problem(node.keys["rate_cap"], told)
    elif check is not None and check.needs_text and meant.isdisjoint(_WITH_TEXT):
        told = f"{check.name} looks at texts, and nothing that 'for' names has one"
        reader.problem(node.keys[check.name], told)


def _lacking(field: str) -> str:
    return f"nothing that 'for' names has {'tags' if field == 'tags' else f'a {field}'}"


def _check_windows(reader: PolicyReader, node: Node, cap: RateCap) -> None:
    """Note the windows of a cap that another always uses up before."""
    told = node.items.get("windows") if isinstance(node, MappingNode) else None
    for number, window in enumerate(cap.windows):
        for before, other in enumerate(cap.windows):
            same = (window.limit, window.seconds) == (other.limit, other.seconds)
            if same and before >= number:
                continue  # of two equal ones the first counts
            if other.limit <= window.limit and other.seconds >= window.seconds:
                assert isinstance(told, SequenceNode)
                allowed = f"{other.limit} per {written(other.seconds)}"
                reader.problem(told.items[number], f"never used up: {allowed} allows no more")
                break
