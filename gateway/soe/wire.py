"""Strict readers of bytes: media types, JSON, fields of forms and queries, one image in multipart.

Each accepts less than the readers it stands before, never more: what any two of them could read
differently raises `RequestError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError

MAX_DEPTH = 32
MAX_FIELDS = 200

# ── media types ──────────────────────────────────────────────────────────────────────────────

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(
    rf'({_TOKEN}/{_TOKEN})(?:[ \t]*;[ \t]*({_TOKEN})=(?:({_TOKEN})|"([^"\\]*)"))?'.encode()
)


def read_media_type(value: bytes) -> tuple[str, Mapping[str, str]]:
    """Read a `Content-Type` of at most one parameter: its type in lower case, its parameter.

    Raises:
        RequestError: `unsupported_media_type` (415): malformed, two of a kind, more parameters.
    """
    match = _MEDIA_TYPE.fullmatch(value.strip(b" \t"))
    if match is None:
        raise unsupported("Content-Type must be one media type with at most one parameter.")
    kind, name, token, quoted = match.groups()
    if name is None:
        return kind.decode().lower(), {}
    text = token if token is not None else quoted
    return kind.decode().lower(), {name.decode().lower(): text.decode("latin-1")}


def unsupported(detail: str) -> RequestError:
    """The refusal of a body in a type that the endpoint does not take."""
    return RequestError(415, "unsupported_media_type", detail)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def read_json(body: bytes) -> Any:
    """Read one JSON document as RFC 8259 has it, in UTF-8 without a byte order mark.

    Names are printable ASCII, as all of SOE's are, and unique in every object whatever their case:
    ASP.NET matches them without it.

    Raises:
        RequestError: `unreadable_body` (400), or `ambiguous_body` (400) for repeated or strange
            names, nesting deeper than 32, objects of over 200 members, and half surrogates.
    """
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
        if b"\\u" in body:
            # A half surrogate is no text: storing or comparing it fails later, so it fails here.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise unreadable("The body is not UTF-8.") from None
    except UnicodeEncodeError:
        raise ambiguous("The JSON body escapes half a surrogate pair.") from None
    except (ValueError, RecursionError):
        raise unreadable("The body is not strict JSON (RFC 8259).") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ambiguous(f"The JSON body is nested deeper than {MAX_DEPTH}.")
    return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members) > MAX_FIELDS:
        raise ambiguous(f"An object of the JSON body has over {MAX_FIELDS} members.")
    value = dict(members)
    names = "".join(value)
    if not (names.isascii() and names.isprintable()):
        raise ambiguous("A property name of the JSON body is not printable ASCII.")
    if len({name.lower() for name in value}) != len(members):
        raise ambiguous("A property stands twice in an object of the JSON body; case is ignored.")
    return value


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


def _depth(value: Any) -> int:
    """Count how deep containers nest, level by level: recursion would be the attacker's gain."""
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, (dict, list))]:
        depth += 1
        level = [w for v in level for w in (v.values() if isinstance(v, dict) else v)]
    return depth


# ── fields of forms and queries ──────────────────────────────────────────────────────────────

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# White space stands for itself, as curl sends it; other controls and broken escapes never do.
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_fields(encoded: bytes) -> dict[str, str]:
    """Read `application/x-www-form-urlencoded` fields, by their names in lower case.

    Raises:
        RequestError: `ambiguous_field` (400): a name twice (case is ignored), strange, or without
            `=`; a `;` that could separate; an escape that is not UTF-8 or not hexadecimal; over
            200 fields.
    """
    if _MALFORMED.search(encoded):
        raise ambiguous_field("A field holds a control character or a malformed % escape.")
    parts = [part for part in encoded.split(b"&", MAX_FIELDS + 1) if part]
    if len(parts) > MAX_FIELDS:
        raise ambiguous_field(f"There are over {MAX_FIELDS} fields.")
    fields: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        if b";" in value and b"=" in value:
            raise ambiguous_field("A raw ';' before a '=' may separate fields: write %3B.")
        name_text = _decode(name)
        # Before folding: the Kelvin sign is a k in lower case.
        if not equals or not _NAME.fullmatch(name_text):
            raise ambiguous_field("A field has no name of letters, digits and '_', or no '='.")
        folded = name_text.lower()
        if folded in fields:
            raise ambiguous_field("A field stands twice; case is ignored.")
        fields[folded] = _decode(value)
    return fields


def _decode(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise ambiguous_field("A field is not UTF-8.") from None
    if "\0" in text:
        raise ambiguous_field("A field holds a NUL.")
    return text


# ── one image in multipart ───────────────────────────────────────────────────────────────────

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_FILE_FIELD = re.compile(
    rb"content-disposition: ?form-data; ?name=(?:\"file\"|file)"
    rb"(?:; ?filename=(?:\"[^\"\\\0-\x1f]*\"|[^\"\\;\0- ]+))?(?:; ?filename\*=[^\"\\;\0- ]+)?",
    re.IGNORECASE,
)
_FILE_TYPE = re.compile(rb"content-type: ?[!-~]+", re.IGNORECASE)


def read_image_part(body: bytes, boundary: str) -> bytes:
    """Read a `multipart/form-data` body of exactly one part, the file field `file`.

    Raises:
        RequestError: `ambiguous_body` (400): preamble, epilogue, further parts or fields of a
            part, line ends other than CRLF, no closing boundary.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise ambiguous("The boundary of the multipart body is malformed.")
    edge = b"--" + boundary.encode()
    start, end = edge + b"\r\n", b"\r\n" + edge + b"--"
    whole = body.removesuffix(b"\r\n")
    if not (whole.startswith(start) and whole.endswith(end)):
        raise ambiguous("The multipart body does not start and end with its boundary.")
    part = whole[len(start) : -len(end)]
    head, blank, image = part.partition(b"\r\n\r\n")
    if not blank or edge in part or not _is_file(head.split(b"\r\n")):
        raise ambiguous('The multipart body must hold one part, the file field "file".')
    return image


def _is_file(lines: list[bytes]) -> bool:
    fields = sum(_FILE_FIELD.fullmatch(line) is not None for line in lines)
    types = sum(_FILE_TYPE.fullmatch(line) is not None for line in lines)
    return fields == 1 and types <= 1 and fields + types == len(lines)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def unreadable(detail: str) -> RequestError:
    """The refusal of a body that is not what its media type says."""
    return RequestError(400, "unreadable_body", detail)


def ambiguous(detail: str) -> RequestError:
    """The refusal of a body that two parsers may read differently."""
    return RequestError(400, "ambiguous_body", detail)


def ambiguous_field(detail: str) -> RequestError:
    """The refusal of fields that two parsers may read differently."""
    return RequestError(400, "ambiguous_field", detail)
