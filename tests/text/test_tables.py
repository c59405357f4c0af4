"""No cell of a table is left out, whatever its head has."""

from __future__ import annotations

import pyromark
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import markdown, tables
from gateway.text.normalize import normalize
from gateway.text.visible import finish
from tests.text.texts import table_text

WORDS = ["restart", "the", "agent", "and", "clear", "its", "cache"]
cell = st.lists(st.sampled_from([*WORDS, "**bold**", "`code`", "&amp;", "[x](y)"])).map(" ".join)


def left(body: str) -> list[str]:
    """Give what follows the last cell of each row of a text's tables."""
    source, ends, rests = body.encode(), 0, []
    for event, place in pyromark.events_with_range(body, options=markdown._OPTIONS):
        if event == {"End": "TableCell"}:
            ends = place["end"]
        elif event in ({"End": "TableRow"}, {"End": "TableHead"}):
            rests.append(source[ends : place["end"]].decode())
    return rests


@given(table_text)
def test_no_word_stands_beyond_the_last_cell(body: str) -> None:
    """Each row of a widened table is all in its cells."""
    assert not [rest for rest in left(finish(tables.widen(body))) if any(map(str.isalnum, rest))]


@given(st.lists(st.lists(cell, min_size=2, max_size=6), min_size=1, max_size=4), st.booleans())
def test_the_words_of_a_table_are_those_of_its_cells(rows: list[list[str]], listed: bool) -> None:
    """Row by row, in a list as well, and whatever the head has room for."""
    lines = ["| | |", "|-|:-:|", *(f"| {' | '.join(row)} |" for row in rows)]

    told = normalize("", ("- " + "\n  ".join(lines)) if listed else "\n".join(lines))
    cells = normalize("", "\n\n".join(each for row in rows for each in row))

    assert told.full == cells.full


@pytest.mark.parametrize(
    "body",
    [
        "|a|b|\n|-|-|\n|c|d|\n|e|",
        "a | b\n--|--\nc\n\nd|e|f",
        "a|b\nc|d|e",
        "a|b\n---\nc|d|e",
        "|\n|\na|b|c",
        "|\n|-|\na|b|c",
        "one | two --- three",
    ],
)
def test_other_texts_stay_as_they_are(body: str) -> None:
    """Tables as wide as their rows, and what is no table."""
    assert finish(tables.widen(body)) == body


def test_a_table_that_nobody_fills_in_hides_nothing() -> None:
    """Its rows would be filled in with thousands of cells; it is read as plain text."""
    head = "|" + "a|" * 300 + "\n|" + "-|" * 300
    body = "\n".join([head, *["x"] * 300, "[<!one[a]: two", "[>", "<!-- three -->"])

    assert normalize("", body).full[-4:] == ("one", "a", "two", "three")
    assert len(pyromark.html(finish(tables.widen(body)), options=markdown._OPTIONS)) < 2 * len(body)


def test_the_same_table_with_other_figures_is_the_same_event() -> None:
    """A log in a table is known by its words."""
    one, two = (
        f"| time | host | message |\n|---|--:|---|\n| 2026-11-2{n} 08:1{n}:00 | db{n} | disk 9{n} % full |\n"
        for n in (1, 2)
    )

    assert normalize("", one).event == normalize("", two).event
    assert normalize("", one).text != normalize("", two).text


COPY = "Restart the sync agent on the file server and clear its local cache before the next mount."


@pytest.mark.parametrize(
    "tag",
    ["<div hidden>", "<script>", "<!-- ", "</table><template>", "</table><details hidden>"],
)
def test_a_cell_beyond_the_head_hides_nothing_that_follows(tag: str) -> None:
    """Some renderers leave it out, with the tag in it."""
    for row in (f"1|2|{tag}", f"|1|2|{tag}", f"> 1|2|3|4|{tag}"):
        frame = "> " if row.startswith(">") else ""
        body = f"{frame}a|b\n{frame}-|-\n{row}\n\n{COPY}"

        assert " ".join(normalize("", COPY).own) in " ".join(normalize("", body).own)


def test_lines_may_end_as_they_like() -> None:
    """A table is one with each of them."""
    widened = finish(tables.widen("a|b\n-|-\n1|2|3"))

    assert finish(tables.widen("a|b\r\n-|-\r\n1|2|3")) == widened
    assert finish(tables.widen("a|b\r-|-\r1|2|3")) == widened
