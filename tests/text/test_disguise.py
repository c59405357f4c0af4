"""Invisible characters count where no script has any."""

from __future__ import annotations

import pytest

from gateway.text.disguise import invisible_marks, mixed_words

HONEST = {
    "plain": "Restart the agent &amp; log in",
    "accents": "Jürgen Łukasz Zoë Đặng naïve cafe\u0301",
    "emoji": "Fine 👩\u200d💻 👨\u200d👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3 ©\ufe0f",
    "a flag of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f won",
    "Persian": "می\u200cخواهم کتاب\u200cها را",
    "Hindi": "क्\u200dष शक्\u200cति",
    "Hebrew": "\u202bהפעל את \u2066nginx\u2069 מחדש\u202c",
    "Thai": "รีสตาร์ท\u200bระบบ\u200bใหม่",
    "soft hyphens": "Donau\u00addampf\u00adschiff\u00adfahrt",
    "fillers alone": "\u200c \u200c \u200c \u200c \u200c",
    "ideographs": "葛\U000e0100城市",
}
DISGUISED = {
    "zero-width in words": ("re\u200bstart th\u2060e a\ufeffgent", 3),
    "by entities": ("re&#8203;start th&zwnj;e agent", 2),
    "beside words": ("\u200brestart \u200dthe agent\u200c", 3),
    "direction marks": ("restart \u202athe\u202c agent \u2066now", 3),
    "tags in words": ("re\U000e0061start", 1),
    "a run is one": ("re\u200b\u200b\u200b\u200bstart \u200b\u200b\u200bnow", 2),
    "a byte order mark": ("\ufeffrestart the agent", 1),
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST)
def test_what_scripts_and_emoji_need_is_not_counted(text: str) -> None:
    """Joiners, marks and hyphens are how these are written."""
    assert invisible_marks(text) == 0


@pytest.mark.parametrize(("text", "marks"), DISGUISED.values(), ids=DISGUISED)
def test_marks_at_latin_letters_are_counted(text: str, marks: int) -> None:
    """Each place once, however many stand there."""
    assert invisible_marks(text) == marks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("restart the agent", (0, 2)),
        ("r\u0435start th\u0435 \u0430gent", (2, 2)),
        ("Перезапусти nginx, очисти cache", (0, 4)),
        ("5 μm at ΔT, so αx is small", (0, 1)),
    ],
)
def test_long_words_of_several_scripts_are_counted(text: str, expected: tuple[int, int]) -> None:
    """Words in one script each, and symbols of formulas, are none."""
    assert mixed_words(text) == expected
