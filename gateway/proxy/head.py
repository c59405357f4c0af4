"""The head of a request, checked byte by byte before anything of it is believed. Pure.

RFC 9112 without its leniencies: one spelling of everything, or a refusal. What is accepted here
means the same to every server behind us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.model import Headers

_METHODS = rb"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"
_REQUEST_LINE = re.compile(rb"(" + _METHODS + rb") (/[!-\"$-~]*) HTTP/1\.1\r\n")
_ANY_REQUEST_LINE = re.compile(rb"([A-Z]+) [!-~]+ (HTTP/\d\.\d)\r\n")
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[\t -~\x80-\xff]*\r\n)*")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_LENGTH = re.compile(rb"0|[1-9]\d{0,14}")
_BROKEN = re.compile(rb"(?<!\r)\n|\r(?!\n|$)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A line end that is none, or a control byte: no head begins so, however it goes on."""


_ONCE = {
    b"host": "bad_host",
    b"content-length": "bad_framing",
    b"transfer-encoding": "bad_framing",
    b"expect": "bad_expectation",
}
"""Fields that stand there once, and what it is called when they do not."""
_NEVER = {b"upgrade": "no_upgrade", b"trailer": "no_trailers"}


class HeadError(Exception):
    """A head that is refused; `code` is stable."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. `length` is None where the body is chunked."""

    method: str
    target: bytes
    headers: Headers
    length: int | None
    expects_continue: bool
    keep_alive: bool


def check_beginning(data: bytes, target_bytes: int) -> None:
    """Refuse the beginning of a head that no continuation can make right.

    Raises:
        HeadError: at once, rather than when the head's time is over.
    """
    if not b"A" <= data[:1] <= b"Z" or _BROKEN.search(data):
        raise HeadError(400, "bad_head")
    end = data.find(b"\r\n")
    if end < 0:
        if len(data) > target_bytes + 32:
            raise HeadError(414, "target_too_long")
        return
    _request_line(data[: end + 2], target_bytes)


def read_head(data: bytes, *, fields: int, target_bytes: int) -> Head:
    """Read a whole head, which ends with an empty line.

    Args:
        fields: how many there may be.

    Raises:
        HeadError: it is not exactly a request of HTTP/1.1.
    """
    end = data.find(b"\r\n") + 2
    method, target = _request_line(data[:end], target_bytes)
    section = data[end:-2]
    if not _FIELDS.fullmatch(section):
        raise HeadError(400, "bad_head")
    found = _FIELD.findall(section)
    if len(found) > fields:
        raise HeadError(431, "too_many_fields")
    headers = tuple((name.lower(), value.strip(b" \t")) for name, value in found)
    return _framed(method, target, headers)


def _request_line(line: bytes, target_bytes: int) -> tuple[str, bytes]:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        other = _ANY_REQUEST_LINE.fullmatch(line)
        if other is None:
            raise HeadError(400, "bad_head")
        if other[2] != b"HTTP/1.1":
            raise HeadError(505, "unsupported_version")
        if not re.fullmatch(_METHODS, other[1]):
            raise HeadError(501, "unsupported_method")
        raise HeadError(400, "bad_target")
    if len(found[2]) > target_bytes:
        raise HeadError(414, "target_too_long")
    return found[1].decode(), found[2]


def _framed(method: str, target: bytes, headers: Headers) -> Head:
    """Find where the body ends; two ways to say it are no way."""
    seen: dict[bytes, bytes] = {}
    keep_alive = True
    for name, value in headers:
        if name in _ONCE and name in seen:
            raise HeadError(400, _ONCE[name])
        seen[name] = value
        if name == b"connection":
            options = [option.strip().lower() for option in value.split(b",")]
            if b"upgrade" in options:
                raise HeadError(400, "no_upgrade")
            keep_alive = keep_alive and b"close" not in options
    for name, code in _NEVER.items():
        if name in seen:
            raise HeadError(400, code)
    if not _HOST.fullmatch(seen.get(b"host", b"")):
        raise HeadError(400, "bad_host")
    if seen.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise HeadError(417, "bad_expectation")
    return Head(
        method=method,
        target=target,
        headers=headers,
        length=_length(seen.get(b"content-length"), seen.get(b"transfer-encoding")),
        expects_continue=b"expect" in seen,
        keep_alive=keep_alive,
    )


def _length(length: bytes | None, coding: bytes | None) -> int | None:
    if coding is not None:
        if coding != b"chunked" or length is not None:
            raise HeadError(400, "bad_framing")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise HeadError(400, "bad_framing")
    return int(length)
