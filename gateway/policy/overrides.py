"""Overrides: keys of shipped rules that a site changes, without copying the rules.

`tunings` tells what became of each shipped rule, so that who upgrades sees what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.model import Mode
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Scalar
from gateway.policy.parameters import PARAMETERS
from gateway.policy.reader import PolicyReader
from gateway.policy.sources import OVERRIDES, Source


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


# ── what became of the shipped rules ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What became of one shipped rule.

    Attributes:
        state: `disabled`, `tuned`, `as shipped` where an override changes nothing, or `untouched`
            where there is none, as for what an upgrade brought.
        changes: by key, what is shipped and what is in force; `-` where a key is not there.
        idle: keys of the override that say what is shipped: they can be left out.
    """

    rule: str
    state: str
    changes: Mapping[str, tuple[str, str]]
    idle: tuple[str, ...]


def tunings(files: Iterable[Source]) -> Iterator[Tuning]:
    """Compare each shipped rule with the one in force, for files that load."""
    files = tuple(files)
    text = next((source.text for source in files if source.name == OVERRIDES), "")
    overrides = read_overrides(PolicyReader(OVERRIDES), text)
    for source in files:
        root = PolicyReader(source.path).compose(source.text) if source.shipped else None
        rules = root.items.get("rules") if root else None
        if isinstance(rules, MappingNode):
            for name, node in rules.items.items():
                if isinstance(node, MappingNode):
                    yield _tuning(name, node, overrides.get(name))


def _tuning(name: str, shipped: MappingNode, override: MappingNode | None) -> Tuning:
    if override is None:
        return Tuning(rule=name, state="untouched", changes={}, idle=())
    before, after = _flat(shipped), _flat(overridden(shipped, override))
    keys = [key for key in after if key in _flat(override)]
    changes = {
        key: (before.get(key, "-"), after[key]) for key in keys if before.get(key) != after[key]
    }
    state = "tuned" if changes else "as shipped"
    if "mode" in changes and after["mode"] == Mode.DISABLED:
        state = "disabled"
    idle = tuple(key for key in keys if key not in changes)
    return Tuning(rule=name, state=state, changes=changes, idle=idle)


def _flat(rule: MappingNode) -> dict[str, str]:
    """Write what stands under each key of a rule, a check's parameters each by itself."""
    flat: dict[str, str] = {}
    for key, node in rule.items.items():
        if key in PARAMETERS and isinstance(node, MappingNode):
            flat |= {f"{key}.{name}": _shown(each) for name, each in node.items.items()}
        else:
            flat[key] = _shown(node)
    return flat


def _shown(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, MappingNode):
        return f"{{{', '.join(f'{key}: {_shown(each)}' for key, each in node.items.items())}}}"
    return f"[{', '.join(map(_shown, node.items))}]"
