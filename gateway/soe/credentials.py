"""Whose request it is, as SOE would read it: the one token and the one key among all places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_plus

from gateway.errors import RequestError
from gateway.model import Api, Headers
from gateway.soe.api import Route

_TOKEN, _KEY = "access_token", "key"
_FIELDS = {b"x-api-access-token": _TOKEN, b"access_token": _TOKEN, b"x-api-key": _KEY, b"key": _KEY}
TOKEN_FIELDS = frozenset({b"authorization", b"x-api-access-token", b"access_token"})
"""Where a token stands in a head."""
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([^\s,;\"]+)")
# A comma may join two fields on their way here.
_VALUE = re.compile(r"[!-+.-~-]+")
_MAY_NAME_ONE = re.compile(rb"key|token|%", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The SOE token and the application's key of a request, None where it has none."""

    token: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


def credentials(
    route: Route, headers: Headers, fields: Mapping[str, str] | None = None
) -> Credentials:
    """Gather the credentials from header fields, query string and, once read, the form.

    The same value in several places is no contradiction, nor is a key beside a token. v2.3 takes
    the key as a bearer too.

    Raises:
        RequestError: `ambiguous_credentials` (400): two different tokens or keys, or a value that
            may be two.
    """
    found = list(_in_head(route.endpoint.api, headers))
    if route.query and _MAY_NAME_ONE.search(route.query):
        found += _credentials_of_query(route.query)
    if fields:
        found += [(name, fields.get(name, "")) for name in (_TOKEN, _KEY)]
    token = _only(_TOKEN, found)
    key = _only(_KEY, found)
    return Credentials(token=None if token == key else token, key=key)


@lru_cache(128)
def _in_head(api: Api, headers: Headers) -> tuple[tuple[str, str], ...]:
    found = []
    for name, value in headers:
        if name == b"authorization":
            found.append((_TOKEN, _bearer(api, value)))
        elif name in _FIELDS:
            found.append((_FIELDS[name], value.decode("latin-1")))
    return tuple(found)


def _only(kind: str, found: list[tuple[str, str]]) -> str | None:
    """Give the one value of a kind, however often it stands."""
    values = {value for name, value in found if name == kind and value}
    if not values:
        return None
    value = values.pop()
    if values or not _VALUE.fullmatch(value):
        raise _ambiguous("The request carries two different tokens or keys, or a malformed one.")
    return value


def _bearer(api: Api, value: bytes) -> str:
    match = _BEARER.fullmatch(value.strip(b" \t"))
    if match is not None:
        return match[1].decode("latin-1")
    if api is Api.OAUTH:
        # RFC 6749 section 2.3.1 lets the client name itself by Basic; that is no token.
        return ""
    raise _ambiguous('Authorization must be "Bearer" and one token.')


def _credentials_of_query(query: bytes) -> list[tuple[str, str]]:
    # Leniently: the query of a read holds what it likes.
    pairs = []
    for part in query.decode("latin-1").split("&") if query else ():
        name, _, value = part.partition("=")
        name = unquote_plus(name).strip().lower()
        if name in (_TOKEN, _KEY):
            pairs.append((name, unquote_plus(value)))
    return pairs


def token_field(api: Api, token: str) -> tuple[bytes, bytes] | None:
    """Give the header field in which a surface takes the token of somebody who writes."""
    fields = {
        Api.V2: (b"x-api-access-token", token.encode()),
        Api.V3: (b"authorization", b"Bearer " + token.encode()),
    }
    return fields.get(api)


def _ambiguous(detail: str) -> RequestError:
    return RequestError(400, "ambiguous_credentials", detail)
