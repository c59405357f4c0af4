"""Prints are the same wherever a passage stands, on every machine, and however they are made."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import prints_numpy
from gateway.text.prints import common, distinct, halved, winnow, word_crcs, word_hashes
from gateway.text.prints_numpy import GRAM, gram_hashes, winnowed

letters = st.text("abcdefghijklmnopqrstuvwxyzäж中0", min_size=0, max_size=200)
any_letters = st.text(st.characters(), max_size=60)
hashes = st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 300), max_size=600)
halves = st.sets(st.integers(0, 2**16 - 1) | st.integers(0, 30), max_size=60)


def prints(text: str) -> list[int]:
    return list(array("I", distinct(winnow(text))))


def test_the_hashes_of_a_text_never_change() -> None:
    """They lie in state for months."""
    assert prints("restarttheagent") == [136853581, 1411186456]
    assert list(word_hashes(["restart"])) == [8711]


@given(before=letters, passage=st.text("abcdefghij", min_size=13, max_size=60), after=letters)
def test_a_passage_of_thirteen_letters_has_a_print_wherever_it_stands(
    before: str, passage: str, after: str
) -> None:
    """Winnowing's guarantee: the window of five grams of nine letters."""
    assert set(prints(passage)) & set(prints(before + passage + after))


@given(text=letters)
def test_prints_are_chosen_from_the_grams(text: str) -> None:
    """Ascending, each once; between two chosen ones there are four at most."""
    grams = gram_hashes(text)

    assert prints(text) == sorted(set(winnowed(grams).tolist()))
    assert len(grams) == (max(1, len(text) - GRAM + 1) if text else 0)


@given(text=letters | any_letters)
def test_a_compiler_changes_no_print(text: str) -> None:
    """Machines with one and without share a state."""
    assert winnow(text) == prints_numpy.winnow(text)


@given(several=hashes)
def test_a_compiler_changes_no_set(several: list[int]) -> None:
    """Of whole hashes and of halves."""
    given = array("I", several)

    assert (
        distinct(given) == prints_numpy.distinct(given) == array("I", sorted({*several})).tobytes()
    )
    assert halved(given) == prints_numpy.halved(given)
    assert [*array("H", halved(given))] == sorted({each & 0xFFFF for each in several})


some_words = any_letters | st.sampled_from(["", "a", "restart"])


@given(words=st.lists(some_words, max_size=80), others=st.frozensets(some_words))
def test_a_compiler_changes_no_word(words: list[str], others: frozenset[str]) -> None:
    """Whatever their letters, and whichever are left out."""
    assert word_crcs(words, others) == prints_numpy.word_crcs(words, others)


@pytest.mark.parametrize("wrong", [[b"word"], ["word", 1], 1])
def test_words_are_texts(wrong: object) -> None:
    """Nothing else is read."""
    with pytest.raises((TypeError, AttributeError)):
        word_crcs(wrong, frozenset())  # type: ignore[arg-type] # that is what is tried


@given(one=halves, other=halves)
def test_what_two_have_in_common_is_counted(one: set[int], other: set[int]) -> None:
    """With a compiler and without."""
    some, others = array("H", sorted(one)), array("H", sorted(other))

    assert common(some, others) == prints_numpy.common(some, others) == len(one & other)


@pytest.mark.parametrize("wrong", [b"letters", 1])
def test_letters_are_a_text(wrong: object) -> None:
    """Nothing else is read."""
    with pytest.raises((TypeError, AttributeError)):
        winnow(wrong)  # type: ignore[arg-type] # that is what is tried
