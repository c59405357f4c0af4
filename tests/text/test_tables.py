"""No cell of a table is left out, whatever its head has."""

from __future__ import annotations

import re

import pyromark
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import markdown, tables
from gateway.text.normalize import normalize
from tests.text.texts import prose, table_text

cell = st.sampled_from(["one", "**two**", "`three`", "<b>four</b>", "five six", "&amp;", "[x](y)"])
"""What may stand in a cell, none of which a reader does not see."""
rows = st.lists(st.lists(cell, min_size=2, max_size=6), min_size=1, max_size=4)
WORDS = [
    "restart",
    "the",
    "agent",
    "clear",
    "its",
    "cache",
    "wait",
    "a",
    "minute",
    "and",
    "log",
    "in",
]


def in_table(lines: list[list[str]], width: int) -> str:
    """Write rows under an empty head, each cell's words in the order of the text."""
    head = "|" + " |" * width
    return "\n".join([head, "|" + "-|" * width, *(f"| {' | '.join(line)} |" for line in lines)])


def events(body: str) -> list[tuple[str, bytes]]:
    """Give the sources of the rows of a text's tables, and what of each is in no cell."""
    source, ends, left = body.encode(), 0, []
    for event, place in pyromark.events_with_range(body, options=markdown._OPTIONS):
        if event == {"End": "TableCell"}:
            ends = place["end"]
        elif event in ({"End": "TableRow"}, {"End": "TableHead"}):
            left.append(source[ends : place["end"]].decode())
    return left


@given(table_text)
def test_no_word_stands_beyond_the_last_cell(body: str) -> None:
    """Each row of a widened table is all in its cells."""
    assert not [rest for rest in events(tables.widen(body)) if any(map(str.isalnum, rest))]
