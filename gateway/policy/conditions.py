"""The conditions under `if`: which fields there are, and by which operators they are looked at.

To add an operator or a field: a row. Several keys must hold together; of a list any entry does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.model import Write
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node
from gateway.parse import Sequence as SequenceNode
from gateway.policy.composites import Items, Later, Many
from gateway.policy.keys import Key, Keys, Less
from gateway.policy.kinds import Kind, Pattern, Text, Whole, Word
from gateway.soe.read import ARTICLE_LIMIT, TITLE_LIMIT
from gateway.text.words import words

Condition = Callable[[Write], bool]
"""Whether conditions hold of a write: `Looked` or `Group`."""
Test = Callable[[Any], bool]
"""Whether something holds of a field's value."""

PATTERNS = 100
"""Patterns of one condition at most: each is a pass over the text."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HEAD_LIMIT = 32_768
_LINK = re.compile(r"\bhttps?://", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*)?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)


# ── operators ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One way to look at a field.

    Attributes:
        kind: of what stands under it, for a field that has so much of everything at most.
        test: makes the test out of what was read.
        help: when it holds.
        case: what letter case means for it.
        example: a whole condition.
        count: gives the number that is looked at, where it is one.
    """

    kind: Callable[[int], Kind]
    test: Callable[[Any], Test]
    help: str
    case: str
    example: str
    count: Callable[[Any], int] | None = None


def _bounds(most: int) -> Keys:
    """Make the kind of a number between bounds; gives its test."""
    return Keys(
        {
            "at_least": Key(Whole(0, most), "this number or more"),
            "below": Key(Whole(1, most + 1), "less than this number"),
        },
        told="`at_least`, `below`",
        least=1,
        nothing="no bound stands here",
        bonds=(Less("at_least", "below", "no number is at least the one and below the other"),),
        make=Between,
    )


@dataclass(frozen=True, slots=True)
class Between:
    """Whether a number lies between bounds."""

    at_least: int = 0
    below: int | None = None

    def __call__(self, number: int) -> bool:
        """Test a number."""
        return self.at_least <= number and (self.below is None or number < self.below)

    def __str__(self) -> str:
        """The bounds in words."""
        told = [f"at least {self.at_least}"] if self.at_least else []
        return ", ".join([*told, *([] if self.below is None else [f"below {self.below}"])])


def _contains(parts: tuple[str, ...]) -> Test:
    folded = tuple(part.casefold() for part in parts)

    def holds(text: str) -> bool:
        within = text.casefold()
        return any(part in within for part in folded)

    return holds


def _matches(searches: tuple[Callable[[str], object], ...]) -> Test:
    return lambda text: any(search(text) for search in searches)


def _counted(count: Callable[[str], int]) -> Callable[[Test], Test]:
    return lambda within: lambda text: within(count(text))


def _number(count: Callable[[str], int], of: str, example: str) -> Operator:
    return Operator(
        kind=_bounds,
        test=_counted(count),
        help=f"the number of {of} is within the bounds `at_least` and `below`",
        case="does not matter",
        example=example,
        count=count,
    )


def _folded(tags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tag.casefold() for tag in tags)


def _tags(told: str, test: Callable[[frozenset[str], frozenset[str]], bool], key: str) -> Operator:
    return Operator(
        kind=lambda _: Many(Text("tags")),
        test=lambda wanted: lambda tags: test(_folded(tags), _folded(wanted)),
        help=told,
        case="does not matter",
        example=f"tags: {{{key}: [security, release]}}",
    )


TEXT_OPERATORS: Mapping[str, Operator] = {
    "contains": Operator(
        kind=lambda _: Many(Text("texts")),
        test=_contains,
        help="any of the texts stands in it, also within a word",
        case="does not matter",
        example="body: {contains: [please open a ticket, see the ticket desk]}",
    ),
    "matches": Operator(
        kind=lambda _: Many(Pattern(), most=PATTERNS),
        test=_matches,
        help="any of the patterns of RE2 is found in it; `^` and `$` are begin and end of the text",
        case="matters, unless the pattern begins with `(?i)`",
        example=r"body: {matches: '(?i)\bopen a ticket\b'}",
    ),
    "words": _number(
        lambda text: len(words(text)),
        "words that a reader sees, as the checks count them,",
        "body: {words: {at_least: 8}}",
    ),
    "length": _number(len, "characters", "title: {length: {below: 15}}"),
    "links": _number(
        lambda text: len(_LINK.findall(text)),
        "`http://` and `https://`",
        "body: {links: {at_least: 3}}",
    ),
    "html": _number(
        lambda text: len(_TAG.findall(text)), "HTML tags", "body: {html: {at_least: 1}}"
    ),
    "entities": _number(
        lambda text: len(_ENTITY.findall(text)),
        "HTML entities, as `&amp;` or `&#38;`,",
        "body: {entities: {at_least: 5}}",
    ),
}

TAG_OPERATORS: Mapping[str, Operator] = {
    "any_of": _tags("one of these tags is there", lambda has, wanted: bool(has & wanted), "any_of"),
    "all_of": _tags("all of these tags are there", lambda has, wanted: has >= wanted, "all_of"),
    "none_of": _tags(
        "none of these tags is there", lambda has, wanted: not has & wanted, "none_of"
    ),
}

