"""The formats that bodies and queries come in, read strictly.

Law: what is accepted here means the same to every parser; whatever could be read in two ways is
refused with `unreadable_body` or `ambiguous_body` (400) or `unsupported_media_type` (415).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError

MAX_DEPTH = 32
MAX_FIELDS = 200

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = re.compile(
    rf'({_TOKEN})/({_TOKEN})((?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|"[^"\\]*"))*)[ \t]*'
)
_PARAMETER = re.compile(rf'({_TOKEN})=({_TOKEN}|"[^"\\]*")')
_FIELD_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]*")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PART_HEAD = re.compile(
    rb'Content-Disposition: form-data; name="file"; filename="[^"\\\r\n\x00]{1,255}"\r\n'
    rb"(?:Content-Type: (?:image|img)/[A-Za-z0-9.+-]{1,40}\r\n)?\r\n",
    re.IGNORECASE,
)


def media_type(value: bytes) -> tuple[str, Mapping[str, str]]:
    """Read a Content-Type into its type, in lower case, and its parameters.

    Raises:
        RequestError: `unsupported_media_type` (415), also for a charset other than UTF-8.
    """
    found = _MEDIA_TYPE.fullmatch(value.decode("latin-1"))
    if found is None:
        raise unsupported("The Content-Type is not a single well-formed media type.")
    parameters: dict[str, str] = {}
    for name, parameter in _PARAMETER.findall(found[3]):
        if name.lower() in parameters:
            raise unsupported(f"The Content-Type gives {name.lower()} twice.")
        parameters[name.lower()] = parameter.strip('"')
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise unsupported("Send the body in UTF-8.")
    return f"{found[1]}/{found[2]}".lower(), parameters


def is_json(kind: str) -> bool:
    """Whether a media type is one of those under which SOE reads JSON."""
    return kind in ("application/json", "text/json") or (
        kind.startswith("application/") and kind.endswith("+json")
    )


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def read_json(body: bytes) -> Any:
    """Read one JSON document, refusing what two parsers could read differently.

    Names of one object are unique without regard to case and form, as .NET compares them
    (RFC 8259 section 4 leaves equal names to each parser).

    Raises:
        RequestError: `unreadable_body` or `ambiguous_body` (400).
    """
    try:
        text = body.decode()
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _bounded(document, MAX_DEPTH)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()  # a lone surrogate cannot be
    except (ValueError, RecursionError):
        raise unreadable("The body is not one strict JSON document in UTF-8.") from None
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for name, _ in pairs:
        folded = name.lower() if name.isascii() else _folded(name)
        if folded in seen:
            raise ambiguous("A JSON object gives one name twice (letter case does not count).")
        seen.add(folded)
    return dict(pairs)


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    if plain.isascii():
        raise ambiguous("A JSON name uses characters that look like ASCII letters.")
    return plain


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _bounded(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            _bounded(child, depth - 1)


# ── forms ────────────────────────────────────────────────────────────────────────────────────


def read_form(encoded: bytes) -> list[tuple[str, str]]:
    """Read `application/x-www-form-urlencoded` fields, in order, from a body or a query.

    Raises:
        RequestError: `unreadable_body` or `ambiguous_body` (400).
    """
    if not encoded:
        return []
    if encoded.count(b"&") >= MAX_FIELDS:
        raise unreadable(f"A form may have at most {MAX_FIELDS} fields.")
    if b";" in encoded or _BAD_ESCAPE.search(encoded) or not encoded.isascii():
        raise ambiguous(
            "Form fields are separated by & and percent-encoded: write ; as %3B and % as %25."
        )
    fields = []
    for piece in encoded.split(b"&"):
        if not piece:
            continue
        name, _, value = piece.partition(b"=")
        name = _unescaped(name)
        if not _FIELD_NAME.fullmatch(name):
            raise ambiguous("A form field has a name that parsers read differently.")
        try:
            fields.append((name.decode(), _unescaped(value).decode()))
        except UnicodeDecodeError:
            raise unreadable("A form field is not UTF-8.") from None
    return fields


def _unescaped(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def merged(*sources: list[tuple[str, str]]) -> dict[str, str]:
    """Join fields of form and query under lower-case names, each given once in all.

    Raises:
        RequestError: `ambiguous_body` (400).
    """
    fields: dict[str, str] = {}
    for source in sources:
        for name, value in source:
            folded = name.lower()
            if folded in fields:
                raise ambiguous(
                    f"The field {folded} is given twice; give it once, in the form or the query."
                )
            fields[folded] = value
    return fields


# ── images ───────────────────────────────────────────────────────────────────────────────────


def check_image(kind: str, parameters: Mapping[str, str], body: bytes, limit: int) -> None:
    """Check an uploaded image: the file as it is, or as the one part `file` of a multipart form.

    Raises:
        RequestError: `unreadable_body` (400), `body_too_large` (413).
    """
    if kind == "multipart/form-data":
        body = _the_file(parameters.get("boundary", "").encode("latin-1"), body)
    if not body:
        raise unreadable("The image is empty.")
    if len(body) > limit:
        raise RequestError(413, "body_too_large", f"An image may have at most {limit} bytes.")


def _the_file(boundary: bytes, body: bytes) -> bytes:
    start, end = b"--" + boundary + b"\r\n", b"\r\n--" + boundary + b"--"
    framed = body.removesuffix(b"\r\n")
    whole = 1 <= len(boundary) <= 70 and framed.startswith(start) and framed.endswith(end)
    part = framed[len(start) : -len(end)]
    head = _PART_HEAD.match(part)
    if not whole or head is None or b"\r\n--" + boundary in part:
        raise unreadable('The multipart form must hold exactly one part, named "file".')
    return part[head.end() :]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def unreadable(detail: str) -> RequestError:
    """A body that cannot be read."""
    return RequestError(400, "unreadable_body", detail)


def ambiguous(detail: str) -> RequestError:
    """A body that two parsers could read differently."""
    return RequestError(400, "ambiguous_body", detail)


def unsupported(detail: str) -> RequestError:
    """A media type that the endpoint does not take."""
    return RequestError(415, "unsupported_media_type", detail)
