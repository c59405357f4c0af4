"""Kinds made of other kinds: lists, things under names, one kind or another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Scalar
from gateway.parse import Sequence as SequenceNode
from gateway.policy.kinds import Defs, Kind, Schema, Text
from gateway.policy.reader import PolicyReader

_ANY = Text(may_be_empty=True)


@dataclass(frozen=True, slots=True)
class Many:
    """A list of one kind; one value alone is a list of one. Gives a tuple.

    `in_file` tells whether it may lie in a file; reading takes it from there in any case.
    """

    item: Kind
    least: int = 1
    most: int = 0
    in_file: bool = True

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        return f"a list: {self.item.told}"

    def read(self, reader: PolicyReader, node: Node) -> tuple[Any, ...] | None:
        """As `Kind.read`."""
        entries = reader.entries(node)
        if entries is None:
            return None
        if len(entries) < self.least:
            reader.problem(node, "the list is empty; leave it out, or fill it")
            return None
        if self.most and len(entries) > self.most:
            reader.problem(entries[self.most], f"at most {self.most} may stand here")
            return None
        read = [self.item.read(reader, entry) for entry in entries]
        return None if None in read else tuple(read)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        item = self.item.schema(defs)
        listed: Schema = {"type": "array", "items": item}
        listed |= {"minItems": self.least} if self.least else {}
        listed |= {"maxItems": self.most} if self.most else {}
        if not self.in_file:
            return {"anyOf": [item, listed]}
        defs.setdefault(
            "file",
            {
                "description": "A list in a file: one entry a line, # begins a comment.",
                "type": "object",
                "properties": {
                    "file": {
                        "description": "Its name: beside this file, or below its directory.",
                        "type": "string",
                        "minLength": 1,
                    }
                },
                "required": ["file"],
                "additionalProperties": False,
            },
        )
        return {"anyOf": [item, listed, {"$ref": "#/$defs/file"}]}


@dataclass(frozen=True, slots=True)
class Items:
    """A list of what is more than a text; gives a tuple, None for what could not be read."""

    item: Kind
    what: str
    least: int = 1

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        return f"a list of {self.what}"

    def read(self, reader: PolicyReader, node: Node) -> tuple[Any, ...] | None:
        """As `Kind.read`."""
        if not isinstance(node, SequenceNode) or len(node.items) < self.least:
            reader.problem(node, f"expected a list of {self.what} here")
            return None
        return tuple(self.item.read(reader, each) for each in node.items)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        listed: Schema = {"type": "array", "items": self.item.schema(defs)}
        return listed | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True, slots=True)
class Named:
    """Things under names of one's own; gives them by name, None for what could not be read."""

    item: Kind
    what: str
    names: Text = _ANY

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        return f"names, each with {self.what}"

    def read(self, reader: PolicyReader, node: Node) -> dict[str, Any] | None:
        """As `Kind.read`."""
        mapping = reader.mapping(node)
        if mapping is None:
            return None
        self.check_names(reader, mapping)
        return {name: self.item.read(reader, each) for name, each in mapping.items.items()}

    def check_names(self, reader: PolicyReader, mapping: MappingNode) -> None:
        """Note the names that are none."""
        for name, mark in mapping.keys.items():
            if self.names.pattern and not re.fullmatch(self.names.pattern, name):
                reader.problem(mark, f"{name!r} cannot name {self.names.told}")

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        names = {"propertyNames": self.names.schema(defs)} if self.names.pattern else {}
        return {"type": "object", **names, "additionalProperties": self.item.schema(defs)}


@dataclass(frozen=True, slots=True)
class Either:
    """A single value of one kind, or what stands under keys."""

    single: Kind
    under: Kind

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        return f"{self.single.told}, or {self.under.told}"

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """As `Kind.read`."""
        return (self.single if isinstance(node, Scalar) else self.under).read(reader, node)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"anyOf": [self.single.schema(defs), self.under.schema(defs)]}


@dataclass(frozen=True, slots=True)
class Later:
    """A kind that holds itself."""

    kind: Callable[[], Kind]
    told: str

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """As `Kind.read`."""
        return self.kind().read(reader, node)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return self.kind().schema(defs)


@dataclass(frozen=True, slots=True)
class Unread:
    """What another part reads that knows more of it: here stands what an editor may know.

    Attributes:
        like: says so by another kind; else `alike` is its schema.
    """

    told: str
    like: Kind | None = None
    alike: Mapping[str, Any] = field(default_factory=dict)

    def read(self, reader: PolicyReader, node: Node) -> tuple[()]:
        """As `Kind.read`: nothing is looked at."""
        return ()

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return self.like.schema(defs) if self.like else dict(self.alike)
