"""Time grows with the length of a text, whatever it is made of."""

from __future__ import annotations

import time

import pytest

from gateway.text.normalize import normalize, normalize_stepwise
from tests.text.texts import MARKS

HOSTILE = [
    *(mark for mark in MARKS if mark != "\0"),
    *("<b a=1><b a=2><p>", "<span>", "<div>", "</foo>", "<table><tr><td>", "<a>", "<h1>", "<li>"),
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
]
LENGTH = 6_000
PLAIN = "These are words of a plain text, and they have no marks at all. "


def seconds(unit: str, length: int) -> float:
    """The least of some tries, so that what else goes on here counts little."""
    text = (unit * (length // len(unit) + 1))[:length]
    least = float("inf")
    for _ in range(3):
        started = time.thread_time()
        normalize("", text)
        least = min(least, time.thread_time() - started)
    return least


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
def test_four_times_the_text_takes_some_four_times_as_long(unit: str) -> None:
    """Were it quadratic, it would take sixteen times as long."""
    floor = seconds(PLAIN, LENGTH)

    assert seconds(unit, 4 * LENGTH) < 9 * max(seconds(unit, LENGTH), floor)


@pytest.mark.parametrize("unit", [PLAIN, "漢字", "<b>word</b> ", "- [ ] a\n", "a\n=\n"], ids=ascii)
def test_no_step_is_the_most_of_the_way(unit: str) -> None:
    """So that the longest article lets others go on."""
    text = (unit * (100_000 // len(unit) + 1))[:100_000]
    steps, taken, ended = normalize_stepwise("", text), [], False
    while not ended:
        started = time.thread_time()
        ended = next(steps, True) is True
        taken.append(time.thread_time() - started)

    assert max(taken) < 0.4 * sum(taken)
