"""The words of a text, as they stand and with what changes from one event to the next masked. Pure.

Letter case, punctuation, white space and characters that nobody sees make no difference. Where
letters are spaced out ("r e s t a r t"), their word is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.text.folding import fold

NUMBER, URL, PATH = MASKS = ("0", "url", "path")
"""What stands for every word with a digit, every address and every path."""

ADDRESS = re.compile(r"https?://[^\s/)\]>\"'][^\s)\]>\"']*+")
FILE = re.compile(r"(?<![\w/])(?:[a-z]:)?(?:[\\/][\w.$@~+-]++){2,}+[\\/]?")
_SLASHES = re.compile(r"[\\/][\w.$@~+-]++[\\/]")
SPACED = re.compile(r"(?<![^\W_])[^\W\d_]([^\w\n]|_)[^\W\d_](?![^\W_])(?:\1[^\W\d_](?![^\W_]))++")
GAP = re.compile(r"[\W_]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no space between words."""
_SOME = 8
"""Words from which on their length tells something."""
LONGEST = 24
"""Letters of the longest word that is made of spaced letters: beyond, no gap told where it ends."""

_LETTERS = bytes(code if chr(code).isalnum() or code > 127 else 32 for code in range(256))
"""For UTF-8 of folded text: beyond ASCII it has letters and digits alone."""
_MASKED = _LETTERS.translate(bytes(48 if 48 <= code < 58 else code for code in range(256)))


class Words(NamedTuple):
    """The words of a text, as they stand and masked.

    They have so many letters, and so many of them are real: masks are none, and scripts without
    spaces count by characters.
    """

    plain: list[str]
    masked: list[str]
    letters: int
    real: int


_NO_WORDS = Words([], [], 0, 0)


def words(text: str) -> list[str]:
    """Give the words of a text, in order."""
    folded = fold(text)
    plain = cut(folded)
    return cut(join_spaced(folded)) if are_spaced(len(plain), len("".join(plain))) else plain


def split(text: str) -> Words:
    """Give the words of a text, as they stand and masked."""
    if not text:
        return _NO_WORDS
    folded = fold(text)
    spaced = _spaced(folded, _LETTERS)
    plain = spaced.split()
    letters = len(spaced) - spaced.count(" ")
    masked = mask(folded)
    if are_spaced(len(plain), letters):
        plain, masked = cut(join_spaced(folded)), join_spaced(masked)
    zeros = _spaced(masked, _MASKED)
    if masked is folded and NUMBER not in zeros:
        return Words(plain, plain, letters, _real(plain, zeros))
    words = [NUMBER if NUMBER in word else word for word in zeros.split()]
    return Words(plain, words, letters, _real(words, zeros))


def mask(folded: str) -> str:
    """Mask addresses and paths."""
    if "://" in folded:
        folded = ADDRESS.sub(f" {URL} ", folded)
    if ("/" in folded or "\\" in folded) and _SLASHES.search(folded):
        folded = FILE.sub(f" {PATH} ", folded)
    return folded


def are_spaced(words: int, letters: int) -> bool:
    """Tell whether so many words are short that letters may stand apart."""
    return words >= _SOME and letters < 3 * words


def join_spaced(folded: str) -> str:
    """Put words together whose letters stand apart, where wider gaps part them."""
    return SPACED.sub(_joined, folded)


def _real(masked: Sequence[str], text: str) -> int:
    real = len(masked)
    for mask in MASKS:
        if mask in text:  # most texts have none, which is told faster
            real -= masked.count(mask)
    if text.isascii() or not _UNSPACED.search(text):
        return real
    long = (len(word) for word in masked if len(word) >= 6 and _UNSPACED.match(word))
    return real + sum(length // 2 - 1 for length in long)


def _joined(match: re.Match[str]) -> str:
    word = GAP.sub("", match.group())
    return word if len(word) <= LONGEST else match.group()


def cut(folded: str) -> list[str]:
    """Cut a folded text into words."""
    return _spaced(folded, _LETTERS).split()


def _spaced(folded: str, table: bytes) -> str:
    """Put a space in place of whatever stands between words."""
    return folded.encode().translate(table).decode()
