"""Exceptions: integrations that some rules do not judge, for a time."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Any

from gateway.parse import Mapping as MappingNode
from gateway.parse import nearest
from gateway.policy.language import LONGEST_EXCEPTION
from gateway.policy.policyset import Waiver
from gateway.policy.reader import PolicyReader
from gateway.policy.registry import Registry
from gateway.policy.rules import check_integrations


def read_waiver(
    reader: PolicyReader,
    node: MappingNode,
    read: Mapping[str, Any],
    *,
    today: datetime.date,
    rules: Collection[str],
    registry: Registry,
) -> Waiver | None:
    """Make an exception out of what was read of it; None where something is missing."""
    if read.get("rules") is not None:
        for entry in reader.entries(node.items["rules"]) or ():
            name = getattr(entry, "text", "")
            if name not in rules:
                reader.problem(entry, f"no rule is called {name!r}{nearest(name, sorted(rules))}")
    if read.get("integrations") is not None:
        check_integrations(reader, node.items["integrations"], registry)
    expires = read.get("expires")
    if expires is not None and (expires - today).days > LONGEST_EXCEPTION:
        told = f"an exception lasts at most {LONGEST_EXCEPTION} days"
        reader.problem(node.items["expires"], told)
    if expires is not None and expires < today:
        reader.warn(node.items["expires"], f"this exception is over since {expires}")
    keys = ("rules", "integrations", "reason", "owner", "expires", "ticket")
    if any(read.get(key) is None for key in keys):
        return None
    return Waiver(
        rules=frozenset(read["rules"]),
        integrations=frozenset(read["integrations"]),
        expires=read["expires"],
        reason=read["reason"],
        owner=read["owner"],
        ticket=read["ticket"],
    )
