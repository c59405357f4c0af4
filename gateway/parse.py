"""YAML that people write, read strictly: nodes with their place, and every problem at once.

The only door to yaml. What YAML 1.1 would guess (`no`, `1:30`, `010`), repeat (aliases), run
(tags) or drop (the first of two equal keys) is a problem with its line and column, never a value.

    reader = Reader("policies/answers.yaml")
    root = reader.compose(text)
    owner = reader.text(root.items["owner"])
    if reader.problems: …
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.errors import Problem

MAX_BYTES = 262_144
MAX_DEPTH = 32

_GUESSED = re.compile(
    r"|y|n|yes|no|on|off|true|false|null|~"
    r"|[-+]?0[0-7_]+|[-+]?0o[0-7_]+|[-+]?0x[0-9a-f_]+|[-+]?0b[01_]+"
    r"|[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?"
    r"|[-+]?(\d[\d_]*)?\.[\d_]*(e[-+]?\d+)?|[-+]?\d[\d_]*(e[-+]?\d+)?"
    r"|[-+]?\.(inf|nan)|\d{4}-\d\d?-\d\d?([t \t].*)?|=|<<",
    re.ASCII | re.IGNORECASE,
)
"""What YAML 1.1 or 1.2 reads as something else than text."""
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e007f]"
)
"""Control characters, and those that make a text read otherwise than it is (bidi, zero width)."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, from 1; without `path`, in the file of whoever reads it."""

    line: int
    column: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `quoted` tells that its text was meant as text."""

    mark: Mark
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in order.

    `keys` has the place of each key, also of one whose value could not be read.
    """

    mark: Mark
    items: dict[str, Node]
    keys: dict[str, Mark]


Node = Scalar | Sequence | Mapping


