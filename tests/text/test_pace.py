"""Time grows with the length of a text, whatever it is made of."""

from __future__ import annotations

import time

import pytest

from gateway.text.folding import learn
from gateway.text.normalize import normalize, normalize_stepwise
from tests.pace import grows_linearly
from tests.text.texts import MARKS

HOSTILE = [
    *(mark for mark in MARKS if mark != "\0"),
    *("<b a=1><b a=2><p>", "<span>", "<div>", "</foo>", "<table><tr><td>", "<a>", "<h1>", "<li>"),
    *("<table hidden><tr>", "<svg><p>", "<svg><g>", "<h1><b><h2>", "<ruby><rt>", "<p><table><td>"),
    *('<a "', "<a '", "<p style='/*", "<!a", "[a](b", "[a](<b", '[a](b "c', "a**b", "*a_", "a*"),
    *(
        "> a\n",
        "- a\n",
        "- [ ] a\n",
        "&#60;",
        "&copy;",
        "A" * 40 + " ",
        "A" * 39 + "/",
        "/a",
        "\\a",
    ),
    *(
        "\u0301",
        "\ufdfa",
        "аa",
        "a b c ",
        "On a wrote:\n",
        "Am a schrieb ",
        "://",
        "\U000e0041",
        "=漢",
    ),
    *("<details>\n\n", "<script>", "<style>", "<span hidden>", "\ud800", "a", "1 ", "-", "|a"),
    *("a|\n-|\n", "|a|b|\n|-|-|\n|c|d|e|\n\n", "|-\n"),
]
LENGTH = 3_000
PLAIN = "These are words of a plain text, and they have no marks at all. "
ATTEMPTS = 6


def text_of(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
def test_the_time_is_linear_in_the_text(unit: str) -> None:
    """Whatever the text repeats."""
    assert grows_linearly(lambda length: normalize("", text_of(unit, length)), LENGTH)


@pytest.mark.parametrize("unit", [PLAIN, "漢字", "<b>word</b> ", "- [ ] a\n", "a\n=\n"], ids=ascii)
def test_no_step_is_the_most_of_the_way(unit: str) -> None:
    """So that the longest article lets others go on."""
    text = text_of(unit, 100_000)

    assert min(longest_step(text) for _ in range(ATTEMPTS)) < 0.4


def longest_step(text: str) -> float:
    """Give the longest step's share of the whole time."""
    steps, taken, ended = normalize_stepwise("", text), [], False
    while not ended:
        started = time.thread_time()
        ended = next(steps, True) is True
        taken.append(time.thread_time() - started)
    return max(taken) / sum(taken)


def test_characters_that_were_never_read_are_learned_in_steps() -> None:
    """A text may have tens of thousands of them; once learned, they take no step."""
    text = "".join(map(chr, range(0x30000, 0x31000)))

    assert len(list(learn(text))) >= 10
    assert not list(learn(text))
