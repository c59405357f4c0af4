"""What stands in sentences, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.normalize import normalize
from gateway.text.prose import prose
from gateway.text.small_words import SMALL_WORDS
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


@pytest.mark.parametrize("name", HONEST)
def test_sentences_are_prose(name: str) -> None:
    """Nearly all of their words."""
    told = prose(normalize("", HONEST[name]).own)

    assert told.mean() > 0.8


@pytest.mark.parametrize("text", [LOG, CODE, FORM])
def test_logs_code_and_forms_are_no_prose(text: str) -> None:
    """Not a word of them."""
    assert not prose(normalize("", f"```\n{text}\n```").own).any()


def test_a_log_among_sentences_is_set_apart() -> None:
    """The few words beside it may go either way."""
    before, log = normalize("", HONEST["vpn"]).own, normalize("", 3 * LOG).own
    told = prose((*before, *log, *before))

    assert told[: len(before) - 6].mean() > 0.8
    assert not told[len(before) + 6 : len(before) + len(log) - 6].any()


@given(st.lists(st.sampled_from(["agent", "0", "path", *sorted(SMALL_WORDS)[:3]]), max_size=40))
def test_of_each_word_it_is_told(words: list[str]) -> None:
    """Few words are no sentence."""
    told = prose(words)

    assert len(told) == len(words)
    assert len(words) >= 12 or not told.any()
