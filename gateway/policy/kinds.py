"""What a value in a policy file may be: each kind reads it, says so in JSON Schema, and in words.

To add a kind: a class with the methods of `Kind`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

import re2

from gateway.model import Post
from gateway.parse import Node, nearest
from gateway.policy.reader import PolicyReader
from gateway.policy.sources import Held
from gateway.soe.api import OPERATIONS
from gateway.text.fingerprint import fingerprint
from gateway.text.similarity import FEW_WORDS

Schema = dict[str, Any]
Defs = dict[str, Schema]
"""The parts of a schema that have a name, so that each stands there once."""


class Kind(Protocol):
    """A kind of value; `told` says in a few words what is written."""

    @property
    def told(self) -> str: ...  # noqa: D102

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """Read the value; None after a problem was noted."""

    def schema(self, defs: Defs) -> Schema:
        """Give its JSON Schema; parts with a name go into `defs`."""


# ── single values ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Text:
    """A text; with `pattern` (Python's and ECMA's alike) one that is `told` so."""

    told: str = "text"
    pattern: str = ""
    may_be_empty: bool = False

    def read(self, reader: PolicyReader, node: Node) -> str | None:
        """As `Kind.read`; what was written is not repeated, it may be a secret."""
        text = reader.text(node)
        if text is None:
            return None
        if not text and not (self.may_be_empty or self.pattern):
            reader.problem(node, "nothing stands here")
            return None
        if self.pattern and not re.fullmatch(self.pattern, text):
            reader.problem(node, f"expected {self.told}".replace("`", ""))
            return None
        return text

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        if self.pattern:
            return {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"type": "string"} | ({} if self.may_be_empty else {"minLength": 1})


@dataclass(frozen=True, slots=True)
class Word:
    """One word out of several."""

    words: tuple[str, ...]

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        return ", ".join(f"`{word}`" for word in self.words)

    def read(self, reader: PolicyReader, node: Node) -> str | None:
        """As `Kind.read`."""
        return reader.choice(node, self.words)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two, both allowed; `but` not these."""

    least: int
    most: int
    but: Mapping[int, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """As `Kind.told`."""
        others = f", not {', '.join(map(str, self.but))}" if self.but else ""
        return f"{self.least} to {self.most}{others}"

    def read(self, reader: PolicyReader, node: Node) -> int | None:
        """As `Kind.read`."""
        number = reader.integer(node, at_least=self.least, at_most=self.most)
        if number is not None and number in self.but:
            reader.problem(node, self.but[number])
            return None
        return number

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        bounds: Schema = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return bounds | ({"not": {"enum": list(self.but)}} if self.but else {})


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    told: str = "`true`, `false`"

    def read(self, reader: PolicyReader, node: Node) -> bool | None:
        """As `Kind.read`."""
        return reader.boolean(node)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Percent:
    """A share; `nothing` says why it cannot be 0."""

    nothing: str
    told: str = "a percentage, as `84%`"

    def read(self, reader: PolicyReader, node: Node) -> float | None:
        """As `Kind.read`."""
        share = reader.percent(node)
        if share == 0:
            reader.problem(node, self.nothing)
            return None
        return share

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        share = r"100(\.0{1,3})?|0?[0-9]{1,2}(\.[0-9]{1,3})?"
        return {"type": "string", "pattern": rf"^(?!0+(\.0+)?%)({share})%$"}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time that is longer than nothing; with `kept` state must remember for so long."""

    kept: bool = True
    may_be_nothing: bool = False
    told: str = "a duration, as `90s`, `15m`, `2h` or `30d`"

    def read(self, reader: PolicyReader, node: Node) -> float | None:
        """As `Kind.read`."""
        seconds = reader.duration(node)
        if seconds == 0 and not self.may_be_nothing:
            reader.problem(node, "must be longer than nothing")
            return None
        if seconds is not None and self.kept and seconds > reader.kept:
            kept = written(reader.kept)
            reader.problem(node, f"longer than state is kept: at most {kept} (state.keep)")
            return None
        return seconds

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        nothing = "" if self.may_be_nothing else "(?!0+[a-z])"
        return {"type": "string", "pattern": f"^{nothing}[0-9]{{1,9}}(ms|s|m|h|d)$"}


@dataclass(frozen=True, slots=True)
class Day:
    """A day."""

    told: str = "a day, as `2026-12-31`"

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """As `Kind.read`."""
        return reader.date(node)

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "format": "date"}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, or a glob that names some; gives it as it is written."""

    told: str = "operations, globs allowed"

    def read(self, reader: PolicyReader, node: Node) -> str | None:
        """As `Kind.read`."""
        glob = reader.text(node)
        if glob is not None and not operations((glob,)):
            told = f"no operation is called {glob!r}{nearest(glob, sorted(OPERATIONS))}"
            reader.problem(node, told)
            return None
        return glob

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`: the names for who completes them, and anything with a wildcard."""
        globs = {"type": "string", "pattern": r"[*?\[]"}
        defs["operation"] = {"anyOf": [{"enum": sorted(OPERATIONS)}, globs]}
        return {"$ref": "#/$defs/operation"}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a file, which is named here; gives the file and what it holds.

    What it holds is read where it is used alone, and stands in no text of the policies.
    """

    told: str = "`{file: …}`, a file that holds a token and nothing else"

    def read(self, reader: PolicyReader, node: Node) -> Held | None:
        """As `Kind.read`."""
        named = reader.mapping(node, keys=("file",), required=("file",))
        name = reader.text(named.items["file"]) if named and "file" in named.items else None
        if named is not None and name == "":
            reader.problem(named.items["file"], "nothing stands here")
        return reader.held(named.items["file"], name) if named and name else None

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        file = {"description": "Its name: absolute, or from this file's directory.", "type": "string", "minLength": 1}  # fmt: skip
        return {
            "type": "object",
            "properties": {"file": file},
            "required": ["file"],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of RE2, which is linear in the text, whatever an admin writes; gives its search."""

    told: str = "patterns of RE2"

    def read(self, reader: PolicyReader, node: Node) -> Any:
        """As `Kind.read`."""
        text = reader.text(node)
        if text is None:
            return None
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(text, options).search
        except re2.error as error:
            reason = str(error).removeprefix("b'").removesuffix("'")
            reader.problem(node, f"not a pattern of RE2: {reason}")
            return None

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Template:
    """A registered text, long enough to be told from others."""

    told: str = f"texts of {FEW_WORDS} words or more"

    def read(self, reader: PolicyReader, node: Node) -> str | None:
        """As `Kind.read`."""
        text = reader.text(node)
        if text is not None and fingerprint(Post(body=text)).words < FEW_WORDS:
            told = f"a registered text needs {FEW_WORDS} words, or it could be anybody's"
            reader.problem(node, told)
            return None
        return text

    def schema(self, defs: Defs) -> Schema:
        """As `Kind.schema`."""
        return {"type": "string", "minLength": 1}


def operations(globs: tuple[str, ...]) -> frozenset[str]:
    """Give the operations that globs name."""
    return frozenset(each for each in OPERATIONS if any(fnmatchcase(each, one) for one in globs))


def written(seconds: float) -> str:
    """Write a duration as it is read, in the largest unit that it fills."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
