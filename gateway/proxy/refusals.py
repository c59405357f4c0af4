"""What is refused on the wire, before any app sees it: one table. Pure.

To add a refusal: a line in `REFUSALS`, and `raise WireError(code)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

REFUSALS: Mapping[str, tuple[int, str]] = {
    "bad_chunk": (400, "The chunked body is broken, or has chunk extensions."),
    "bad_expectation": (417, "Expect may stand once and say 100-continue."),
    "bad_framing": (
        400,
        "Say the body's length once, by Content-Length in digits or Transfer-Encoding: chunked.",
    ),
    "bad_head": (
        400,
        "The request line or a header field is malformed; RFC 9112 is taken without leniency.",
    ),
    "bad_host": (400, "One Host field is needed: a name or an address, and a port or none."),
    "bad_target": (
        400,
        "The target must be a path that begins with '/', in visible ASCII, without a fragment.",
    ),
    "head_too_large": (431, "The request line and the header fields are too large together."),
    "no_trailers": (400, "Trailer fields are not taken."),
    "no_upgrade": (400, "The protocol is HTTP/1.1 and stays it: leave out Upgrade."),
    "request_timeout": (408, "The request did not arrive in time."),
    "target_too_long": (414, "The request target is too long."),
    "too_many_fields": (431, "There are too many header fields."),
    "unsupported_method": (
        501,
        "The method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in capitals.",
    ),
    "unsupported_version": (505, "The version must be HTTP/1.1."),
}
"""Code → status, and how to mend it. The code is stable."""


class WireError(Exception):
    """Bytes that are not exactly one request of HTTP/1.1; `code` stands in `REFUSALS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _answer(code: str) -> bytes:
    status, detail = REFUSALS[code]
    phrase = HTTPStatus(status).phrase
    body = orjson.dumps(
        {
            "type": f"/_gateway/problems/{code}",
            "title": phrase,
            "status": status,
            "detail": f"{detail} Nothing was forwarded.",
            "code": code,
        }
    )
    head = (
        f"HTTP/1.1 {status} {phrase}\r\n"
        "content-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n"
        "cache-control: no-store\r\n"
        "x-content-type-options: nosniff\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


ANSWERS: Mapping[str, bytes] = {code: _answer(code) for code in REFUSALS}
"""Code → the whole answer, as it goes out."""
