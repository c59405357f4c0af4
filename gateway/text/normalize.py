"""The words of a text, as a reader takes them in.

Letter case, punctuation, Markdown's marks, white space, and characters that nobody sees make no
difference; so texts that read the same have the same words.
"""

from __future__ import annotations

import re
import unicodedata

_ASCII = bytes(
    ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 0x20 for byte in range(256)
)
"""Letters and digits in lower case, everything else a space."""
_WORD = re.compile(r"[^\W_]+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"')\]]+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.])(?:[a-z]:)?[\\/]?(?:[\w.@%+-]+[\\/])+[\w.@%+-]*", re.IGNORECASE)


def words(text: str) -> list[str]:
    """Give the words of a text, in order."""
    if text.isascii():
        return text.encode().translate(_ASCII).decode().split()
    return _WORD.findall(_visible(text))


def event_words(text: str) -> list[str]:
    """Give the words with what changes from one event to the next masked.

    URLs become `url`, paths `path`, and every word with a digit `0`: times, ids, counts, versions.
    """
    if "/" in text or "\\" in text:
        text = _PATH.sub(" path ", _URL.sub(" url ", text))
    return ["0" if any(map(str.isdigit, word)) else word for word in words(text)]


def _visible(text: str) -> str:
    """Fold forms (NFKC), drop what nobody sees, fold case."""
    folded = unicodedata.normalize("NFKC", text)
    seen = "".join(
        char
        for char in folded
        if char.isascii()
        or not (unicodedata.category(char) in ("Cf", "Cc") or "\ufe00" <= char <= "\ufe0f")
    )
    return unicodedata.normalize("NFKC", seen.casefold())
