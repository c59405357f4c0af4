"""Words that are not what they look like. Pure.

There are invisible characters where no script has any, in and beside words of Latin letters, and
words of letters from several scripts that look alike. Emoji are joined by such characters, Arabic, Persian and Indic scripts shape letters by them, Thai
and Khmer part words, soft hyphens stand in long words, and where text runs from right to left
direction marks stand around names, formulas mix Greek letters in: all that is honest and not
counted.
"""

from __future__ import annotations

import re

from gateway.text.page import unescape

_WORD = "0-9A-Za-z\u00c0-\u052f"
_UNSEEN = "\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0001\U000e0020-\U000e007f"
_TURNS = "\u202a-\u202e\u2066-\u2069"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ANY = re.compile(f"[{_UNSEEN}{_TURNS}]")


def _touching(unseen: str) -> re.Pattern[str]:
    """Find runs that touch a word; each counts once, so that a run of fillers is one."""
    return re.compile(f"(?<=[{_WORD}])[{unseen}]++|(?<![{unseen}])[{unseen}]++(?=[{_WORD}])")


_MARKS = _touching(_UNSEEN)
_MARKS_AND_TURNS = _touching(_UNSEEN + _TURNS)


_LONG = re.compile(r"[^\W\d_]{4,}+")
"""Words, not symbols of formulas: "μm", "ΔT"."""
_LATIN = re.compile("[A-Za-z]")
_ALIKE = re.compile("[\u0370-\u052f\u0531-\u058f\u13a0-\u13f5\ua4d0-\ua4ff]")


def mixed_words(text: str) -> tuple[int, int]:
    """Count the long words that mix Latin letters with those of scripts that look like them.

    Returns:
        How many do, and how many long words there are.
    """
    long = _LONG.findall(text)
    return sum(1 for word in long if _ALIKE.search(word) and _LATIN.search(word)), len(long)


def invisible_marks(text: str) -> int:
    """Count the places where invisible characters stand in or beside a word."""
    if text.isascii() and "&" not in text:
        return 0
    text = unescape(text)
    if text.isascii() or _ANY.search(text) is None:
        return 0
    marks = _MARKS if _RIGHT_TO_LEFT.search(text) else _MARKS_AND_TURNS
    return sum(1 for _ in marks.finditer(text))
