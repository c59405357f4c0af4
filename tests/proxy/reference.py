"""A second reader of heads, slow and plain, to hold the fast one against. It shares no line with it."""

from __future__ import annotations

import string

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TOKEN = frozenset((string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode())
_VALUE = frozenset(range(256)) - frozenset(range(32)) - {127} | {9}
_TARGET = frozenset(range(33, 127)) - {ord("#")}
_HOST = frozenset((string.ascii_letters + string.digits + "._-").encode())
_LITERAL = frozenset((string.hexdigits + ".:").encode())

Fields = list[tuple[bytes, bytes]]


def parse(data: bytes) -> tuple[str, bytes, Fields] | None:
    """Give method, target and fields of a whole head, None where it is not exactly HTTP/1.1."""
    if data[-4:] != b"\r\n\r\n":
        return None
    lines = data[:-4].split(b"\r\n")
    if any(byte in b"\r\n\0" for line in lines for byte in line):
        return None
    words = lines[0].split(b" ")
    if len(words) != 3 or words[2] != b"HTTP/1.1":
        return None
    method, target = words[0].decode("latin-1"), words[1]
    if method not in _METHODS or target[:1] != b"/" or not set(target) <= _TARGET:
        return None
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or not set(name) <= _TOKEN or not set(value) <= _VALUE:
            return None
        fields.append((name.lower(), value.strip(b" \t")))
    return (method, target, fields) if _lawful(fields) else None


def _lawful(fields: Fields) -> bool:
    def values(name: bytes) -> list[bytes]:
        return [value for field, value in fields if field == name]

    options = [option.strip() for value in values(b"connection") for option in value.split(b",")]
    lengths, codings = values(b"content-length"), values(b"transfer-encoding")
    return (
        len(values(b"host")) == 1
        and _is_host(values(b"host")[0])
        and len(lengths) + len(codings) <= 1
        and all(length.isdigit() and length == b"%d" % int(length) for length in lengths)
        and all(coding == b"chunked" for coding in codings)
        and [value.lower() for value in values(b"expect")] in ([], [b"100-continue"])
        and not values(b"upgrade")
        and not values(b"trailer")
        and b"upgrade" not in [option.lower() for option in options]
    )


def _is_host(value: bytes) -> bool:
    if value[:1] == b"[":
        name, bracket, port = value[1:].partition(b"]")
        letters = _LITERAL
        if not bracket or (port and port[:1] != b":"):
            return False
        has_port, port = bool(port), port[1:]
    else:
        name, colon, port = value.partition(b":")
        letters, has_port = _HOST, bool(colon)
    if has_port and not (port.isdigit() and len(port) <= 5):
        return False
    return bool(name) and set(name) <= letters
