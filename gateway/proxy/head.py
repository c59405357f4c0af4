"""The head of a request, checked byte by byte before anything of it is believed. Pure.

RFC 9112 without its leniencies: one spelling of everything, or a refusal. What is accepted here
means the same to every server behind us. The patterns are possessive: they take linear time.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.model import Headers
from gateway.proxy.refusals import WireError

_METHODS = rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
_REQUEST_LINE = re.compile(rb"(" + _METHODS + rb") (/[!-\"$-~]*+) HTTP/1\.1\r\n")
_ANY_REQUEST_LINE = re.compile(rb"([A-Za-z]++) [!-~]++ HTTP/(\d\.\d)\r\n")
_FIELD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n"
_FIELDS = re.compile(rb"(?:" + _FIELD + rb")*+")
_NAME_AND_VALUE = re.compile(rb"([^:]++):([^\r]*+)\r\n")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]++|\[[0-9A-Fa-f:.]++\])(?::\d{1,5})?")
_LENGTH = re.compile(rb"0|[1-9]\d{0,14}")
_BROKEN = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A line end that is none, or a control byte: no head goes on so."""

_ONCE = {
    b"host": "bad_host",
    b"content-length": "bad_framing",
    b"transfer-encoding": "bad_framing",
    b"expect": "bad_expectation",
}
"""Fields that stand there once, and what it is called when they do not."""
_NEVER = {b"upgrade": "no_upgrade", b"trailer": "no_trailers"}


class Head(NamedTuple):
    """A request's head. `length` is None where the body is chunked."""

    method: str
    target: bytes
    headers: Headers
    length: int | None
    expects_continue: bool
    keep_alive: bool


def check_beginning(data: bytes, *, since: int, target_bytes: int) -> None:
    """Refuse the beginning of a head that no continuation can make right.

    Args:
        data: what there is of the head.
        since: how much of it was checked before.

    Raises:
        WireError: at once, rather than when the head's time is over.
    """
    if not data[:1].isalpha() or _BROKEN.search(data, max(0, since - 1)):
        raise WireError("bad_head")
    end = data.find(b"\r\n") + 2
    if end < 2:
        if len(data) > target_bytes + len(b"OPTIONS  HTTP/1.1\r\n"):
            raise WireError("target_too_long")
        return
    if end > since:
        _request_line(data[:end], target_bytes)


def read_head(data: bytes, *, fields: int, target_bytes: int) -> Head:
    """Read a whole head, which ends with an empty line.

    Args:
        fields: how many there may be.

    Raises:
        WireError: it is not exactly a request of HTTP/1.1.
    """
    end = data.find(b"\r\n") + 2
    method, target = _request_line(data[:end], target_bytes)
    headers = _headers(data[end:-2])
    if len(headers) > fields:
        raise WireError("too_many_fields")
    return _framed(method, target, headers)


@lru_cache(128)
def _headers(section: bytes) -> Headers:
    """Split a header section. A client that keeps its connection sends the same one again."""
    if not _FIELDS.fullmatch(section):
        raise WireError("bad_head")
    found = _NAME_AND_VALUE.findall(section)
    return tuple([(name.lower(), value.strip(b" \t")) for name, value in found])


def _request_line(line: bytes, target_bytes: int) -> tuple[str, bytes]:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise WireError(_wrong_with(line))
    if len(found[2]) > target_bytes:
        raise WireError("target_too_long")
    return found[1].decode(), found[2]


def _wrong_with(line: bytes) -> str:
    found = _ANY_REQUEST_LINE.fullmatch(line)
    if found is None:
        return "bad_head"
    if found[2] != b"1.1":
        return "unsupported_version"
    if not re.fullmatch(_METHODS, found[1]):
        return "unsupported_method"
    return "bad_target"


def _framed(method: str, target: bytes, headers: Headers) -> Head:
    """Find where the body ends; two ways to say it are no way."""
    values = dict(headers)
    if len(values) != len(headers):
        _check_once(headers)
    for name, code in _NEVER.items():
        if name in values:
            raise WireError(code)
    if not _HOST.fullmatch(values.get(b"host", b"")):
        raise WireError("bad_host")
    if values.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise WireError("bad_expectation")
    return Head(
        method,
        target,
        headers,
        _length(values.get(b"content-length"), values.get(b"transfer-encoding")),
        b"expect" in values,
        b"connection" not in values or _keeps_alive(headers),
    )


def _check_once(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name, code in _ONCE.items():
        if names.count(name) > 1:
            raise WireError(code)


def _length(length: bytes | None, coding: bytes | None) -> int | None:
    if coding is not None:
        if coding != b"chunked" or length is not None:
            raise WireError("bad_framing")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise WireError("bad_framing")
    return int(length)


def _keeps_alive(headers: Headers) -> bool:
    said = b",".join([value for name, value in headers if name == b"connection"])
    options = {option.strip(b" \t").lower() for option in said.split(b",")}
    if b"upgrade" in options:
        raise WireError("no_upgrade")
    return b"close" not in options
