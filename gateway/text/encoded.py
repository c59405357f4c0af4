"""Text that a machine reads and a person does not: base64, and characters that are tags. Pure."""

from __future__ import annotations

import base64
import binascii
import re

_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,}+={0,2}+[ \t\r\n]*+)++(?:[A-Za-z0-9+/]{1,39}+=={0,1}+)?+"
)
_RUN = b"A" * 40
_ALPHABET = bytes(
    65 if (chr(code).isalnum() and code < 128) or code in b"+/" else 32 for code in range(256)
)
"""Makes runs of base64 out of texts: this finds those that have none in no time."""
_TAGS = re.compile("[\U000e0020-\U000e007e]{8,}+")
_UNTAGGED = {0xE0000 + code: code for code in range(0x20, 0x7F)}
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_OPAQUE = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])")


def decode(text: str) -> tuple[str, tuple[str, ...], int]:
    """Take what is encoded out of a text.

    Returns:
        The text without it, what it says, and how many letters say nothing.
    """
    if _RUN not in text.encode("utf-8", "replace").translate(_ALPHABET):
        return text, _from_tags(text), 0
    said: list[str] = []
    opaque = 0

    def take(match: re.Match[str]) -> str:
        nonlocal opaque
        run = "".join(match.group().split())
        decoded = _from_base64(run)
        if decoded is None:
            opaque += len(run) if _looks_encoded(run) else 0
            return match.group()
        said.append(decoded)
        return " "

    text = _BASE64.sub(take, text)
    return text, (*said, *_from_tags(text)), opaque


def _from_base64(run: str) -> str | None:
    run = run.rstrip("=")
    run = run[: len(run) - (len(run) % 4 == 1)]
    try:
        decoded = base64.b64decode(run + "=" * (-len(run) % 4), validate=True)
        text = decoded.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if len(decoded.translate(None, _CONTROLS)) > 0.95 * len(decoded) else None


def _looks_encoded(run: str) -> bool:
    """Tell a run of base64 from a path, a name or a number in base 16."""
    return run.count("/") <= len(run) // 20 + 1 and _OPAQUE.match(run) is not None


def _from_tags(text: str) -> tuple[str, ...]:
    if text.isascii():
        return ()
    return tuple(match.group().translate(_UNTAGGED) for match in _TAGS.finditer(text))
