"""What stands in sentences, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.normalize import normalize
from gateway.text.prose import prose
from gateway.text.small_words import SMALL_WORDS
from gateway.text.words import MASKS
from tests.text.posts import HONEST

LOG = """
081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38 terminating
081109 203807 222 INFO dfs.DataNode$PacketResponder: PacketResponder 0 for block blk_69 terminating
"""
CODE = """
for (int row = 0; row < rows; row++) {
    cells[row] = new Cell(row, table.width());
    table.add(cells[row]).style("bold").border(1);
}
"""
FORM = (
    "Operating system: Debian. Browser: Firefox. Version: 128.0. Build: release. Language: German."
)


def told(words: Sequence[str]) -> set[int]:
    """The places of the words that stand in prose."""
    return {at for first, last in prose(words) for at in range(first, last)}


def is_sentence(words: Sequence[str]) -> bool:
    """Whether twelve words are some of a sentence."""
    small, masks = (sum(word in kind for word in words) for kind in (SMALL_WORDS, MASKS))
    return small >= 4 and masks <= 1


@pytest.mark.parametrize("name", HONEST)
def test_sentences_are_prose(name: str) -> None:
    """Nearly all of their words."""
    words = normalize("", HONEST[name]).own

    assert len(told(words)) > 0.8 * len(words)


@pytest.mark.parametrize("text", [LOG, CODE, FORM])
def test_logs_code_and_forms_are_no_prose(text: str) -> None:
    """Not a word of them."""
    assert not prose(normalize("", f"```\n{text}\n```").own)


def test_a_log_among_sentences_is_set_apart() -> None:
    """The few words beside it may go either way."""
    before, log = normalize("", HONEST["vpn"]).own, normalize("", 3 * LOG).own
    found = told((*before, *log, *before))

    assert len(found & {*range(len(before) - 6)}) > 0.8 * (len(before) - 6)
    assert not found & {*range(len(before) + 6, len(before) + len(log) - 6)}


@given(st.lists(st.sampled_from(["agent", "0", "path", *sorted(SMALL_WORDS)[:3]]), max_size=40))
def test_a_word_stands_in_prose_by_its_neighbours(words: list[str]) -> None:
    """By the twelve words around it; at the ends, by the first and the last twelve."""
    expected = {
        at
        for at in range(len(words))
        if len(words) >= 12
        and is_sentence(words[(begin := min(max(0, at - 6), len(words) - 12)) : begin + 12])
    }

    assert told(words) == expected
