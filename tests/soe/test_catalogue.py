"""The catalogue of attacks, as far as target, head and body decide them.

It presumes a policy: every write needs exactly one `X-Explicit-Action: true`, and none may hold the
word BLOCKME in title or body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gateway.errors import RequestError
from gateway.model import Headers
from gateway.soe.api import classify
from gateway.soe.read import check_head, credentials, read_write
from tests.shared import shared

_FAMILIES = (
    *("control", "path", "method", "get-side-effect"),
    *("body-json", "body-form", "body-encoding", "header"),
)
_OF_THE_WIRE = frozenset(
    # Decided by the server that takes the bytes: a second Host.
    {"HDR-41"}
)


def cases() -> Iterator[dict[str, Any]]:
    with shared("security", "cases.jsonl").open() as lines:
        for case in map(json.loads, lines):
            counts = case["family"] in _FAMILIES and not case.get("advisory")
            if case["kind"] == "http" and counts and case["id"] not in _OF_THE_WIRE:
                yield case


def parsed(raw: str) -> tuple[str, bytes, Headers, bytes]:
    """Take a raw request of the catalogue apart, as a lenient server might."""
    for placeholder in ("{AUTH}", "{PAUSE}"):
        raw = raw.replace(placeholder, "")
    raw = raw.replace("{HOST}", "127.0.0.1:1").lstrip("\r\n")
    raw = re.sub(r"\{REPEAT\|(.{1,2}?)\|(\d+)\}", lambda m: m[1] * int(m[2]), raw, flags=re.DOTALL)
    head, _, rest = raw.encode("latin-1").partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    method, target = line.rpartition(b" ")[0].split(b" ", 1)
    headers = tuple(
        (name.lower(), value.strip(b" \t"))
        for name, _, value in (field.partition(b":") for field in fields)
    )
    lengths = dict(headers)
    if lengths.get(b"transfer-encoding") == b"chunked":
        return method.decode(), target, headers, _unchunked(rest)
    return method.decode(), target, headers, rest[: int(lengths.get(b"content-length", 0))]


def _unchunked(rest: bytes) -> bytes:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def passes(method: str, target: bytes, headers: Headers, body: bytes) -> bool:
    """Whether the request would be forwarded under the catalogue's policy."""
    try:
        route = classify(method, target)
        check_head(route, headers)
        credentials(route, headers)
        if not route.endpoint.write:
            return True
        reading = read_write(route, headers, body)
        credentials(route, headers, reading.fields)
    except RequestError:
        return False
    acts = [value for name, value in headers if name == b"x-explicit-action"]
    return acts == [b"true"] and "BLOCKME" not in reading.post.title + reading.post.body


def test_the_catalogue_is_met() -> None:
    """What must be refused or gated is; what must be forwarded is, or is refused where it may be."""
    wrong = []
    for case in cases():
        forwarded = passes(*parsed(case["raw"]))
        allowed = [case["expected"], *case.get("alt", [])]
        if not any(expected.startswith("forwarded") is forwarded for expected in allowed):
            wrong.append(case["id"])

    assert wrong == []


def test_controls_pass() -> None:
    """Lawful requests are all forwarded: strictness costs no honest client anything."""
    controls = [case for case in cases() if case["family"] == "control"]

    assert [case["id"] for case in controls if not passes(*parsed(case["raw"]))] == []
    assert controls
