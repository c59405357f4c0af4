"""What looks like a credential, masked in what a caller says of itself. Pure.

Nothing that is meant to carry a credential comes into a record; this is for what is not, and does.
"""

from __future__ import annotations

from functools import lru_cache

import re2

MASK = "-"
"""Shorter than anything that it stands for, so that a length tells that something is missing."""
LOOKED_AT = 2048
"""Characters that are looked at; what comes after them is left out."""
_REMEMBERED = 256
"""Texts: callers say the same of themselves with each write."""
_NAMES = (
    r"[a-z_-]*(?:token|secret|password|passwd|pwd|credential|signature|cookie|session|bearer)[a-z_-]*"
    r"|(?:api|access|gateway|client|private)?[_-]?key|code|state|authorization|auth|sig"
)
_VALUE = r"[^\s\"'&;,<>)]"
# RE2, for its time grows with the length alone, whatever somebody makes up.
_NAMED = re2.compile(rf"(?i)\b((?:{_NAMES})\"?\s*[=:]\s*\"?){_VALUE}{{2,}}")
_SCHEME = re2.compile(rf"(?i)\b((?:bearer|basic|negotiate|digest|token)\s+){_VALUE}{{6,}}")
_USERINFO = re2.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@")
_LONG = re2.compile(r"\b[A-Za-z0-9_-]{20,}\)*")


def masked(text: str) -> str:
    """Mask what is told as a credential: `token=…`, `Bearer …`, `https://user:password@`."""
    text = _USERINFO.sub(rf"\1{MASK}@", text[:LOOKED_AT])
    for pattern in (_SCHEME, _NAMED):
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def masked_words(text: str) -> str:
    """Mask that, and every long word of letters and digits: tokens and keys are such words."""
    return _masked_words(text[:LOOKED_AT])


@lru_cache(_REMEMBERED)
def _masked_words(text: str) -> str:
    found: str = _LONG.sub(lambda met: MASK if _is_mixed(met[0]) else met[0], masked(text))
    return found


def _is_mixed(word: str) -> bool:
    return any(char.isdigit() for char in word) and any(char.isalpha() for char in word)
