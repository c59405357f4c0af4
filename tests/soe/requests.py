"""Requests to read, as the tests of this package write them down."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from gateway.model import Headers
from gateway.soe.api import Route, classify
from gateway.soe.read import Reading, check_head, read_write

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def fields(**values: str) -> Headers:
    """Header fields by their names, `_` for `-`."""
    return tuple(
        (name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()
    )


def read(method: str, target: str, body: bytes = b"", content_type: str | None = None) -> Reading:
    """Take a write through classification, the check of its head and its reader."""
    route = classify(method, target.encode())
    headers: Headers = ((b"content-length", b"%d" % len(body)),)
    if content_type is not None:
        headers += ((b"content-type", content_type.encode("latin-1")),)
    check_head(route, headers)
    return read_write(route, headers, body)


def read_object(method: str, target: str, document: Any) -> Reading:
    """Read a write of v3 with a JSON body."""
    return read(method, target, json.dumps(document).encode(), JSON)


def read_form(target: str, **values: str) -> Reading:
    """Read a write of v2.3 with its fields in the form."""
    return read("POST", target, urlencode(values).encode(), FORM)


def route(method: str = "GET", target: str = "/api/v3/tags") -> Route:
    """A route, a read unless said otherwise."""
    return classify(method, target.encode())
