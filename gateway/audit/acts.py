"""What a record keeps of `X-Explicit-Action`: enough to judge it again, and nobody's name. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import http_sf

_LITERAL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_KNOWN = ("act", "at", "ref", "to")
"""Members of an assertion that are kept as they came; of others, but `by`, only that they are there."""
_LONGEST = 128
"""Characters of a member that are kept."""
_VALUE_AT_MOST = 2048


def kept_act(value: str, secret: bytes) -> str | None:
    """Give the form in which a value is recorded; None for one that says nothing that counts.

    A literal is a token of at most 64 characters, as it came. An RFC 9651 dictionary that tells an
    act is written anew, with a keyed pseudonym in the place of `by`.
    """
    value = value.strip(" \t")
    if _LITERAL.fullmatch(value):
        return value
    if len(value) > _VALUE_AT_MOST:
        return None
    try:
        parsed: Any = http_sf.parse(value.encode("latin-1"), tltype="dictionary")
        told: dict[str, Any] = parsed
        act = told.get("act", (None,))[0]
        if not isinstance(act, str) or not act:
            return None
        return http_sf.ser({name: _kept(name, item[0], secret) for name, item in told.items()})
    except (ValueError, UnicodeError):
        return None


def pseudonym(person: str, secret: bytes) -> str:
    """Give what stands for a person in the log: the same for whoever is told by the same name."""
    return hashlib.blake2b(person.encode(), key=secret, digest_size=8).hexdigest()


def _kept(name: str, value: object, secret: bytes) -> Any:
    if name == "by" and isinstance(value, str) and value:
        return pseudonym(value, secret)
    if name in _KNOWN and isinstance(value, datetime):
        return value
    if name in _KNOWN and isinstance(value, str):
        return value[:_LONGEST]
    if name in _KNOWN and isinstance(value, http_sf.Token) and len(value) <= _LONGEST:
        return value
    return bool(value)
