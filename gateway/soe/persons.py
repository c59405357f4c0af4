"""Who a token writes as: how SOE is asked, and what its answer says. Pure."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.model import Api, Headers, Person

ANSWER_AT_MOST = 65_536
"""Bytes of an answer; a person has a few hundred."""
_NAME_AT_MOST, _EMAIL_AT_MOST = 256, 320


def request_for(token: str, api: Api, team: str | None) -> tuple[bytes, Headers] | None:
    """Give the target and the fields by which a token's person is asked for.

    None where SOE tells nobody: tokens of OAuth and SCIM are not a person's. v2.3 is asked for the
    main site's account, which is the same in every team: a token that meets a team that is not its
    own in the query of v2.3 is revoked (api.stackexchange.com/docs/teams).
    """
    if api is Api.V3:
        within = f"/teams/{team}" if team else ""
        return f"/api/v3{within}/users/me".encode(), (
            (b"authorization", b"Bearer " + token.encode()),
        )
    if api is Api.V2:
        return b"/api/2.3/me", ((b"x-api-access-token", token.encode()),)
    return None


def read_person(api: Api, status: int, body: bytes) -> Person | None:
    """Read an answer; None where it does not say for certain who it is.

    An account has one number on all sites, and its own on each: the first counts, where it is told.
    """
    if status != 200 or len(body) > ANSWER_AT_MOST:
        return None
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if api is Api.V2:
        items = told.get("items") if isinstance(told, dict) else None
        told = items[0] if isinstance(items, list) and len(items) == 1 else None
    if not isinstance(told, dict):
        return None
    return _person(told, *_NAMES[api])


_NAMES = {
    Api.V3: ("accountId", "id", "name"),
    Api.V2: ("account_id", "user_id", "display_name"),
}


def _person(told: Mapping[str, Any], account: str, user: str, name: str) -> Person | None:
    number = told.get(user) if told.get(account) is None else told[account]
    if type(number) is not int or number == 0:
        return None
    shown = _line(told.get(name), _NAME_AT_MOST)
    return Person(
        id=str(number),
        name=html.unescape(shown) if name == "display_name" else shown,  # v2.3 gives HTML
        email=_line(told.get("email"), _EMAIL_AT_MOST),
        external=_line(told.get("externalId"), _NAME_AT_MOST),
    )


def _line(value: object, most: int) -> str:
    """Give a text that can be shown in one line; else nothing."""
    fits = isinstance(value, str) and len(value) <= most and value.isprintable()
    return value if fits and isinstance(value, str) else ""
