"""Codes that a sign-in gives: each works once, and soon. PKCE, which binds one to who asked."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

_Meaning = TypeVar("_Meaning")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64url, as RFC 7636 section 4.2 makes it."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Codes(Generic[_Meaning]):
    """Codes, and what each stands for until it is redeemed or too old.

    Args:
        lifetime: seconds.
    """

    def __init__(self, lifetime: float, now: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._now = now
        self._there: dict[str, tuple[float, _Meaning]] = {}

    def issue(self, meaning: _Meaning) -> str:
        """Make a code."""
        now = self._now()
        self._there = {code: held for code, held in self._there.items() if held[0] > now}
        code = secrets.token_urlsafe(24)
        self._there[code] = (now + self._lifetime, meaning)
        return code

    def redeem(self, code: str) -> _Meaning | None:
        """Give what a code stands for and forget it; None for one that is spent, old or made up."""
        until, meaning = self._there.pop(code, (0.0, None))
        return meaning if self._now() < until else None

    def clear(self) -> None:
        """Forget every code."""
        self._there.clear()


def proves(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one of a challenge, by the method S256 of RFC 7636."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
