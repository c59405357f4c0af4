"""What editors and readers get of the language: JSON Schema 2020-12, and the reference pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.policy.conditions import FIELDS, GROUPS, Operator
from gateway.policy.keys import Key, Keys
from gateway.policy.kinds import Defs, Kind, Schema
from gateway.policy.language import (
    EXCEPTION,
    EXPECT,
    GIVEN,
    INTEGRATION,
    OVERRIDES,
    POLICY,
    REGISTRY,
    RULE,
    STEP_KEYS,
    TEST,
    TESTS,
)
from gateway.policy.parameters import PARAMETERS

_FILES: Mapping[str, tuple[Kind, str]] = {
    "policy": (POLICY, "A policy file of the Stack Overflow Enterprise write gateway"),
    "integrations": (REGISTRY, "integrations.yaml of the Stack Overflow Enterprise write gateway"),
    "tests": (TESTS, "A *.test.yaml of the Stack Overflow Enterprise write gateway"),
    "overrides": (OVERRIDES, "overrides.yaml of the Stack Overflow Enterprise write gateway"),
}
NAMES = tuple(_FILES)
"""The files of a policy set that have a schema."""


def schema(name: str) -> Schema:
    """Give the schema of a file of a policy set, one of `NAMES`."""
    kind, title = _FILES[name]
    defs: Defs = {}
    body = kind.schema(defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **body,
        "$defs": dict(sorted(defs.items())),
    }


# ── reference pages ──────────────────────────────────────────────────────────────────────────


def keys_reference() -> str:
    """Give every key of every file of a policy set, in Markdown."""
    parts = [
        ("A policy file", "", POLICY.rows),
        ("A rule", "Under `rules`, by its name. Keys must hold together, of a list any entry does.", RULE.rows),
        ("An exception", "Under `exceptions`.", EXCEPTION.rows),
        ("A test", "Under `tests`, by what it shows; also in files named `*.test.yaml`, which hold tests alone.", TEST.rows),
        ("What is given", "Under `given`; all but `at` in a step as well, which goes before it.", GIVEN.rows),
        (
            "A step",
            "One [operation](operations.md) with the post that it means (a number, `new` for none, or `new-2` for what step 2 wrote), what is given but `at`, and:",
            {name: key for name, key in STEP_KEYS.items() if name not in GIVEN.rows},
        ),
        ("What is expected", "Under `expect`, in place of `pass` or `replayed`. A list names all rules, or none.", EXPECT.rows),
        (
            "`overrides.yaml`",
            "The names of shipped rules, each with the keys that differ, which are those of a rule; a check's parameters are laid over likewise.",
            {},
        ),
        ("`integrations.yaml`", "", REGISTRY.rows),
        ("An integration", "Under `integrations`, by its name.", INTEGRATION.rows),
    ]  # fmt: skip
    lists = (
        "Where a list is asked for, one value alone is a list of one, and `{file: words.txt}` names "
        "a file beside the policy, or below its directory: one entry a line, `#` begins a comment."
    )
    return "\n\n".join([lists, *(_part(title, intro, rows) for title, intro, rows in parts)])


def checks_reference() -> str:
    """Give the parameters of every check, in Markdown."""
    return "\n\n".join(_part(f"`{name}`", "", keys.rows) for name, keys in PARAMETERS.items())


def conditions_reference() -> str:
    """Give every field and operator of conditions, in Markdown."""
    fields = "\n".join(
        f"| `{name}` | {field.help} | "
        f"{', '.join(f'`{each}`' for each in field.operators) or '`at_least`, `below`'} |"
        for name, field in FIELDS.items()
    )
    groups = "\n".join(f"| `{name}` | {key.help} |" for name, key in GROUPS.items())
    return "\n\n".join(
        [
            "Under `if`. Several keys must hold together; of a list any entry does.",
            f"| field | what it is | operators |\n|---|---|---|\n{fields}",
            f"| group | meaning |\n|---|---|\n{groups}",
            "## Operators",
            _operators(),
        ]
    )


def examples() -> tuple[str, ...]:
    """Give the example of every operator, as it stands under `if`."""
    hours = [field.example for field in FIELDS.values() if field.example]
    return (*(operator.example for _, _, operator in _all_operators()), *hours)


def _all_operators() -> Iterable[tuple[str, str, Operator]]:
    """Give each operator once, with the fields that have it."""
    seen: dict[str, tuple[str, list[str], Operator]] = {}
    for field, each in FIELDS.items():
        for name, operator in each.operators.items():
            _, fields, _ = seen.setdefault(operator.example, (name, [], operator))
            fields.append(f"`{field}`")
    return ((name, ", ".join(fields), operator) for name, fields, operator in seen.values())


def _operators() -> str:
    rows = [
        f"| `{name}` | {fields} | {operator.help} | {operator.case} | `{_cell(operator.example)}` |"
        for name, fields, operator in _all_operators()
    ]
    rows += [
        f"| `at_least`, `below` | `{name}` | {field.help}, is within the bounds | – | "
        f"`{field.example}` |"
        for name, field in FIELDS.items()
        if not field.operators
    ]
    heads = "| operator | of | holds where | letter case | example |\n|---|---|---|---|---|"
    return "\n".join([heads, *rows])


def _part(title: str, intro: str, rows: Mapping[str, Key]) -> str:
    table = "\n".join(
        f"| `{name}` | {_cell(_told(key.kind))} | {_standing(key)} | {key.help} |"
        for name, key in rows.items()
    )
    heads = "| key | value | default | meaning |\n|---|---|---|---|"
    parts = (f"## {title}", intro, f"{heads}\n{table}" if rows else "")
    return "\n\n".join(filter(None, parts))


def _told(kind: Kind) -> str:
    return "its parameters" if isinstance(kind, Keys) and kind.name in PARAMETERS else kind.told


def _standing(key: Key) -> str:
    return "required" if key.required else key.default or "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
