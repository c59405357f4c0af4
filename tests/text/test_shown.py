"""Passages are shown in the words of their writer."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.text.normalize import normalize
from gateway.text.shown import shown
from gateway.text.words import MASKS, split
from tests.text.texts import UNSEEN, any_text, marked_text, prose


@given(st.one_of(marked_text, any_text), any_text)
def test_there_is_one_for_each_word(body: str, title: str) -> None:
    """And it has that word."""
    full = normalize(title, body).full
    words = shown(title, body)

    assert len(words) == len(full)
    for word, masked in zip(words, full, strict=True):
        assert masked in MASKS or masked in "".join(split(word).plain)


@given(prose, st.sampled_from(sorted(UNSEEN)), st.integers(0, 2**32))
def test_changes_that_nobody_sees_keep_the_places(text: str, change: str, seed: int) -> None:
    """Whatever stands within words."""
    changed = UNSEEN[change](text, Random(seed))

    assert len(shown("", changed)) == len(normalize("", changed).full)


def test_case_digits_addresses_and_accents_are_shown() -> None:
    """As a reader sees them; what nobody sees is not."""
    body = "Cafe\u0301 **Nº 5**: https://A.example/b, /var/Log/x.log, l\u200bog, h e l l o   W o r l d  y o u"

    words = shown("A Title", body)

    assert words[:4] == ("A", "Title", "Cafe\u0301", "Nº")
    assert words[4:8] == ("5", "https://A.example/b,", "/var/Log/x.log", "log")
