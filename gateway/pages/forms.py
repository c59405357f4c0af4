"""What a browser sends: fields of addresses and of forms, and proof that a form is one of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from gateway.errors import RequestError
from gateway.pages.session import Session, Sessions
from gateway.proxy.exchange import Exchange, one
from gateway.proxy.waiting import PLACE

_LARGEST = 4096
"""Bytes of a form."""
_FORM = b"application/x-www-form-urlencoded"
_ID = re.compile("[0-9a-f]{32}")


def query_of(exchange: Exchange) -> dict[str, str]:
    """Give the fields of a request's address.

    Raises:
        RequestError: `ambiguous_fields` (400).
    """
    return _fields(exchange.target.partition(b"?")[2])


async def form_of(exchange: Exchange, own: str) -> dict[str, str]:
    """Give the fields of a form that a page of ours sent.

    Args:
        own: our own origin, as `https://host`.

    Raises:
        RequestError: `foreign_origin` (403), `not_a_form` (415), `body_too_large` (413) or
            `ambiguous_fields` (400).
    """
    origins = [value for name, value in exchange.headers if name == b"origin"]
    if origins != [own.encode()] or _site(exchange) not in (None, b"same-origin"):
        raise RequestError(
            403,
            "foreign_origin",
            f"This can only be sent from a page of this gateway: open it at {own}.",
        )
    return await fields_of(exchange)


async def fields_of(exchange: Exchange) -> dict[str, str]:
    """Give the fields of a form, whoever sent it.

    Raises:
        RequestError: `not_a_form` (415), `body_too_large` (413) or `ambiguous_fields` (400).
    """
    media_type = (one(exchange.headers, b"content-type") or b"").partition(b";")[0].strip()
    if media_type.lower() != _FORM:
        raise RequestError(415, "not_a_form", "This takes what the form of the page sends.")
    return _fields(await exchange.body(_LARGEST))


def check_token(
    sessions: Sessions, session: Session | None, purpose: str, fields: Mapping[str, str]
) -> Session:
    """Make sure that a form was filled in on a page that this very session was shown.

    Raises:
        RequestError: `stale_page` (403).
    """
    if session is None or not sessions.accepts(session, purpose, fields.get("token", "")):
        raise RequestError(
            403,
            "stale_page",
            "You are not signed in any more, or as somebody else by now: open the page again.",
        )
    return session


def place_of(fields: Mapping[str, str]) -> str:
    """Give the page that somebody looks at, from what a form or an address says of it.

    Raises:
        RequestError: `no_page` (404): it is none.
    """
    if _ID.fullmatch(fields.get("hold", "")) is None:
        raise RequestError(404, "no_page", "There is no such page.")
    return place(fields["hold"], fields.get("return_to", ""))


def place(hold_id: str, return_to: str) -> str:
    """Give the address of a hold's page, below our own origin."""
    carried = f"?{urlencode({'return_to': return_to})}" if return_to else ""
    return f"{PLACE}{hold_id}{carried}"


def _site(exchange: Exchange) -> bytes | None:
    """Where a browser says that the request comes from (Fetch Metadata)."""
    return one(exchange.headers, b"sec-fetch-site")


def _fields(encoded: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict"
        )
    except ValueError:
        pairs = [("", ""), ("", "")]
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise RequestError(400, "ambiguous_fields", "A field is given twice, or cannot be read.")
    return fields
