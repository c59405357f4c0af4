"""Prints are the same wherever a passage stands, and on every machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.text.prints import GRAM, gram_hashes, prints, winnowed, word_hashes

letters = st.text("abcdefghijklmnopqrstuvwxyzäж中0", min_size=0, max_size=200)


def test_the_hashes_of_a_text_never_change() -> None:
    """They lie in state for months."""
    assert prints(["restart", "the", "agent"]).tolist() == [136853581, 1411186456]
    assert word_hashes(["restart"]) == {8711}


@given(before=letters, passage=st.text("abcdefghij", min_size=13, max_size=60), after=letters)
def test_a_passage_of_thirteen_letters_has_a_print_wherever_it_stands(
    before: str, passage: str, after: str
) -> None:
    """Winnowing's guarantee: the window of five grams of nine letters."""
    assert set(prints([passage])) & set(prints([before, passage, after]))


@given(text=letters)
def test_prints_are_chosen_from_the_grams(text: str) -> None:
    """Ascending, each once; between two chosen ones there are four at most."""
    hashes, chosen = gram_hashes(text), prints([text])

    assert chosen.tolist() == sorted(set(winnowed(hashes).tolist())) if text else not len(chosen)
    assert len(hashes) == (max(1, len(text) - GRAM + 1) if text else 0)


@given(words=st.lists(st.text("abcdef", min_size=1, max_size=5), max_size=40))
def test_where_words_are_parted_does_not_matter(words: list[str]) -> None:
    """Letters that are spaced out or glued together leave the same prints."""
    assert prints(words).tolist() == prints(["".join(words)]).tolist()
