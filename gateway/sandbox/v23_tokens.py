"""Tokens in API v2.3: exchanging one to write as somebody else, reading and revoking them."""

from __future__ import annotations

import re
import time
from typing import Any

from gateway.sandbox.people import Minted
from gateway.sandbox.site import SiteError
from gateway.sandbox.v23_shapes import Call

_SECONDS = 86_400
_MOST = 20


def exchange(call: Call) -> list[dict[str, Any]]:
    """Mint tokens that write as another account, each from a parent that is a person's own.

    Raises:
        SiteError: without a key, of an unknown parent or account, or of a parent that was itself
            minted so.
    """
    people = call.site.people
    if not call.key:
        raise SiteError(405, "key", "key is required")
    if call.fields.get("exchange_type") != "impersonate":
        raise SiteError(406, "exchange_type", "exchange_type")
    parents = _tokens(call.fields.get("access_tokens", ""))
    if not parents or not all(people.knows(parent) for parent in parents):
        raise SiteError(406, "access_tokens", "access_tokens")
    account = call.fields.get("account_id", "")
    user = people.account(int(account)) if re.fullmatch(r"-?\d{1,9}", account) else None
    if user is None:
        raise SiteError(406, "account_id", "account_id")
    if any(parent in people.minted and people.minted[parent].parent for parent in parents):
        told = "Access denied - impersonation is only allowed via service accounts"
        raise SiteError(403, "impersonation", told)
    scope = ("custom_timestamps", "write_access")
    return [
        _item(call, people.mint(user, scope, parent=parent))
        | {"exchange_type": "impersonate", "original_access_token": parent}
        for parent in parents
    ]


def read(call: Call) -> list[dict[str, Any]]:
    """Tell of each token that is known for whom it acts."""
    return [_item(call, token) for token in _tokens(call.word) if call.site.people.knows(token)]


def invalidate(call: Call) -> list[dict[str, Any]]:
    """Revoke tokens."""
    told = read(call)
    for each in told:
        call.site.people.revoke(each["access_token"])
    return told


def deauthenticate(call: Call) -> list[dict[str, Any]]:
    """Revoke all tokens that a client has of a person, given one of them."""
    people = call.site.people
    told = read(call)
    for each in told:
        people.revoke(each["access_token"])
        if meant := people.minted.get(each["access_token"]):
            for token, other in list(people.minted.items()):
                if _pair(other) == _pair(meant):
                    people.revoke(token)
    return told


def _pair(minted: Minted) -> tuple[int, str, str]:
    return minted.user.id, minted.client, minted.parent


def _tokens(text: str) -> list[str]:
    tokens = [each for each in text.split(";") if each]
    if len(tokens) > _MOST:
        raise SiteError(406, "access_tokens", "access_tokens")
    return tokens


def _item(call: Call, token: str) -> dict[str, Any]:
    minted = call.site.people.minted.get(token)
    return {
        "access_token": token,
        "account_id": call.site.user_of(token).id,
        "scope": list(minted.scope if minted else ("write_access",)),
        "expires_on_date": int(time.time()) + _SECONDS,
    }
