"""Whose request it is, as SOE would read it: the one token and the one key among all places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from gateway.errors import RequestError
from gateway.model import Api, Headers
from gateway.soe.api import Route

_TOKEN, _KEY = "access_token", "key"
_FIELDS = {b"x-api-access-token": _TOKEN, b"access_token": _TOKEN, b"x-api-key": _KEY, b"key": _KEY}
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
    tokens: set[str] = set()
    keys: set[str] = set()
    found = {_TOKEN: tokens, _KEY: keys}
    for field_name, value in headers:
        if field_name == b"authorization":
            tokens.update(_bearer(route.endpoint.api, value))
        elif field_name in _FIELDS:
            found[_FIELDS[field_name]].add(value.decode("latin-1"))
    if route.query and _MAY_NAME_ONE.search(route.query):
        for name, text in _credentials_of_query(route.query):
            found[name].add(text)
    if fields:
        for name, values in found.items():
            values.add(fields.get(name, ""))
    tokens.discard("")
    keys.discard("")
    if keys and tokens == keys:
        tokens = set()
    if len(tokens) > 1 or len(keys) > 1 or not all(map(_VALUE.fullmatch, tokens | keys)):
        raise _ambiguous("The request carries two different tokens or keys, or a malformed one.")
    return Credentials(token=next(iter(tokens), None), key=next(iter(keys), None))


def _bearer(api: Api, value: bytes) -> tuple[str, ...]:
    match = _BEARER.fullmatch(value.strip(b" \t"))
    if match is not None:
        return (match[1].decode("latin-1"),)
    if api is Api.OAUTH:
        # RFC 6749 section 2.3.1 lets the client name itself by Basic; that is no token.
        return ()
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


def _ambiguous(detail: str) -> RequestError:
    return RequestError(400, "ambiguous_credentials", detail)
