"""What the head of a request already shows: refused before the body is asked for.

It looks at reads as well: a field that turns a GET into a POST behind us must not pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError
from gateway.model import Headers
from gateway.soe.api import Route, body_limit
from gateway.soe.endpoint import BodyKind
from gateway.soe.wire import read_media_type, unsupported

_SINGLETONS = frozenset(
    {
        b"access_token",
        b"authorization",
        b"content-length",
        b"content-type",
        b"idempotency-key",
        b"key",
        b"origin",
        b"transfer-encoding",
        b"user-agent",
        b"x-api-access-token",
        b"x-api-key",
        b"x-gateway-dry-run",
        b"x-gateway-key",
    }
)
# Fields by which frameworks, IIS and proxies replace the method or the target of a request.
_OVERRIDES = frozenset(
    {
        b"x-envoy-original-path",
        b"x-forwarded-method",
        b"x-http-destinationurl",
        b"x-http-method",
        b"x-http-method-override",
        b"x-http-path-override",
        b"x-method-override",
        b"x-original-method",
        b"x-original-uri",
        b"x-original-url",
        b"x-override-method",
        b"x-override-url",
        b"x-rewrite-url",
    }
)
# CGI-like servers read `X_Forwarded_For` as `X-Forwarded-For`: what means something with hyphens
# must not come with underscores.
_SHADOWED = (
    _SINGLETONS
    | _OVERRIDES
    | {b"content-encoding", b"x-explicit-action", b"x-real-ip", b"x-host", b"true-client-ip"}
)
_SHADOWED_PREFIXES = (b"x-forwarded-", b"x-gateway-", b"gateway-", b"x-arr-", b"x-ms-client-")
_NAMED_WITH_UNDERSCORE = frozenset({b"access_token"})

_CONNECTION_OPTIONS = frozenset({b"", b"close", b"keep-alive", b"te"})
_IDEMPOTENCY_KEY = re.compile(rb"[!-~](?:[ -~]{0,253}[!-~])?")
# Names of fields by which a framework takes the method from the query string.
_OVERRIDE_IN_QUERY = re.compile(
    rb"(?:^|[&;?])[\s+]*(?:_method|_http_?method|x[-_]http[-_]method(?:[-_]override)?)\s*(?:[=&;\[]|$)"
)


def check_head(route: Route, headers: Headers) -> None:
    """Refuse what can be refused by the head alone.

    Raises:
        RequestError: `ambiguous_header`, `method_override`, `unexpected_body`,
            `bad_idempotency_key` (400), `body_too_large` (413), `unsupported_encoding` or
            `unsupported_media_type` (415).
    """
    fields = _checked(headers)
    if _overridden_by_query(route.query):
        raise _overridden()
    length = fields.get(b"content-length", b"0")
    has_body = b"transfer-encoding" in fields or length != b"0"
    if route.endpoint.method in ("GET", "HEAD"):
        if has_body:
            raise RequestError(400, "unexpected_body", "GET and HEAD carry no body here.")
        return
    if not length.isdigit():
        raise _ambiguous("Content-Length is no number.")
    limit = body_limit(route)
    if len(length) > 10 or int(length) > limit:
        raise RequestError(413, "body_too_large", f"The body may have at most {limit} bytes.")
    if has_body:
        _check_media_type(route.endpoint.body, fields.get(b"content-type", b""))


@lru_cache(128)
def _checked(headers: Headers) -> Mapping[bytes, bytes]:
    """Give the fields by name, after the checks that need no route."""
    fields = dict(headers)
    if len(fields) != len(headers):
        _check_singletons(headers)
    if not _OVERRIDES.isdisjoint(fields):
        raise _overridden()
    if b"_" in b"".join(fields) and any(map(_shadows, fields)):
        raise _ambiguous("A field name with '_' may be read as one with '-'.")
    if b"connection" in fields:
        _check_connection(headers)
    if b"idempotency-key" in fields and not _IDEMPOTENCY_KEY.fullmatch(fields[b"idempotency-key"]):
        raise RequestError(
            400, "bad_idempotency_key", "Idempotency-Key takes 1 to 255 visible ASCII characters."
        )
    if b"content-encoding" in fields:
        raise RequestError(
            415, "unsupported_encoding", "Send the body as it is, without Content-Encoding."
        )
    return fields


_JSON = re.compile(r"(?:application|text)/json|application/.+\+json")
_FORM = re.compile(r"application/x-www-form-urlencoded")
_MULTIPART = re.compile(r"multipart/form-data")
_IMAGE = re.compile(r"(?:image|img)/[a-z0-9.-]+")
_MEDIA_TYPES = {
    BodyKind.NONE: (_JSON, "application/json"),
    BodyKind.OBJECT: (_JSON, "application/json"),
    BodyKind.IDS: (_JSON, "application/json"),
    BodyKind.FORM: (_FORM, "application/x-www-form-urlencoded"),
    BodyKind.IMAGE: (_IMAGE, "multipart/form-data or image/png"),
}


def _check_media_type(body: BodyKind, content_type: bytes) -> None:
    pattern, example = _MEDIA_TYPES[body]
    wanted = f"Send this body with Content-Type: {example}."
    if not content_type:
        raise unsupported(f"A body needs a Content-Type. {wanted}")
    kind, parameters = read_media_type(content_type)
    if body is BodyKind.IMAGE and _MULTIPART.fullmatch(kind):
        if parameters.keys() != {"boundary"}:
            raise unsupported("multipart/form-data needs a boundary and nothing else.")
        return
    if not pattern.fullmatch(kind):
        raise unsupported(wanted)
    charset = {name: value.lower() for name, value in parameters.items()}
    if charset not in ({}, {"charset": "utf-8"}):
        raise unsupported("The only parameter that Content-Type may have here is charset=utf-8.")


def _check_singletons(headers: Headers) -> None:
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in seen and name in _SINGLETONS:
            raise _ambiguous(f"{name.decode()} stands more than once.")
        seen.add(name)


def _overridden_by_query(query: bytes) -> bool:
    return bool(query) and bool(_OVERRIDE_IN_QUERY.search(unquote_to_bytes(query).lower()))


def _check_connection(headers: Headers) -> None:
    options = {
        option.strip(b" \t").lower()
        for name, value in headers
        if name == b"connection"
        for option in value.split(b",")
    }
    if not options <= _CONNECTION_OPTIONS:
        # A proxy between would drop the fields named there, ours among them.
        raise _ambiguous("Connection may only say close, keep-alive or TE.")


def _shadows(name: bytes) -> bool:
    if b"_" not in name:
        return False
    hyphened = name.replace(b"_", b"-")
    shadows = hyphened in _SHADOWED or hyphened.startswith(_SHADOWED_PREFIXES)
    return shadows and name not in _NAMED_WITH_UNDERSCORE


def _overridden() -> RequestError:
    return RequestError(400, "method_override", "Method and path cannot be overridden here.")


def _ambiguous(detail: str) -> RequestError:
    return RequestError(400, "ambiguous_header", detail)
