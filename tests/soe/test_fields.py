"""What operations can have is what is read of them."""

from __future__ import annotations

import pytest

from gateway.soe.api import ENDPOINTS, Endpoint, Route
from gateway.soe.fields import FIELDS, WITH
from gateway.soe.read import _thread

WRITES = [each for each in ENDPOINTS if each.write]
PARAMS = ("question", "answer", "article", "comment", "post", "collection", "tag", "user")


def ids(endpoint: Endpoint) -> str:
    """A name for a row."""
    return f"{endpoint.method} {endpoint.template}"


@pytest.mark.parametrize("endpoint", WRITES, ids=ids)
def test_a_row_has_what_its_operation_has_and_no_more(endpoint: Endpoint) -> None:
    """Of text and thread: nothing is read that the tables do not tell."""
    params = {name: "1" for name in PARAMS if f"{{{name}}}" in endpoint.template}
    route = Route(endpoint=endpoint, path=endpoint.template, params=params)
    found = {
        "title": bool(endpoint.text.title),
        "body": bool(endpoint.text.body),
        "tags": bool(endpoint.text.tags),
        "thread": _thread(route) is not None,
    }

    for field, has in found.items():
        assert not has or endpoint.operation in WITH[field], field


@pytest.mark.parametrize(
    ("operation", "has"),
    [
        ("question.create", {"title", "body", "tags", "team"}),
        ("answer.create", {"body", "thread", "team"}),
        ("comment.create", {"body", "thread", "team"}),
        ("vote.up", {"thread", "team"}),
        ("community.join", set()),
        ("oauth.exchange", set()),
    ],
)
def test_what_some_operations_have(operation: str, has: set[str]) -> None:
    """As SOE's documents say."""
    assert {field for field in FIELDS if operation in WITH[field]} == has
