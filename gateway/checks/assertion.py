"""Assertions of an act, as `X-Explicit-Action` carries them: RFC 9651 dictionaries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import http_sf

from gateway.model import Write

LONGEST = 2048
"""Characters of a value that is read: acts are named in a line."""
Assertion = Mapping[str, Any]
"""Members by their names, without their parameters."""
_NOTHING: Assertion = MappingProxyType({})


def read_assertion(value: str) -> Assertion:
    """Read the value of a header.

    Raises:
        ValueError: it is no dictionary, is too long, or names a member twice, of which RFC 9651
            section 3.2 takes the last and another reader may take the first.
    """
    if len(value) > LONGEST:
        raise ValueError("too long")
    parsed: Any = http_sf.parse(
        value.encode("latin-1"), tltype="dictionary", on_duplicate_key=_refuse_double
    )
    return {key: item[0] for key, item in parsed.items()}


def _refuse_double(key: str, _: str) -> None:
    raise ValueError(key)


@lru_cache(maxsize=64)  # several rules ask, and each twice
def assertion(value: str) -> Assertion:
    """Read a value; nothing where it is none that can be read."""
    try:
        return read_assertion(value.strip(" \t"))
    except ValueError:
        return _NOTHING


def told_by(write: Write) -> Assertion:
    """Give what a write asserts by its one field; nothing where it has not exactly one."""
    return assertion(write.actions[0]) if len(write.actions) == 1 else _NOTHING


def text_of(value: object) -> str | None:
    """Give a member that is a text, whichever of the three kinds of RFC 9651; None for others."""
    is_text = isinstance(value, str | http_sf.Token | http_sf.DisplayString)
    return str(value) if is_text else None


def is_told(value: object) -> bool:
    """Whether a member says something: that it is there (`by` alone is true) is no name."""
    return bool(value) and not isinstance(value, bool)


def without_time(write: Write) -> str:
    """Give what a write asserts but for the time of the act; empty where it asserts nothing."""
    told = told_by(write)
    apart = sorted((name, repr(value)) for name, value in told.items() if name != "at")
    return repr(apart) if text_of(told.get("act")) else ""