DAY_OPERATORS: Mapping[str, Operator] = {
    "any_of": Operator(
        kind=lambda _: Many(Word(WEEKDAYS)),
        test=lambda days: lambda day: WEEKDAYS[day] in days,
        help="it is one of these days",
        case="lower case, as `mon`",
        example="weekday: {any_of: [sat, sun]}",
    ),
}


# ── fields ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing of a write that conditions look at.

    Attributes:
        get: takes it from the write.
        operators: by which it is looked at; empty for a number, which has bounds.
        most: characters that it has at most, or the largest number that it can be.
    """

    get: Callable[[Write], Any]
    help: str
    operators: Mapping[str, Operator]
    most: int = 0
    example: str = ""

    def keys(self, name: str) -> Keys:
        """Make the kind of what stands under it, by its name; gives its condition."""
        if not self.operators:
            bounds = _bounds(self.most)
            return replace(bounds, make=lambda **given: self._number(name, Between(**given)))
        rows = {
            name: Key(operator.kind(self.most), operator.help)
            for name, operator in self.operators.items()
        }
        return Keys(
            rows,
            told=", ".join(f"`{name}`" for name in rows),
            least=1,
            nothing="no operator stands here",
            make=lambda **values: self._condition(name, values),
        )

    def _condition(self, name: str, values: Mapping[str, Any]) -> Condition:
        operators = self.operators
        return Looked(
            name,
            self.get,
            tuple(
                Tested(key, value, operators[key].test(value), operators[key].count)
                for key, value in values.items()
            ),
        )

    def _number(self, name: str, between: Between) -> Condition:
        return Looked(name, self.get, (Tested("", between, between, int),))


@dataclass(frozen=True, slots=True)
class Tested:
    """One operator over a field: what stands under it, and the test that was made of it.

    `count` as of `Operator`.
    """

    operator: str
    wanted: Any
    holds: Test
    count: Callable[[Any], int] | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A condition on one field: all tests must hold."""

    field: str
    get: Callable[[Write], Any]
    tests: tuple[Tested, ...]

    def __call__(self, write: Write) -> bool:
        """Whether it holds of a write."""
        value = self.get(write)
        return all(test.holds(value) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions together: `all`, `any` or `not` (which has one)."""

    word: str
    parts: tuple[Condition, ...]

    def __call__(self, write: Write) -> bool:
        """Whether they hold of a write."""
        if self.word == "any":
            return any(part(write) for part in self.parts)
        return all(part(write) for part in self.parts) is (self.word == "all")


def _moment(write: Write) -> datetime:
    return datetime.fromtimestamp(write.at, UTC)


FIELDS: Mapping[str, Field] = {
    "title": Field(
        get=lambda write: write.post.title,
        help="the title, as it was sent",
        operators=TEXT_OPERATORS,
        most=TITLE_LIMIT,
    ),
    "body": Field(
        get=lambda write: write.post.body,
        help="the text, as it was sent; on edits with their comment",
        operators=TEXT_OPERATORS,
        most=ARTICLE_LIMIT,
    ),
    "user_agent": Field(
        get=lambda write: write.user_agent,
        help="the header `User-Agent`; empty without one",
        operators=TEXT_OPERATORS,
        most=_HEAD_LIMIT,
    ),
    "tags": Field(
        get=lambda write: write.post.tags,
        help="the tags that the write sends",
        operators=TAG_OPERATORS,
    ),
    "hour": Field(
        get=lambda write: _moment(write).hour,
        help="the hour of the day in UTC, 0 to 23",
        operators={},
        most=23,
        example="hour: {at_least: 6, below: 20}",
    ),
    "weekday": Field(
        get=lambda write: _moment(write).weekday(),
        help="the day of the week in UTC",
        operators=DAY_OPERATORS,
    ),
}


# ── the whole ────────────────────────────────────────────────────────────────────────────────


def _together(**parts: Any) -> Condition:
    made = [
        Group(key, value if isinstance(value, tuple) else (value,)) if key in GROUPS else value
        for key, value in parts.items()
    ]
    return made[0] if len(made) == 1 else Group("all", tuple(made))


def _again() -> Kind:
    return CONDITION


_AGAIN = Later(_again, "conditions")
GROUPS: Mapping[str, Key] = {
    "all": Key(Items(_AGAIN, "conditions"), "holds where all of these conditions do"),
    "any": Key(Items(_AGAIN, "conditions"), "holds where one of these conditions does"),
    "not": Key(_AGAIN, "holds where these conditions do not"),
}
CONDITION: Keys = Keys(
    {**{name: Key(field.keys(name), field.help) for name, field in FIELDS.items()}, **GROUPS},
    name="condition",
    told="[conditions](conditions.md)",
    least=1,
    nothing="no condition stands here",
    make=_together,
)
"""Several keys must hold together."""


def fields_in(node: Node) -> Iterator[tuple[str, Mark]]:
    """Give each field that conditions look at, with its place."""
    if isinstance(node, SequenceNode):
        for each in node.items:
            yield from fields_in(each)
    elif isinstance(node, MappingNode):
        for key, mark in node.keys.items():
            if key in FIELDS:
                yield key, mark
            elif key in GROUPS and key in node.items:
                yield from fields_in(node.items[key])
