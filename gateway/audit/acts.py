"""What a record keeps of `X-Explicit-Action`: enough to judge it again, and nobody's name. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import http_sf

from gateway.audit.people import People
from gateway.audit.redact import masked, masked_words
from gateway.checks.assertion import is_told, read_assertion, text_of

_LITERAL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_KNOWN = ("act", "at", "ref", "to")
"""Members of an assertion that are kept as they came; of others, but `by`, only that they are there."""
_MEMBER_AT_MOST = 128
"""Characters of a member that are kept."""
_TOLD = "-"
"""In the place of a member that says something."""


def kept_act(value: str, people: People) -> str | None:
    """Give the form in which a value is recorded; None for one that says nothing that counts.

    A literal is a token of at most 64 characters, as it came, unless it looks like a credential. An RFC 9651 dictionary that tells an
    act is written anew, with what stands for a person in the place of `by`.
    """
    value = value.strip(" \t")
    if _LITERAL.fullmatch(value):
        return value if masked_words(value) == value else None
    try:
        told = read_assertion(value)
        act = told.get("act")
        if not isinstance(act, str) or not act:
            return None
        return http_sf.ser({name: _kept(name, each, people) for name, each in told.items()})
    except (ValueError, UnicodeError):
        return None


def _kept(name: str, value: object, people: People) -> Any:
    if name == "by" and text_of(value):
        return _text(people.told(str(value))) or _TOLD
    if name in _KNOWN and isinstance(value, datetime):
        return value
    if name in _KNOWN and isinstance(value, str | http_sf.Token | http_sf.DisplayString):
        shown = masked(str(value))
        return (value if shown == str(value) else type(value)(shown))[:_MEMBER_AT_MOST]
    return _TOLD if is_told(value) else False


def _text(name: str) -> str | http_sf.DisplayString:
    """Give a name as the kind of text of RFC 9651 that can hold it."""
    return name if name.isascii() and name.isprintable() else http_sf.DisplayString(name)
