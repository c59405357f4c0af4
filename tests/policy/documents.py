"""Policy files as an editor's schema sees them: what YAML 1.2 makes of their nodes."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs

from gateway.parse import Mapping, Node, Reader, Scalar
from gateway.policy.schema import schema

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = ("", "~", "null", "Null", "NULL")


def instance(text: str) -> Any:
    """Give the document, as JSON; None where it cannot be read as one."""
    reader = Reader("f.yaml")
    root = reader.compose(text)
    return None if root is None or reader.problems else _value(root)


def _value(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {key: _value(each) for key, each in node.items.items()}
    if not isinstance(node, Scalar):
        return [_value(each) for each in node.items]
    if node.quoted:
        return node.text
    if node.text in _NOTHING:
        return None
    if node.text in _WORDS:
        return _WORDS[node.text]
    if _INTEGER.fullmatch(node.text):
        return int(node.text[:400])
    return float(node.text) if _FLOAT.fullmatch(node.text) else node.text


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema(name))


def takes(name: str, document: Any) -> bool:
    """Whether the schema of a file finds nothing wrong."""
    return bool(_validator(name).is_valid(document))


def objections(name: str, document: Any) -> list[str]:
    """What the schema of a file says against a document."""
    errors = _validator(name).iter_errors(document)
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message[:200]}" for each in errors]


def written(document: Any) -> str:
    """Write a document so that YAML reads it as it is."""
    return json.dumps(document, ensure_ascii=False)
