"""Keys with their values: the language of policy files is rows of `Key`, and nothing else.

`language`, `conditions` and `parameters` hold the rows; what the loader takes, the JSON Schema for
editors and the reference pages come from them alone. Whatever must hold between keys is a `Bond`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Scalar
from gateway.policy.kinds import Defs, Kind, Schema
from gateway.policy.reader import PolicyReader

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what stands under it, what it means, and what holds where it is left out."""

    kind: Kind
    help: str
    required: bool = False
    default: str = ""


class Bond(Protocol):
    """What must hold between keys of one mapping."""

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """Note where it does not hold."""

    def schema(self) -> Schema:
        """Say the same in JSON Schema."""


@dataclass(frozen=True, slots=True)
class OnlyWith:
    """A key that counts only where another has a value."""

    key: str
    other: str
    value: str

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`; what is wrong with the other is told there."""
        if self.key in mapping.keys and not self._is(mapping.items.get(self.other)):
            told = f"{self.key!r} counts with '{self.other}: {self.value}' alone"
            reader.problem(mapping.keys[self.key], told)

    def _is(self, node: Node | None) -> bool:
        return isinstance(node, Scalar) and node.text == self.value

    def schema(self) -> Schema:
        """As `Bond.schema`."""
        wanted = {"properties": {self.other: {"const": self.value}}, "required": [self.other]}
        return {"if": {"required": [self.key]}, "then": wanted}


@dataclass(frozen=True, slots=True)
class NotWith:
    """A key that cannot stand where others do, or where one has a value; `why` says so."""

    key: str
    other: str
    why: str
    value: str = ""

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`."""
        if self.key not in mapping.keys or self.other not in mapping.keys:
            return
        node = mapping.items.get(self.other)
        if not self.value or (isinstance(node, Scalar) and node.text == self.value):
            reader.problem(mapping.keys[self.key], self.why)

    def schema(self) -> Schema:
        """As `Bond.schema`."""
        both: Schema = {"required": [self.key, self.other]}
        if self.value:
            both["properties"] = {self.other: {"const": self.value}}
        return {"not": both}


@dataclass(frozen=True, slots=True)
class Less:
    """A number that is less than another, where both stand there; else `why`."""

    low: str
    high: str
    why: str

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`; what is no number is told there."""
        nodes = [mapping.items.get(key) for key in (self.low, self.high)]
        low, high = (
            int(node.text) if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text) else None
            for node in nodes
        )
        if low is not None and high is not None and low >= high:
            reader.problem(mapping, self.why)

    def schema(self) -> Schema:
        """As `Bond.schema`: beyond it."""
        return {}


@dataclass(frozen=True, slots=True)
class Some:
    """One of several keys at least."""

    keys: tuple[str, ...]
    why: str

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`."""
        if mapping.keys.keys().isdisjoint(self.keys):
            reader.problem(mapping, self.why)

    def schema(self) -> Schema:
        """As `Bond.schema`."""
        return {"anyOf": [{"required": [key]} for key in self.keys]}


@dataclass(frozen=True, slots=True)
class One:
    """One of several keys at most; `why` has a place for those that stand there."""

    keys: tuple[str, ...]
    why: str

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`."""
        named = [key for key in mapping.keys if key in self.keys]
        if len(named) > 1:
            reader.problem(mapping.keys[named[1]], self.why.format(" and ".join(named)))

    def schema(self) -> Schema:
        """As `Bond.schema`."""
        some = [{"required": [key]} for key in self.keys]
        return {"oneOf": [*some, {"not": {"anyOf": some}}]}


@dataclass(frozen=True, slots=True)
class Beside:
    """A key that counts only beside one of others."""

    key: str
    others: tuple[str, ...]
    why: str

    def check(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """As `Bond.check`."""
        if self.key in mapping.keys and mapping.keys.keys().isdisjoint(self.others):
            reader.problem(mapping.keys[self.key], self.why)

    def schema(self) -> Schema:
        """As `Bond.schema`."""
        some = {"anyOf": [{"required": [other]} for other in self.others]}
        return {"if": {"required": [self.key]}, "then": some}


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys with their values; gives what `make` makes of what was read.

    Attributes:
        name: under which it stands in the schema; empty where it stands in one place alone.
        least: keys that must be there, whichever; `nothing` is told where they are not.
        make: takes the values by key; without it they are given as they are, None for each that
            could not be read. With it, all of them are there and could be read.
        refused: keys that somebody might expect, and why there are none.
    """

    rows: Mapping[str, Key]
    name: str = ""
    told: str = "keys with values"
    least: int = 0
    nothing: str = "nothing stands here"
    bonds: Sequence[Bond] = ()
    make: Callable[..., Any] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """As `Kind.read`."""
        required = [name for name, key in self.rows.items() if key.required]
        before = len(reader.problems)
        mapping = reader.mapping(node, keys=(*self.rows, *self.refused), required=required)
        if mapping is None:
            return None
        for key in self.refused.keys() & mapping.keys.keys():
            reader.problem(mapping.keys[key], f"{key} {self.refused[key]}")
        if len(mapping.keys) < self.least:
            reader.problem(node, self.nothing)
        for bond in self.bonds:
            bond.check(reader, mapping)
        read = {
            key: self.rows[key].kind.read(reader, each)
            for key, each in mapping.items.items()
            if key in self.rows
        }
        if self.make is None:
            return read
        if len(reader.problems) > before or None in read.values():
            return None
        return self.make(**read)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        if not self.name:
            return self._body(defs)
        if self.name not in defs:
            defs[self.name] = {}  # so that what holds itself ends
            defs[self.name] = self._body(defs)
        return {"$ref": f"#/$defs/{self.name}"}

    def _body(self, defs: Defs) -> Schema:
        body: Schema = {
            "type": "object",
            "properties": {
                name: {"description": _plain(key), **key.kind.schema(defs)}
                for name, key in self.rows.items()
            },
            "additionalProperties": False,
        }
        required = [name for name, key in self.rows.items() if key.required]
        body |= {"required": required} if required else {}
        body |= {"minProperties": self.least} if self.least else {}
        bonds = [schema for bond in self.bonds if (schema := bond.schema())]
        body |= {"allOf": bonds} if bonds else {}
        return body

    def partial(self, name: str) -> Keys:
        """Give the same keys where none must be there, for what is laid over another mapping."""
        return replace(
            self,
            name=f"{name}_{self.name}" if self.name else "",
            least=0,
            bonds=(),
            rows={
                key: replace(
                    row,
                    required=False,
                    kind=row.kind.partial(name) if isinstance(row.kind, Keys) else row.kind,
                )
                for key, row in self.rows.items()
            },
        )


def _plain(key: Key) -> str:
    """The meaning of a key as editors show it, who read no Markdown in a schema."""
    default = f" Default: {key.default}." if key.default else ""
    meaning = _LINK.sub(r"\1", key.help).replace("`", "")
    return f"{meaning[:1].upper()}{meaning[1:]}.{default}"
