"""Which writes a rule looks at: its narrowing keys, and the conditions under `if`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import re2

from gateway.model import ANONYMOUS, Write
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Reader
from gateway.policy.policyset import Condition, PolicySet, Rule
from gateway.text.words import words

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINK = re.compile(r"\bhttps?://", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*)?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)

_FIELDS: Mapping[str, Callable[[Write], str]] = {
    "title": lambda write: write.post.title,
    "body": lambda write: write.post.body,
    "user_agent": lambda write: write.user_agent,
}
_COUNTS: Mapping[str, Callable[[str], int]] = {
    "words": lambda text: len(words(text)),
    "length": len,
    "links": lambda text: len(_LINK.findall(text)),
    "html": lambda text: len(_TAG.findall(text)),
    "entities": lambda text: len(_ENTITY.findall(text)),
}


def applies(rule: Rule, write: Write, policies: PolicySet) -> bool:
    """Whether a rule judges a write, by everything but `if`."""
    if write.operation not in rule.operations or write.integration in rule.excepted:
        return False
    if rule.integrations and write.integration not in rule.integrations:
        return False
    if rule.tiers and write.tier not in rule.tiers:
        return False
    if rule.teams and (write.team or "") not in rule.teams:
        return False
    if rule.tags and rule.tags.isdisjoint(tag.casefold() for tag in write.post.tags):
        return False
    return not is_waived(rule, write.integration, write.at, policies)


def is_waived(rule: Rule, integration: str, at: float, policies: PolicySet) -> bool:
    """Whether an exception keeps a rule from judging an integration at an instant."""
    if integration == ANONYMOUS or not policies.waivers:
        return False
    today = datetime.fromtimestamp(at, UTC).date()
    return any(
        rule.id in waiver.rules and integration in waiver.integrations
        for waiver in policies.waivers
        if today <= waiver.expires
    )


# ── `if` ─────────────────────────────────────────────────────────────────────────────────────


def read_condition(reader: Reader, node: Node) -> Condition | None:
    """Read conditions; several keys must hold together. None after a problem."""
    keys = ("all", "any", "not", "tags", "hour", "weekday", *_FIELDS)
    mapping = reader.mapping(node, keys=keys)
    if mapping is None:
        return None
    if not mapping.items:
        reader.problem(node, "no condition stands here")
        return None
    parts = [_READERS[key](reader, key, mapping.items[key]) for key in mapping.items if key in keys]
    return _all([part for part in parts if part is not None])


def _all(conditions: list[Condition]) -> Condition:
    return lambda write: all(condition(write) for condition in conditions)


def _any(conditions: list[Condition]) -> Condition:
    return lambda write: any(condition(write) for condition in conditions)


def _read_group(reader: Reader, key: str, node: Node) -> Condition | None:
    if isinstance(node, MappingNode) or not hasattr(node, "items"):
        reader.problem(node, f"'{key}' takes a list of conditions")
        return None
    conditions = [read_condition(reader, item) for item in node.items]
    read = [condition for condition in conditions if condition is not None]
    return _all(read) if key == "all" else _any(read)


def _read_not(reader: Reader, _: str, node: Node) -> Condition | None:
    condition = read_condition(reader, node)
    return None if condition is None else lambda write: not condition(write)


def _read_text(reader: Reader, field: str, node: Node) -> Condition | None:
    mapping = reader.mapping(node, keys=("contains", "matches", *_COUNTS))
    if mapping is None:
        return None
    tests: list[Callable[[str], bool]] = []
    for key, value in mapping.items.items():
        if key == "contains":
            tests += _contains(reader.texts(value) or ())
        elif key == "matches":
            tests += _matches(reader, value)
        elif key in _COUNTS:
            tests += _counted(reader, key, value)
    get = _FIELDS[field]

    def holds(write: Write) -> bool:
        text = get(write)
        return all(test(text) for test in tests)

    return holds


def _contains(parts: Iterable[str]) -> list[Callable[[str], bool]]:
    folded = [part.casefold() for part in parts]
    return [lambda text: any(part in text.casefold() for part in folded)]


def _matches(reader: Reader, node: Node) -> list[Callable[[str], bool]]:
    """Compile RE2 patterns: linear in the text, whatever an admin writes."""
    options = re2.Options()
    options.log_errors = False
    patterns = []
    for text in reader.texts(node) or ():
        try:
            patterns.append(re2.compile(text, options))
        except re2.error as error:
            reason = str(error).removeprefix("b'").removesuffix("'")
            reader.problem(node, f"not a pattern of RE2: {reason}")
    return [lambda text: any(pattern.search(text) for pattern in patterns)]


def _counted(reader: Reader, key: str, node: Node) -> list[Callable[[str], bool]]:
    bounds = _bounds(reader, node, 0, 1_000_000)
    count = _COUNTS[key]
    return [] if bounds is None else [lambda text: bounds[0] <= count(text) < bounds[1]]


def _bounds(reader: Reader, node: Node, least: int, most: int) -> tuple[int, int] | None:
    mapping = reader.mapping(node, keys=("at_least", "below"))
    if mapping is None:
        return None
    read = {
        key: reader.integer(value, at_least=least, at_most=most)
        for key, value in mapping.items.items()
        if key in ("at_least", "below")
    }
    low, high = read.get("at_least", least), read.get("below", most + 1)
    if low is None or high is None:
        return None
    if low >= high:
        reader.problem(node, "no number is at least the one and below the other")
        return None
    return low, high


def _read_tags(reader: Reader, _: str, node: Node) -> Condition | None:
    mapping = reader.mapping(node, keys=("any_of", "all_of", "none_of"))
    if mapping is None:
        return None
    wanted = {
        key: frozenset(tag.casefold() for tag in reader.texts(value) or ())
        for key, value in mapping.items.items()
    }

    def holds(write: Write) -> bool:
        tags = frozenset(tag.casefold() for tag in write.post.tags)
        return (
            ("any_of" not in wanted or not tags.isdisjoint(wanted["any_of"]))
            and tags.issuperset(wanted.get("all_of", ()))
            and tags.isdisjoint(wanted.get("none_of", ()))
        )

    return holds


def _read_hour(reader: Reader, _: str, node: Node) -> Condition | None:
    bounds = _bounds(reader, node, 0, 24)
    if bounds is None:
        return None
    return lambda write: bounds[0] <= datetime.fromtimestamp(write.at, UTC).hour < bounds[1]


def _read_weekday(reader: Reader, _: str, node: Node) -> Condition | None:
    mapping = reader.mapping(node, keys=("any_of",), required=("any_of",))
    if mapping is None or "any_of" not in mapping.items:
        return None
    days = reader.texts(mapping.items["any_of"]) or ()
    for day in days:
        if day not in WEEKDAYS:
            reader.problem(node, f"{day!r} is none of {', '.join(WEEKDAYS)}")
    wanted = {WEEKDAYS.index(day) for day in days if day in WEEKDAYS}
    return lambda write: datetime.fromtimestamp(write.at, UTC).weekday() in wanted


_READERS: Mapping[str, Callable[[Reader, str, Node], Condition | None]] = {
    "all": _read_group,
    "any": _read_group,
    "not": _read_not,
    "tags": _read_tags,
    "hour": _read_hour,
    "weekday": _read_weekday,
    **dict.fromkeys(_FIELDS, _read_text),
}
