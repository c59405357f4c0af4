"""The words of a text, as they stand and with what changes from one event to the next masked. Pure.

Letter case, punctuation, white space and characters that nobody sees make no difference. Where
letters are spaced out ("r e s t a r t"), their word is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.text.folding import fold

NUMBER, URL, PATH = MASKS = ("0", "url", "path")
"""What stands for every word with a digit, every address and every path."""

_ADDRESS = re.compile(r"(?<![^\W_])https?://[^\s/)\]>\"'][^\s)\]>\"']*+")
_FILE = re.compile(r"(?<![\w/])(?:[a-z]:)?(?:[\\/][\w.$@~+-]++){2,}+[\\/]?")
_WORD = re.compile(r"[^\W_]+")
_SPACED = re.compile(r"(?<![^\W_])[^\W\d_](?:(?:[^\w\n]|_)[^\W\d_](?![^\W_]))++")
_GAP = re.compile(r"[\W_]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no space between words."""
_LONGEST = 24
"""Letters of the longest word that is made of spaced letters: beyond, no gap told where it ends."""

_LETTERS = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_MASKED = _LETTERS.translate(bytes(48 if 48 <= code < 58 else code for code in range(256)))


def words(text: str) -> list[str]:
    """Give the words of a text, in order."""
    return split(text)[0]


def event_words(text: str) -> list[str]:
    """Give the words with URLs as `url`, paths as `path`, and every word with a digit as `0`."""
    return split(text)[1]


def split(text: str) -> tuple[list[str], list[str]]:
    """Give the words of a text, as they stand and masked."""
    folded = fold(text)
    plain = _words(folded)
    masked = mask(folded)
    if spaced(plain):
        plain, masked = _words(join_spaced(folded)), join_spaced(masked)
    if masked is folded and not _has_digit(folded):
        return plain, plain
    return plain, _masked_words(masked)


def mask(folded: str) -> str:
    """Mask addresses and paths."""
    if "://" in folded:
        folded = _ADDRESS.sub(f" {URL} ", folded)
    if "/" in folded or "\\" in folded:
        folded = _FILE.sub(f" {PATH} ", folded)
    return folded


def spaced(plain: Sequence[str]) -> bool:
    """Tell whether so many words are short that letters may stand apart."""
    return len(plain) >= 8 and len("".join(plain)) < 3 * len(plain)


def join_spaced(folded: str) -> str:
    """Put words together whose letters stand apart, where wider gaps part them."""
    return _SPACED.sub(_joined, folded)


def count(masked: Sequence[str]) -> int:
    """Count the real words: masks are none; scripts without spaces count by characters."""
    real = len(masked) - sum(map(masked.count, MASKS))
    if not _UNSPACED.search("".join(masked)):
        return real
    long = (len(word) for word in masked if len(word) >= 6 and _UNSPACED.match(word))
    return real + sum(length // 2 - 1 for length in long)


def _joined(match: re.Match[str]) -> str:
    word = _GAP.sub("", match.group())
    return word if len(word) <= _LONGEST else match.group()


def _words(folded: str) -> list[str]:
    if folded.isascii():
        return folded.encode().translate(_LETTERS).decode().split()
    return _WORD.findall(folded)


def _masked_words(masked: str) -> list[str]:
    if masked.isascii():
        parts = masked.encode().translate(_MASKED).decode().split()
        return [NUMBER if NUMBER in word else word for word in parts]
    return [NUMBER if _has_digit(word) else word for word in _WORD.findall(masked)]


def _has_digit(folded: str) -> bool:
    return _DIGIT.search(folded) is not None


_DIGIT = re.compile(r"\d")
