"""Overrides: keys of shipped rules that a site changes, without copying the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.parse import Mapping as MappingNode
from gateway.policy.parameters import PARAMETERS
from gateway.policy.reader import PolicyReader


def read_overrides(reader: PolicyReader, text: str) -> dict[str, MappingNode]:
    """Read `overrides.yaml`, which may be empty; what is wrong is noted in the reader.

    Only its names are read here: a key that differs is read where it stands in its rule.
    """
    root = reader.compose(text) if text.strip() else None
    return {
        name: mapping
        for name, node in (root.items.items() if root else ())
        if (mapping := reader.mapping(node)) is not None
    }


def lay_over(root: MappingNode, overrides: Mapping[str, MappingNode]) -> MappingNode:
    """Lay overrides over the rules of a policy file, each by its name."""
    rules = root.items.get("rules")
    if not overrides or not isinstance(rules, MappingNode):
        return root
    laid = {
        name: overridden(node, overrides[name])
        if name in overrides and isinstance(node, MappingNode)
        else node
        for name, node in rules.items.items()
    }
    return replace(root, items={**root.items, "rules": replace(rules, items=laid)})


def overridden(rule: MappingNode, override: MappingNode) -> MappingNode:
    """Lay an override over a rule, key by key, and over a check's parameters likewise."""
    items, keys = dict(rule.items), dict(rule.keys)
    for key, mark in override.keys.items():
        keys[key] = mark
        node, below = override.items.get(key), items.get(key)
        if key in PARAMETERS and isinstance(below, MappingNode) and isinstance(node, MappingNode):
            items[key] = overridden(below, node)
        elif node is not None:
            items[key] = node
    return MappingNode(override.mark, items, keys)
