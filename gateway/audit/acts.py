"""What a record keeps of `X-Explicit-Action`: enough to judge it again, and nobody's name. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import http_sf

from gateway.checks.assertion import is_told, read_assertion, text_of

_LITERAL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_KNOWN = ("act", "at", "ref", "to")
"""Members of an assertion that are kept as they came; of others, but `by`, only that they are there."""
_MEMBER_AT_MOST = 128
"""Characters of a member that are kept."""
_TOLD = "-"
"""In the place of a member that says something."""


def kept_act(value: str, secret: bytes) -> str | None:
    """Give the form in which a value is recorded; None for one that says nothing that counts.

    A literal is a token of at most 64 characters, as it came. An RFC 9651 dictionary that tells an
    act is written anew, with a keyed pseudonym in the place of `by`.
    """
    value = value.strip(" \t")
    if _LITERAL.fullmatch(value):
        return value
    try:
        told = read_assertion(value)
        act = told.get("act")
        if not isinstance(act, str) or not act:
            return None
        return http_sf.ser({name: _kept(name, each, secret) for name, each in told.items()})
    except (ValueError, UnicodeError):
        return None


def pseudonym(person: str, secret: bytes) -> str:
    """Give what stands for a person in the log: the same for whoever is told by the same name."""
    return hashlib.blake2b(person.encode(), key=secret, digest_size=8).hexdigest()


def _kept(name: str, value: object, secret: bytes) -> Any:
    if name == "by" and text_of(value):
        return pseudonym(str(value).casefold(), secret)
    if name in _KNOWN and isinstance(value, datetime):
        return value
    if name in _KNOWN and isinstance(value, str | http_sf.Token | http_sf.DisplayString):
        return value[:_MEMBER_AT_MOST]
    return _TOLD if is_told(value) else False
