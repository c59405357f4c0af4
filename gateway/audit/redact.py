"""What looks like a credential, masked in what a caller says of itself. Pure.

Nothing that is meant to carry a credential comes into a record; this is for what is not, and does.
"""

from __future__ import annotations

import re

MASK = "-"
"""Shorter than anything that it stands for, so that a length tells that something is missing."""
_NAMES = (
    r"(?:[a-z_-]*(?:token|secret|password|passwd|pwd|credential|signature|cookie|session|bearer)"
    r"[a-z_-]*|(?:api|access|gateway|client|private)?[_-]?key|code|state|authorization|auth|sig)"
)
_NAMED = re.compile(rf"(?i)\b({_NAMES}\"?\s*[=:]\s*\"?)(?!-)[^\s\"'&;,<>)]{{2,}}")
_SCHEME = re.compile(r"(?i)\b((?:bearer|basic|negotiate|digest|token)\s+)[^\s\"'&;,<>)]{6,}")
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+(?=@)")
_RANDOM = re.compile(r"\b(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[\w-]{20,}\)*", re.IGNORECASE | re.ASCII)


def masked(text: str) -> str:
    """Mask what is told as a credential: `token=…`, `Bearer …`, `https://user:password@`."""
    for pattern in (_USERINFO, _SCHEME, _NAMED):
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def masked_words(text: str) -> str:
    """Mask that, and every long word of letters and digits: tokens and keys are such words."""
    return _RANDOM.sub(MASK, masked(text))
