"""How the parameters of each check are read from YAML, one reader a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.checks import Check
from gateway.checks.boilerplate import Boilerplate
from gateway.checks.duplicate import Duplicate
from gateway.checks.earlier import COPY
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.checks.hidden_text import HiddenText
from gateway.checks.log_text import LogText
from gateway.checks.rate_cap import PER, RateCap
from gateway.model import Post, Window
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Reader, Sequence
from gateway.text.fingerprint import fingerprint
from gateway.text.similarity import FEW_WORDS

LONGEST = 90 * 86_400.0
"""Seconds that state is kept at most: no window or look back may be longer."""


def _explicit_action(reader: Reader, node: Node) -> Check | None:
    keys = ("evidence", "values", "max_age", "members")
    mapping = reader.mapping(node, keys=keys, required=("evidence",))
    if mapping is None or "evidence" not in mapping.items:
        return None
    level = reader.choice(mapping.items["evidence"], [evidence.value for evidence in Evidence])
    values = reader.texts(mapping.items["values"]) if "values" in mapping.items else ("true",)
    age = _duration(reader, mapping, "max_age", 300.0)
    members = reader.texts(mapping.items["members"]) if "members" in mapping.items else ()
    if "values" in mapping.items and level == Evidence.ASSERTED:
        reader.problem(mapping.keys["values"], "'values' counts for evidence 'literal' alone")
    if level is None or not values or age is None or members is None:
        return None
    return ExplicitAction(evidence=Evidence(level), values=values, max_age=age, members=members)


def _rate_cap(reader: Reader, node: Node) -> Check | None:
    mapping = reader.mapping(node, keys=("limit", "window", "windows", "per", "count"))
    if mapping is None:
        return None
    windows = _windows(reader, mapping)
    per = reader.texts(mapping.items["per"]) if "per" in mapping.items else ("integration",)
    for part in per or ():
        if part not in PER:
            reader.problem(mapping.items["per"], f"{part!r} is none of {', '.join(PER)}")
    count: str | None = "accepted"
    if "count" in mapping.items:
        count = reader.choice(mapping.items["count"], ("accepted", "attempts"))
    if not windows or not per or count is None:
        return None
    return RateCap(windows=windows, per=per, attempts=count == "attempts")


def _windows(reader: Reader, mapping: MappingNode) -> tuple[Window, ...]:
    if "windows" not in mapping.items:
        one = _window(reader, mapping)
        return () if one is None else (one,)
    for key in ("limit", "window"):
        if key in mapping.keys:
            reader.problem(mapping.keys[key], f"'{key}' stands under 'windows' already")
    several = mapping.items["windows"]
    if not isinstance(several, Sequence) or not several.items:
        reader.problem(several, "'windows' takes a list of {limit, window}")
        return ()
    read = []
    for item in several.items:
        each = reader.mapping(item, keys=("limit", "window"))
        if each is not None:
            read.append(_window(reader, each))
    return tuple(window for window in read if window is not None)


def _window(reader: Reader, mapping: MappingNode) -> Window | None:
    for key in ("limit", "window"):
        if key not in mapping.items:
            reader.problem(mapping, f"the key {key!r} is missing")
            return None
    limit = reader.integer(mapping.items["limit"], at_least=1, at_most=1_000_000)
    seconds = _duration(reader, mapping, "window", None)
    return None if limit is None or seconds is None else Window(limit=limit, seconds=seconds)


def _duplicate(reader: Reader, node: Node) -> Check | None:
    keys = ("similarity", "within", "compare", "across_teams", "templates")
    mapping = reader.mapping(node, keys=keys, required=("within",))
    if mapping is None:
        return None
    compare: str | None = "text"
    if "compare" in mapping.items:
        compare = reader.choice(mapping.items["compare"], ("text", "event"))
    read = {"compare": compare, **_likeness(reader, mapping)}
    return None if None in read.values() else Duplicate(**read)


def _boilerplate(reader: Reader, node: Node) -> Check | None:
    keys = ("similarity", "threads", "within", "across_teams", "templates", "forbidden")
    mapping = reader.mapping(node, keys=keys, required=("threads", "within"))
    if mapping is None or "threads" not in mapping.items:
        return None
    read = {
        "threads": reader.integer(mapping.items["threads"], at_least=2, at_most=64),
        "forbidden": _templates(reader, mapping, "forbidden"),
        **_likeness(reader, mapping),
    }
    return None if None in read.values() else Boilerplate(**read)


def _likeness(reader: Reader, mapping: MappingNode) -> dict[str, Any]:
    """Read what checks that compare have in common; None stands for what could not be read."""
    return {
        "within": _duration(reader, mapping, "within", None),
        "similarity": _similarity(reader, mapping),
        "across_teams": _flag(reader, mapping, "across_teams"),
        "templates": _templates(reader, mapping, "templates"),
    }


def _log_text(reader: Reader, node: Node) -> Check | None:
    mapping = reader.mapping(node, keys=("share", "lines", "words"))
    if mapping is None:
        return None
    usual = LogText()
    share = _share(reader, mapping, "share", usual.share)
    lines = _number(reader, mapping, "lines", usual.lines)
    words = _number(reader, mapping, "words", usual.words)
    if share is None or lines is None or words is None:
        return None
    return LogText(share=share, lines=lines, words=words)


def _hidden_text(reader: Reader, node: Node) -> Check | None:
    mapping = reader.mapping(node, keys=("ratio", "letters", "share"))
    if mapping is None:
        return None
    usual = HiddenText()
    ratio = _number(reader, mapping, "ratio", usual.ratio)
    letters = _number(reader, mapping, "letters", usual.letters)
    share = _share(reader, mapping, "share", usual.share)
    if ratio is None or letters is None or share is None:
        return None
    return HiddenText(ratio=ratio, letters=letters, share=share)


def _templates(reader: Reader, mapping: MappingNode, key: str) -> tuple[str, ...] | None:
    """Read registered texts; one that is too short to be told from others is a problem."""
    if key not in mapping.items:
        return ()
    texts = reader.texts(mapping.items[key])
    for text in texts or ():
        if fingerprint(Post(body=text)).words < FEW_WORDS:
            told = f"a registered text needs {FEW_WORDS} words, or it could be anybody's"
            reader.problem(mapping.items[key], told)
            return None
    return texts


def _duration(
    reader: Reader, mapping: MappingNode, key: str, default: float | None
) -> float | None:
    if key not in mapping.items:
        return default
    seconds = reader.duration(mapping.items[key])
    if seconds is not None and not 0 < seconds <= LONGEST:
        reader.problem(mapping.items[key], "must be more than nothing and at most 90d")
        return None
    return seconds


def _similarity(reader: Reader, mapping: MappingNode) -> float | None:
    if "similarity" not in mapping.items:
        return COPY
    share = reader.percent(mapping.items["similarity"])
    if share == 0:
        reader.problem(mapping.items["similarity"], "at 0% every text would be a copy")
        return None
    return share


def _share(reader: Reader, mapping: MappingNode, key: str, default: float) -> float | None:
    if key not in mapping.items:
        return default
    share = reader.percent(mapping.items[key])
    if share == 0:
        reader.problem(mapping.items[key], "at 0% every text would fail")
        return None
    return share


def _number(reader: Reader, mapping: MappingNode, key: str, default: int) -> int | None:
    if key not in mapping.items:
        return default
    return reader.integer(mapping.items[key], at_least=1, at_most=1_000_000)


def _flag(reader: Reader, mapping: MappingNode, key: str) -> bool | None:
    return reader.boolean(mapping.items[key]) if key in mapping.items else False


READERS: Mapping[str, Callable[[Reader, Node], Check | None]] = {
    "explicit_action": _explicit_action,
    "rate_cap": _rate_cap,
    "duplicate": _duplicate,
    "boilerplate": _boilerplate,
    "log_text": _log_text,
    "hidden_text": _hidden_text,
}
