"""What is said of a field: its type, what it means, when it is not there, whom it identifies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Privacy(StrEnum):
    """Who could be identified by a field."""

    NOBODY = "nobody"
    PSEUDONYM = "pseudonym"
    KEYED = "keyed"
    DIGEST = "digest"
    CALLER = "caller"
    PUBLIC = "public"
    TEXT = "text"


MEANINGS: Mapping[Privacy, str] = {
    Privacy.NOBODY: "tells nothing of a person",
    Privacy.PSEUDONYM: "stands for a person as `audit.people` says: under `pseudonym`, whoever has the people file and `audit.key` can tell who, until `audit forget`; under `name`, everybody can; under `none` it is empty",
    Privacy.KEYED: "a digest under `audit.key`: whoever has the key and the thing itself (a token, a request) can tell that it is this one; equal ones are equal",
    Privacy.DIGEST: "a digest or hashes without a key: whoever has the thing itself (a token, a text) can tell that it is this one",
    Privacy.CALLER: "what a caller says of itself: meant for the name of a program, and it could hold that of a person",
    Privacy.PUBLIC: "leads to what stands on the site, which shows who wrote it to those who may see it there",
    Privacy.TEXT: "words of people: they may name anybody",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a record.

    Attributes:
        type: as JSON Schema; an object with fields of its own, or a list of such, as a `Table` or a
            list of one.
        nullable: whether it may be null; `meaning` says when.
        absent: when the field is not there; empty where it always is.
        since: the first version of the schema of which every record has it.
    """

    type: Mapping[str, Any] | Table | list[Table]
    meaning: str
    privacy: Privacy = Privacy.NOBODY
    nullable: bool = False
    absent: str = ""
    since: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of an object, by their names."""

    fields: Mapping[str, Field]


TEXT: Mapping[str, Any] = {"type": "string"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
INSTANT: Mapping[str, Any] = {"type": "number", "minimum": 0}
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
BASE64: Mapping[str, Any] = {"type": "string", "contentEncoding": "base64"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}


def one_of(words: type[StrEnum]) -> Mapping[str, Any]:
    """Give the type of a text that is one of these."""
    return {"type": "string", "enum": [word.value for word in words]}


def hexadecimal(digits: int) -> Mapping[str, Any]:
    """Give the type of a text of so many hexadecimal digits."""
    return {"type": "string", "pattern": f"^[0-9a-f]{{{digits}}}$"}
