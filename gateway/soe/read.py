"""What a write would publish, and in whose name: head fields, body and query read together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from gateway.errors import RequestError
from gateway.model import NO_POST, Api, Headers, Post
from gateway.soe.api import Route
from gateway.soe.endpoint import BodyKind
from gateway.soe.wire import (
    check_image,
    is_json,
    media_type,
    merged,
    read_form,
    read_json,
    unreadable,
    unsupported,
)

MAX_IMAGE = 2_097_152
MAX_TITLE = 150
MAX_BODY = 30_000
MAX_ARTICLE = 100_000

_SINGLETONS = frozenset(
    {
        b"access_token",
        b"authorization",
        b"content-type",
        b"cookie",
        b"idempotency-key",
        b"key",
        b"user-agent",
        b"x-api-access-token",
        b"x-api-key",
        b"x-gateway-dry-run",
        b"x-gateway-key",
    }
)
_OVERRIDES = frozenset(
    {
        b"x-forwarded-method",
        b"x-forwarded-uri",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method",
        b"x-method-override",
        b"x-original-method",
        b"x-original-uri",
        b"x-original-url",
        b"x-override-url",
        b"x-rewrite-url",
    }
)
_OURS = (b"x-explicit-action", b"x-gateway-", b"idempotency-key")
_CONNECTION = frozenset({b"", b"close", b"keep-alive", b"te"})
_CREDENTIAL = re.compile(rb"[!-+\--~]{1,4096}")  # one run of visible characters, no comma
_IDEMPOTENCY_KEY = re.compile(rb"[ -~]{1,255}")
_TAG_SEPARATORS = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a caller presented to SOE: an access token, and the key of its application."""

    token: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A write, read.

    `fields` are those of a v2.3 or OAuth call, from form and query, names in lower case;
    `thread` and `target` as in `model.Write`.
    """

    post: Post = NO_POST
    preview: bool = False
    team: str | None = None
    thread: str | None = None
    target: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


# ── the head ─────────────────────────────────────────────────────────────────────────────────


def check_head(route: Route, headers: Headers) -> None:
    """Refuse what a head alone shows to be wrong, before the body is asked for.

    Raises:
        RequestError: `ambiguous_header` or `unexpected_body` (400), `unsupported_media_type` (415).
    """
    content_type = None
    has_body = False
    seen = set()
    for name, value in headers:
        if name in _SINGLETONS:
            if name in seen:
                raise _ambiguous(f"{name.decode()} stands there twice")
            seen.add(name)
        if b"_" in name and name != b"access_token":
            name = _shadow(name)
        if name in _OVERRIDES:
            raise _ambiguous(f"{name.decode()} would change the method or the target")
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            has_body = has_body or int(value) > 0
        elif name == b"transfer-encoding":
            has_body = True
        elif name == b"content-encoding":
            raise unsupported("Send the body without Content-Encoding.")
        elif name == b"connection":
            if not _CONNECTION.issuperset(o.strip().lower() for o in value.split(b",")):
                raise _ambiguous("Connection names a field that others would drop")
        elif name == b"authorization":
            if b"," in value and value[:7].lower() == b"bearer ":
                raise _ambiguous("Authorization holds more than one credential")
        elif name == b"idempotency-key" and not _IDEMPOTENCY_KEY.fullmatch(value):
            raise _ambiguous("Idempotency-Key must be 1 to 255 visible characters")
        elif name == b"x-gateway-dry-run" and value not in (b"true", b"false"):
            raise _ambiguous("X-Gateway-Dry-Run is true or false")
    if has_body and route.endpoint.method == "GET":
        raise RequestError(400, "unexpected_body", "A GET or HEAD carries no body here.")
    if route.endpoint.write and has_body:
        _check_media_type(route.endpoint.body, content_type)


def _shadow(name: bytes) -> bytes:
    """Give the field for which servers take a name with underscores, refusing those that are ours."""
    plain = name.replace(b"_", b"-")
    if plain.startswith(_OURS) or plain in _SINGLETONS or plain == b"content-encoding":
        raise _ambiguous(f"{name.decode('latin-1')} would be taken for {plain.decode('latin-1')}")
    return plain


def _check_media_type(body: BodyKind, value: bytes | None) -> tuple[str, Mapping[str, str]]:
    if value is None:
        raise unsupported("Say with Content-Type what the body is.")
    kind, parameters = media_type(value)
    if body is BodyKind.FORM and kind != "application/x-www-form-urlencoded":
        raise unsupported("This method takes application/x-www-form-urlencoded.")
    if body is BodyKind.IMAGE:
        if kind != "multipart/form-data" and kind.partition("/")[0] not in ("image", "img"):
            raise unsupported("An image is sent as multipart/form-data or as image/….")
    elif body is not BodyKind.FORM and not is_json(kind):
        raise unsupported("This method takes application/json.")
    return kind, parameters


def credentials(route: Route, headers: Headers, fields: Mapping[str, str] | None) -> Credentials:
    """Gather what the caller presents to SOE, from every place where SOE looks for it.

    Args:
        fields: of a v2.3 call, once read; None looks at the query alone.

    Raises:
        RequestError: `ambiguous_credentials` (400) where two tokens, or two keys, differ.
    """
    given = dict(headers)
    bearer = _bearer(given.get(b"authorization"))
    tokens = [given.get(b"x-api-access-token"), given.get(b"access_token")]
    keys = [given.get(b"x-api-key"), given.get(b"key")]
    if route.endpoint.api is Api.V2:
        asked = dict(_lenient(route.query)) if fields is None else fields
        tokens.append(_encoded(asked.get("access_token")))
        keys.append(_encoded(asked.get("key")))
    if bearer is not None and bearer not in keys:  # v2.3 takes a key there as well as a token
        tokens.append(bearer)
    return Credentials(token=_the_one(tokens), key=_the_one(keys))


def _bearer(value: bytes | None) -> bytes | None:
    if value is None or value[:7].lower() != b"bearer ":
        return None
    return value[7:].strip(b" ") or None


def _lenient(query: bytes) -> Iterator[tuple[str, str]]:
    if b"access_token" in query or b"key" in query or b"%" in query:
        yield from ((n.lower(), v) for n, v in parse_qsl(query.decode("latin-1")))


def _encoded(value: str | None) -> bytes | None:
    return None if not value else value.encode()


def _the_one(values: list[bytes | None]) -> str | None:
    distinct = {value for value in values if value}
    if len(distinct) > 1:
        raise RequestError(
            400,
            "ambiguous_credentials",
            "The request carries two different credentials of one kind; send one.",
        )
    for value in distinct:
        if not _CREDENTIAL.fullmatch(value):
            raise RequestError(400, "ambiguous_credentials", "A credential is malformed.")
        return value.decode("ascii")
    return None


# ── the body ─────────────────────────────────────────────────────────────────────────────────


def read_write(route: Route, headers: Headers, body: bytes) -> Reading:
    """Read what a write would do.

    Raises:
        RequestError: 400, 413 or 415, with a code of `wire`, or `text_too_long` (400).
    """
    if route.endpoint.body is BodyKind.FORM:
        return _read_form(route, body)
    thread, target = _places(route)
    post = NO_POST
    if route.endpoint.body is BodyKind.IMAGE:
        kind, parameters = _check_media_type(BodyKind.IMAGE, dict(headers).get(b"content-type"))
        check_image(kind, parameters, body, MAX_IMAGE)
    elif body or route.endpoint.body is not BodyKind.NONE:
        post = _post_of(route, read_json(body))
    return Reading(post=post, team=route.team, thread=thread, target=target)


def _post_of(route: Route, document: Any) -> Post:
    if route.endpoint.body is BodyKind.JSON_LIST:
        if not isinstance(document, list) or not all(type(item) is int for item in document):
            raise unreadable("The body must be an array of ids.")
        return NO_POST
    if not isinstance(document, dict):
        raise unreadable("The body must be a JSON object.")
    if route.endpoint.body is BodyKind.NONE and document:
        raise unreadable("This method takes no body, or an empty object.")
    fields = {name.lower(): value for name, value in document.items()}
    return _post(
        route,
        title=_string(fields, "title") or _string(fields, "name"),
        texts=[_string(fields, name) for name in ("body", "description", "comment")],
        tags=_strings(fields, "tags"),
    )


def _read_form(route: Route, body: bytes) -> Reading:
    fields = merged(read_form(route.query), read_form(body))
    if "callback" in fields:
        raise RequestError(400, "callback_on_write", "A write takes no callback.")
    thread, target = _places(route)
    post = _post(
        route,
        title=fields.get("title", ""),
        texts=[fields.get("body", ""), fields.get("comment", "")],
        tags=tuple(filter(None, _TAG_SEPARATORS.split(fields.get("tags", "")))),
    )
    preview = route.endpoint.previewable and fields.get("preview", "").lower() == "true"
    return Reading(
        post=post,
        preview=preview,
        team=_team(fields.get("team")),
        thread=thread,
        target=target,
        fields=fields,
    )


def _post(route: Route, *, title: str, texts: list[str], tags: tuple[str, ...]) -> Post:
    """Make the post; every text that a reader would see stands in title or body."""
    body = "\n\n".join(filter(None, texts))
    limit = MAX_ARTICLE if route.endpoint.operation.startswith("article.") else MAX_BODY
    if len(title) > MAX_TITLE or len(body) > limit:
        raise RequestError(
            400,
            "text_too_long",
            f"A title may have {MAX_TITLE} characters and this text {limit}.",
        )
    if "\0" in title or "\0" in body:
        raise unreadable("A text holds a NUL character.")
    return Post(title=title, body=body, tags=tags)


def _string(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise unreadable(f"{name} must be a text.")
    return value


def _strings(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise unreadable(f"{name} must be a list of texts.")
    return tuple(value)


def _team(value: str | None) -> str | None:
    """Give the slug of v2.3's `team`, which may be a URL such as `stackoverflow.com/c/acme`."""
    if not value:
        return None
    return value.rstrip("/").rpartition("/")[2].lower() or None


def _places(route: Route) -> tuple[str | None, str | None]:
    """Tell in which thread the write stands, and which existing post it means."""
    parts = route.endpoint.template.split("/")
    posts = [
        f"{noun.removesuffix('s')}/{route.params[name[1:-1]]}"
        for noun, name in pairwise(parts)
        if name[0] == "{" and name[1:-1] in route.params
    ]
    if not posts:
        return None, None
    if route.endpoint.operation in ("answer.create", "comment.create"):
        return posts[0], None
    thread = next((post for post in posts if post.startswith("question/")), None)
    return thread, posts[-1]


def _ambiguous(why: str) -> RequestError:
    return RequestError(400, "ambiguous_header", f"A header field is refused: {why}.")