def nearest(word: str, known: Iterable[str]) -> str:
    """Give `; did you mean 'x'?` for the known word most like this one, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


class Reader:
    """Reads one file's nodes into typed values and gathers what is wrong.

    Every reading method returns None after it noted a problem, so that one pass finds them all.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def problem(self, at: Node | Mark, text: str) -> None:
        """Note a problem."""
        mark = at if isinstance(at, Mark) else at.mark
        self.problems.append(Problem(mark.path or self.path, mark.line, mark.column, text))

    def place(self, at: Node | Mark) -> str:
        """Tell where something stands."""
        mark = at if isinstance(at, Mark) else at.mark
        return f"{mark.path or self.path}:{mark.line}:{mark.column}"

    # ── from text to nodes ───────────────────────────────────────────────────────────────────

    def compose(self, text: str) -> Mapping | None:
        """Read the document; its root must be a mapping.

        What cannot be read is left out of the nodes, so that the rest can be looked at as well.
        None where nothing of the document could be read.
        """
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            self.problem(Mark(1, 1), f"the file is larger than {MAX_BYTES} bytes")
            return None
        if self.has_unseen(text):
            return None
        try:
            root = self._document(yaml.parse(text, Loader=yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            self.problem(self._mark(error.problem_mark), str(error.problem))
            return None
        if root is not None and not isinstance(root, Mapping):
            self.problem(root, "expected keys with values here")
            return None
        return root

    def has_unseen(self, text: str, path: str = "") -> bool:
        """Note the characters of a text that nobody sees, and tell whether there are any."""
        found = False
        for number, line in enumerate(text.split("\n"), 1):
            for unseen in _UNSEEN.finditer(line):
                told = f"the invisible character U+{ord(unseen[0]):04X} is not allowed"
                self.problem(Mark(number, unseen.start() + 1, path), told)
                found = True
        return found

    # Nodes are made from events, not by yaml's composer: aliases and tags are seen before they
    # multiply or run, and the depth is known before the stack is used up.

    def _document(self, events: Iterator[yaml.Event]) -> Node | None:
        next(events)  # the stream begins
        first = next(events)
        if not isinstance(first, yaml.DocumentStartEvent):
            self.problem(Mark(1, 1), "the file is empty")
            return None
        if first.version or first.tags:
            self.problem(self._mark(first.start_mark), "directives (%) are not allowed")
        root = self._node(next(events), events, 1)
        next(events)  # the document ends
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.problem(self._mark(after.start_mark), "a second document; a file holds one")
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node | None:
        mark = self._mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            self.problem(mark, "aliases (*name) are not allowed; write it out")
            return None
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.anchor:
            self.problem(mark, "anchors (&name) are not allowed")
        if event.tag:
            self.problem(mark, "tags (!name) are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            if _CONTROL.search(event.value):
                self.problem(mark, "control characters are not allowed")
            return Scalar(mark, event.value, quoted=bool(event.style))
        if depth > MAX_DEPTH:
            self.problem(mark, f"nested deeper than {MAX_DEPTH} levels")
            _skip(events)
            return None
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(mark, tuple(self._items(events, depth + 1)))
        return self._pairs(mark, events, depth + 1)

    def _items(self, events: Iterator[yaml.Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            node = self._node(event, events, depth)
            if node is not None:
                yield node

    def _pairs(self, mark: Mark, events: Iterator[yaml.Event], depth: int) -> Mapping:
        items: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(self._node(event, events, depth), keys)
            value = self._node(next(events), events, depth)
            if key is not None and value is not None:
                items[key] = value
        return Mapping(mark, items, keys)

    def _key(self, node: Node | None, keys: dict[str, Mark]) -> str | None:
        """Give the key's text and note its place; None, and a problem, where it is no good key."""
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.problem(node, "a key must be text")
            return None
        if node.text == "<<" and not node.quoted:
            self.problem(node, "merge keys (<<) are not allowed; write it out")
            return None
        if not node.quoted and _GUESSED.fullmatch(node.text):
            self.problem(node, f"the key {_shown(node.text)} is not read as text by YAML; quote it")
            return None
        if node.text in keys:
            told = f"the key {node.text!r} stands in line {keys[node.text].line} already"
            self.problem(node, told)
            return None
        keys[node.text] = node.mark
        return node.text

    def _mark(self, mark: Any) -> Mark:  # the C parser has a mark class of its own
        if mark is None:
            return Mark(1, 1, self.path)
        return Mark(mark.line + 1, mark.column + 1, self.path)

    # ── from nodes to values ─────────────────────────────────────────────────────────────────

    def mapping(
        self, node: Node, *, keys: Iterable[str] | None = None, required: Iterable[str] = ()
    ) -> Mapping | None:
        """Read keys with values; with `keys`, any other key is a problem."""
        if not isinstance(node, Mapping):
            self.problem(node, "expected keys with values here")
            return None
        if keys is not None:
            known = tuple(keys)
            for key, mark in node.keys.items():
                if key not in known:
                    self.problem(mark, f"unknown key {key!r}{nearest(key, known)}")
        for key in required:
            if key not in node.keys:
                self.problem(node, f"the key {key!r} is missing")
        return node

    def text(self, node: Node) -> str | None:
        """Read text; a plain value that YAML would read as something else must be quoted."""
        if not isinstance(node, Scalar):
            self.problem(node, "expected a text here")
            return None
        if not node.quoted and _GUESSED.fullmatch(node.text):
            told = f"{node.text!r} is not read as text by YAML; quote it"
            self.problem(node, told if node.text else "a text is missing here")
            return None
        return node.text

    def texts(self, node: Node) -> tuple[str, ...] | None:
        """Read a list of texts; one text alone is a list of one."""
        if isinstance(node, Scalar):
            one = self.text(node)
            return None if one is None else (one,)
        if isinstance(node, Mapping):
            self.problem(node, "expected a list of texts here")
            return None
        read = [self.text(item) for item in node.items]
        return None if None in read else tuple(text for text in read if text is not None)

    def integer(
        self, node: Node, *, at_least: int | None = None, at_most: int | None = None
    ) -> int | None:
        """Read a whole number in decimal."""
        text = self._plain(node, "a whole number")
        if text is None:
            return None
        if not _INTEGER.fullmatch(text) or _is_quoted(node):
            told = f"the text {text!r}" if _is_quoted(node) else repr(text)
            self.problem(node, f"expected a whole number here, not {told}")
            return None
        number = int(text)
        if at_least is not None and number < at_least:
            self.problem(node, f"must be at least {at_least}")
            return None
        if at_most is not None and number > at_most:
            self.problem(node, f"must be at most {at_most}")
            return None
        return number

    def boolean(self, node: Node) -> bool | None:
        """Read `true` or `false`; YAML's other spellings are problems."""
        text = self._plain(node, "true or false")
        if text in ("true", "false") and not _is_quoted(node):
            return text == "true"
        if text is not None:
            told = f"the text {text!r}" if _is_quoted(node) else repr(text)
            self.problem(node, f"expected true or false here, not {told}")
        return None

    def duration(self, node: Node) -> float | None:
        """Read seconds from a number with its unit: 500ms, 10s, 5m, 2h, 30d."""
        text = self._plain(node, "a duration such as 10s, 5m, 2h or 30d")
        if text is None:
            return None
        found = _DURATION.fullmatch(text)
        if found is None:
            self.problem(node, f"expected a duration such as 10s, 5m, 2h or 30d, not {text!r}")
            return None
        return int(found[1]) * _SECONDS[found[2]]

    def percent(self, node: Node) -> float | None:
        """Read a share from 0 to 1 out of a percentage: 84%."""
        text = self._plain(node, "a percentage such as 84%")
        if text is None:
            return None
        found = _PERCENT.fullmatch(text)
        if found is None or float(found[1]) > 100:
            self.problem(node, f"expected a percentage such as 84%, not {text!r}")
            return None
        return float(found[1]) / 100

    def date(self, node: Node) -> datetime.date | None:
        """Read a day written as 2026-12-31."""
        text = self._plain(node, "a date such as 2026-12-31")
        if text is None:
            return None
        try:
            if _DATE.fullmatch(text):
                return datetime.date.fromisoformat(text)
        except ValueError:
            pass
        self.problem(node, f"expected a date such as 2026-12-31, not {text!r}")
        return None

    def instant(self, node: Node) -> float | None:
        """Read Unix seconds from a day, a time and its zone: 2026-12-31T23:00Z."""
        text = self._plain(node, "a time such as 2026-12-31T23:00Z")
        if text is None:
            return None
        try:
            if _INSTANT.fullmatch(text):
                return datetime.datetime.fromisoformat(text).timestamp()
        except ValueError:
            pass
        self.problem(node, f"expected a time such as 2026-12-31T23:00Z, not {text!r}")
        return None

    def json(self, node: Node) -> Any:
        """Read a value as JSON has it: keys with values, lists, numbers, true, false, null, text."""
        if isinstance(node, Mapping):
            return {key: self.json(value) for key, value in node.items.items()}
        if isinstance(node, Sequence):
            return [self.json(item) for item in node.items]
        if node.quoted:
            return node.text
        if _INTEGER.fullmatch(node.text):
            return int(node.text)
        words = {"true": True, "false": False, "null": None}
        return words[node.text] if node.text in words else self.text(node)

    def choice(self, node: Node, options: Iterable[str]) -> str | None:
        """Read one word out of several."""
        known = tuple(options)
        text = self._plain(node, f"one of {', '.join(known)}")
        if text is None or text in known:
            return text
        self.problem(node, f"{text!r} is none of {', '.join(known)}{nearest(text, known)}")
        return None

    def _plain(self, node: Node, expected: str) -> str | None:
        if isinstance(node, Scalar):
            return node.text
        self.problem(node, f"expected {expected} here")
        return None


def _skip(events: Iterator[yaml.Event]) -> None:
    """Pass over the rest of a list or mapping that has begun."""
    depth = 1
    while depth:
        event = next(events)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _is_quoted(node: Node) -> bool:
    return isinstance(node, Scalar) and node.quoted


def _shown(text: str) -> str:
    return repr(text) if text else "nothing"
