"""Lines of the audit log held against its published schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from gateway.audit.schema.published import schema
from tests.shared import ROOT

PUBLISHED: dict[str, Any] = json.loads((ROOT / "docs" / "audit.schema.json").read_text())
SHAPES: Mapping[str, dict[str, Any]] = schema()["$defs"]
_VALIDATORS = {name: jsonschema_rs.validator_for(shape) for name, shape in SHAPES.items()}


def shape_of(record: Mapping[str, Any]) -> str:
    """The shape that a record must have."""
    if record["kind"] == "admin":
        return str(record["event"])
    return f"{record['kind']}-{record['schema']}"


def objections(record: Mapping[str, Any]) -> list[str]:
    """What the schema has against a record."""
    name = shape_of(record)
    if name not in _VALIDATORS:
        return [f"there is no {name}"]
    return [f"{name}: {error}" for error in _VALIDATORS[name].iter_errors(record)]


def fields(shape: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all fields that a shape has."""
    for name, each in shape.get("properties", {}).items():
        yield f"{path}{name}"
        for below in (each, *each.get("anyOf", ()), each.get("items", {})):
            yield from fields(below, f"{path}{name}.")


def present(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields that a record has."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield f"{path}{name}"
            yield from present(each, f"{path}{name}.")
    elif isinstance(value, list):
        for each in value:
            yield from present(each, path)


def missing(shape: str, records: Iterable[Mapping[str, Any]]) -> set[str]:
    """The fields of a shape that none of some records has."""
    seen = {path for each in records if shape_of(each) == shape for path in present(each)}
    return set(fields(SHAPES[shape])) - seen
