"""Characters as a reader takes them in: case, forms, marks and look-alikes make no difference. Pure.

Each character is folded by itself, so what a text becomes is the sum of what its characters
become, and every folded character knows where it came from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Generator, Iterator

from gateway.text.lookalikes import LOOKALIKES

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
"""Characters that nobody sees: zero-width, direction marks, fillers, variation selectors, tags."""
_BLANK = "\u2800\u3164\uffa0"
"""Characters that are seen as a gap, though Unicode counts them among letters or symbols."""
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
_ALIKE = {ord(char): like for like, chars in LOOKALIKES.items() for char in chars}
_LONGEST = 8
"""Letters for which one character may stand; the two that stand for more are taken as they are."""
_SHORT = 2000
_MANY = 1 << 16
"""Folds that are kept: more than any language has, less than all of Unicode."""
_AT_ONCE = 256
"""Characters that are folded for the first time in a millisecond or two."""

_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_CONTROLS = bytes(code for code in (*range(32), 127) if chr(code) not in _SPACES)
_LOWER = bytes(range(256)).lower()


def fold(text: str) -> str:
    """Give a text with its characters folded: ASCII letters where they read as such, lower case.

    Marks above and below letters, control characters and `INVISIBLE` ones go. ASCII punctuation
    stays; beyond ASCII, what is no letter and no digit becomes a space.
    """
    if len(text) > _SHORT and not text.isascii():
        text = text.translate(_FOLDS)
    elif not text.isascii():
        text = _BEYOND_ASCII.sub(_fold_run, text)  # mostly a few quotation marks and dashes
    return text.encode().translate(_LOWER, _CONTROLS).decode()


def learn(text: str) -> Generator[None, None, None]:
    """Fold the characters of a text that were not seen before, yielding every millisecond or two."""
    for number, code in enumerate({*map(ord, text)} - _FOLDS.keys(), 1):
        _FOLDS[code]
        if number % _AT_ONCE == 0:
            yield


def trace(text: str) -> Iterator[tuple[str, int]]:
    """Give each folded character with the index of the one that it comes from."""
    for index, char in enumerate(text):
        for folded in fold(char):
            yield folded, index


def is_seen(char: str) -> bool:
    """Tell whether a character is one that a reader sees, be it as a mark above another."""
    return bool(fold(char)) or unicodedata.category(char).startswith("M")


class _Folds(dict[int, str]):
    """Folds characters as they come, and keeps the folds: most texts need a few dozen."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MANY:
            self.clear()
        folded = self[code] = _fold(chr(code))
        return folded


def _fold_run(match: re.Match[str]) -> str:
    return match.group().translate(_FOLDS)


def _fold(char: str) -> str:
    """Fold one character: NFKC, look-alikes (TR39), NFKD without marks, case."""
    if char.isascii():
        return "" if ord(char) in _CONTROLS else char.lower()
    category = unicodedata.category(char)
    if char in _SPACES or char in _BLANK or category == "Cs":
        return " "
    if category in ("Cf", "Cc") or INVISIBLE.match(char):
        return ""
    text = unicodedata.normalize("NFKC", char).translate(_ALIKE)
    if len(text) > _LONGEST:
        return char
    text = _without_marks(text).translate(_ALIKE).casefold()
    return "".join(map(_plain, _without_marks(text).translate(_ALIKE)))


def _without_marks(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    return "".join(char for char in parts if not unicodedata.category(char).startswith("M"))


def _plain(char: str) -> str:
    """Part words at all that is none, and write digits of other scripts as ours."""
    if not char.isascii() and not char.isalnum():
        return " "
    return str(unicodedata.decimal(char, char))


_FOLDS = _Folds()
