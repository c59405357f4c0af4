"""What is published of the fields: the JSON Schema for programs, and the reference page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.audit.record import SCHEMA
from gateway.audit.schema.events import EVENTS, Event
from gateway.audit.schema.fields import MEANINGS, Field, Table
from gateway.audit.schema.records import CHAIN, HEAD, KINDS

# ── the JSON Schema ──────────────────────────────────────────────────────────────────────────


def schema() -> dict[str, Any]:
    """Give the JSON Schema of a line: one shape for each kind and version, one for each event."""
    shapes = {
        f"{kind}-{version}": _shape({"kind": kind, "schema": version}, fields, version)
        for version in range(1, SCHEMA + 1)
        for kind, (_, fields) in KINDS.items()
    }
    shapes |= {name: _shape({"kind": "admin", "event": name}, each.facts, SCHEMA) for name, each in EVENTS.items()}  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the audit log of soe-write-gateway",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in shapes],
        "$defs": shapes,
    }


def _shape(is_: Mapping[str, Any], fields: Mapping[str, Field], version: int) -> dict[str, Any]:
    made = _object({**HEAD, **fields, **CHAIN}, version)
    constants = {name: {"const": value} for name, value in is_.items()}
    required = {*made["required"], *is_}
    return made | {"properties": made["properties"] | constants, "required": sorted(required)}


def _object(fields: Mapping[str, Field], version: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _typed(field, version) for name, field in fields.items()},
        "required": sorted(n for n, f in fields.items() if not f.absent and f.since <= version),
        "additionalProperties": False,
    }


def _typed(field: Field, version: int) -> dict[str, Any]:
    if isinstance(field.type, list):
        made: dict[str, Any] = {"type": "array", "items": _object(field.type[0].fields, version)}
    elif isinstance(field.type, Table):
        made = _object(field.type.fields, version)
    else:
        made = dict(field.type)
    if field.nullable:
        made = {"anyOf": [made, {"type": "null"}]}
    return made | {"description": field.meaning}


# ── the reference page ───────────────────────────────────────────────────────────────────────


def audit_reference() -> str:
    """Give the page of all fields, in Markdown."""
    parts = [
        _INTRODUCTION,
        "## Who could be identified\n",
        "| class | what it means |\n|---|---|",
        *(f"| {privacy.value} | {meaning} |" for privacy, meaning in MEANINGS.items()),
        _section("Every line", "How each begins, and what the chain puts at its end.", {**HEAD, **CHAIN}),
        *(_section(f"`{kind}`", *told) for kind, told in KINDS.items()),
        "\n## `admin`\n\nWhat was done to the gateway: `event` names it, and its facts stand beside it.\n",
        "| event | tells | facts |\n|---|---|---|",
        *(_event(name, event) for name, event in EVENTS.items()),
    ]  # fmt: skip
    return "\n".join(parts)


_INTRODUCTION = f"""\
Each line of the audit log is one JSON object, of schema {SCHEMA}; lines of earlier schemas stay readable, and lack what says
"since". [`audit.schema.json`](../audit.schema.json) says the same for programs, and allows no other fields. No token, key,
code, cookie or client secret stands in any of them. What the log proves, and how it is kept, is told under
[operations](../operations.md#what-the-audit-log-holds).
"""


def _section(title: str, told: str, fields: Mapping[str, Field]) -> str:
    heads = "| field | type | meaning | not there | could identify |\n|---|---|---|---|---|"
    return f"\n## {title}\n\n{told}\n\n{heads}\n" + "\n".join(_rows(fields))


def _rows(fields: Mapping[str, Field], path: str = "") -> list[str]:
    rows = []
    for name, field in fields.items():
        since = f"before schema {field.since}" if field.since > 1 else ""
        away = ", or ".join(filter(None, (f"where {field.absent}" if field.absent else "", since)))
        rows.append(
            f"| `{path}{name}` | {_type(field)} | {field.meaning} | {away or '–'} | {field.privacy} |"
        )
        below = field.type[0] if isinstance(field.type, list) else field.type
        if isinstance(below, Table):
            dots = "[]." if isinstance(field.type, list) else "."
            rows += _rows(below.fields, f"{path}{name}{dots}")
    return rows


def _type(field: Field) -> str:
    if isinstance(field.type, list):
        word = "array"
    elif isinstance(field.type, Table):
        word = "object"
    else:
        word = field.type.get("type", "true")
    return f"{word}, null" if field.nullable else word


def _event(name: str, event: Event) -> str:
    facts = "; ".join(
        f"`{fact}`: {field.meaning}{f' (not where {field.absent})' if field.absent else ''}"
        for fact, field in event.facts.items()
    )
    return f"| `{name}` | {event.meaning} | {facts} |"
