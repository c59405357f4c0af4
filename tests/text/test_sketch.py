"""What a sketch keeps of a text."""

from __future__ import annotations

import random

import pytest

from gateway.model import Post
from gateway.text.fingerprint import fingerprint
from gateway.text.sketch import read
from tests.text.posts import HONEST


def long_text(words: int) -> str:
    """A text of made-up words."""
    chance = random.Random(words)
    return " ".join("".join(chance.choices("abcdefghij", k=6)) for _ in range(words))


@pytest.mark.parametrize("words", [0, 1, 19, 20, 100, 1000, 5000])
def test_the_sketch_of_any_text_is_short(words: int) -> None:
    """However long the text; what compares the text itself is not cut."""
    found = fingerprint(Post(body=long_text(words)))

    assert len(found.sketch) <= 440
    assert read(found.sketch).words == read(found.whole).words == min(words, 0xFFFF)
    assert len(found.prints) <= 4 * 514


def test_what_is_kept_of_a_long_text_is_a_fair_sample() -> None:
    """The smallest hashes, and how many there were."""
    found = fingerprint(Post(body=long_text(1000)))
    kept, whole = read(found.sketch), read(found.whole)

    assert kept.own.total == whole.own.total >= len(whole.own.kept)
    assert 120 <= len(kept.own.kept) <= 128  # some meet in their 16 bits
    assert set(kept.own.kept) <= set(whole.own.kept)


def test_forms_are_set_apart() -> None:
    """Headings are not the writer's own words."""
    body = f"### Steps to reproduce the behaviour of the agent\n\n{HONEST['badge']}"
    found = read(fingerprint(Post(body=body)).whole)

    assert len(found.rest.kept) > 5
    assert len(found.own.kept) > 40


def test_what_stands_in_sentences_is_told_of_the_text_itself_alone() -> None:
    """What state keeps is no longer for it."""
    found = fingerprint(Post(body=" ".join(HONEST.values())))
    kept, whole = read(found.sketch), read(found.whole)

    assert not kept.prose
    assert set(whole.prose) <= set(whole.own.kept)
    assert len(whole.prose) > 0.8 * len(whole.own.kept)
    assert (kept.own_words.total, kept.small_words) == (whole.own_words.total, whole.small_words)


def test_an_empty_sketch_is_like_nothing() -> None:
    """Posts that were remembered before there were sketches have none."""
    assert read(b"").words == 0
    assert not read(b"").own.kept


@pytest.mark.parametrize("data", [b"x", b"x" * 21, bytes(20)])
def test_a_damaged_sketch_is_like_nothing(data: bytes) -> None:
    """What state gives back may be damaged, and must not stop a write."""
    assert not read(data).own.kept
