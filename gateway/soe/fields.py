"""What the writes of an operation can have, told from the endpoint tables."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import Api
from gateway.soe.api import ENDPOINTS, BodyKind, Endpoint
from gateway.soe.read import POSTS, THREADS

FIELDS = ("title", "body", "tags", "thread", "team")


def _has(endpoint: Endpoint) -> Mapping[str, bool]:
    text = endpoint.text
    return {
        "title": bool(text.title),
        "body": bool(text.body),
        "tags": bool(text.tags),
        "thread": any(f"{{{noun}}}" in endpoint.template for noun in (*THREADS, *POSTS)),
        "team": "{team}" in endpoint.template
        or (endpoint.api is Api.V2 and endpoint.body is BodyKind.FORM),
    }


WITH: Mapping[str, frozenset[str]] = {
    field: frozenset(each.operation for each in ENDPOINTS if each.write and _has(each)[field])
    for field in FIELDS
}
"""The operations that can have a field, by its name."""
