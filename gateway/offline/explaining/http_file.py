"""A request in a file, as people write it, read as the gateway reads one from the wire.

Line ends may be those of the editor, and Host, Content-Length and the version may be missing; all
else is taken as it stands.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from gateway.errors import RequestError
from gateway.model import Write
from gateway.policy.registry import Registry
from gateway.proxy.compose import compose
from gateway.proxy.exchange import Exchange
from gateway.proxy.head import Head, read_head
from gateway.proxy.identify import Caller, identify, objection
from gateway.soe.api import body_limit, classify
from gateway.soe.read import check_head, credentials, read_write

_SECRET = b"explain".ljust(32, b"\0")
_END = re.compile(rb"\r?\n\r?\n")
_FIELDS_AT_MOST, _TARGET_AT_MOST = 100, 8192


class ReadError(Exception):
    """The request is a read: no rule looks at it."""


def read_file(
    data: bytes, registry: Registry, *, named: str | None, at: float, anonymous: str
) -> Write:
    """Read a write, of the integration that its credentials name, or that is `named`.

    Args:
        at: the instant of the write.
        anonymous: as the setting `identify.anonymous.write`.

    Raises:
        ReadError: it is none.
        RequestError, WireError: the gateway refuses it before any rule looks at it.
    """
    head, body = _split(data)
    route = classify(head.method, head.target)
    check_head(route, head.headers)
    if not route.endpoint.write:
        raise ReadError
    if len(body) > body_limit(route):
        raise RequestError(413, "body_too_large", f"At most {body_limit(route)} bytes.")
    reading = read_write(route, head.headers, body)
    presented = credentials(route, head.headers, reading.fields)
    if named is None:
        caller = identify(registry, head.headers, presented, _SECRET)
    else:
        known = {each.name: each for each in registry.integrations}
        caller = Caller(integration=known[named], token=presented.token or f"token of {named}")
    error = objection(caller, route.endpoint.operation, at, anonymous)
    if error is not None:
        raise error
    exchange = _exchange(head)
    return asyncio.run(compose(exchange, route, caller, reading, body, at=at, secret=_SECRET))


def _split(data: bytes) -> tuple[Head, bytes]:
    """Take a file apart, and make its head one of the wire."""
    data = data.lstrip(b"\r\n")
    end = _END.search(data)
    lines = (data[: end.start()] if end else data.strip(b"\r\n")).splitlines()
    body = data[end.end() :] if end else b""
    if lines and lines[0].count(b" ") == 1:
        lines[0] += b" HTTP/1.1"
    names = {line.partition(b":")[0].lower() for line in lines[1:]}
    if b"host" not in names:
        lines.append(b"Host: gateway")
    if body.endswith(b"\n") and b"content-length" not in names:
        body = body.removesuffix(b"\n").removesuffix(b"\r")  # the editor's
    if body and names.isdisjoint((b"content-length", b"transfer-encoding")):
        lines.append(b"Content-Length: %d" % len(body))
    wire = b"".join(line + b"\r\n" for line in (*lines, b""))
    head = read_head(wire, fields=_FIELDS_AT_MOST, target_bytes=_TARGET_AT_MOST)
    return head, body if head.length is None else body[: head.length]


def _exchange(head: Head) -> Exchange:
    scope = {
        "method": head.method,
        "raw_target": head.target,
        "headers": head.headers,
        "client": None,
        "scheme": "http",
    }
    return Exchange(scope, _nothing, _nothing, lambda: "offline")


async def _nothing(message: Any = None) -> Any:
    """Nobody is there."""
