"""How much of a post a machine put out."""

from __future__ import annotations

import pytest

from gateway.text.log_share import NO_LOG, log_share

ENTRY = "2026-01-05 08:00:12,441 INFO [main] com.example.App: started"
TRACE = 'Traceback (most recent call last):\n  File "app.py", line 1, in run\n    go()\nKeyError: no such key'


def test_a_post_without_a_log_is_not_measured() -> None:
    """Nearly all posts have none, so they cost one look."""
    assert log_share("A key", "How do I rotate it?") is NO_LOG


@pytest.mark.parametrize(
    "body",
    [ENTRY, f"    {ENTRY}", f"```\n{ENTRY}\n```", f"> {ENTRY}", f"# Log\n\n{ENTRY}", f"**Log**\n{ENTRY}",
     f"Host: web-1\n{ENTRY}", f"{ENTRY}\n\n_No response_", f"https://ci.example.com/1\n\n{ENTRY}",
     f"<details>\n<summary>Log</summary>\n\n{ENTRY}\n</details>", f"<!-- of my own -->\n{ENTRY}"],
)  # fmt: skip
def test_headings_labels_and_addresses_say_nothing(body: str) -> None:
    """However an entry is dressed up, it is all there is."""
    found = log_share("", body)

    assert (found.share, found.lines, found.own_words) == (1.0, 1, 0)


def test_words_that_stand_in_the_log_or_the_title_are_not_its_own() -> None:
    """Saying the message twice is saying it once."""
    found = log_share("Gone on Monday", f"It says no such key on Monday, and why?\n\n{TRACE}")

    assert found.own_words == 4


def test_scripts_without_spaces_have_words_too() -> None:
    """A Chinese sentence is no single word."""
    assert log_share("", f"升级以后服务无法启动，请问是什么原因？\n\n{TRACE}").own_words >= 8


def test_an_entry_of_several_lines_is_one_in_a_block_of_code() -> None:
    """What follows an entry in a block is its message; what a person typed before is not."""
    block = f"```\n$ ./run --all\nstarting up\n{TRACE}\ngoodbye\n$ echo done\n```"

    assert log_share("", block).lines == 5


def test_a_block_that_is_mostly_code_stays_code() -> None:
    """A line like an entry inside a program is a part of the program."""
    code = "\n".join(f"    total_{number} = compute_the_total({number})" for number in range(20))

    assert log_share("", f"```\n{ENTRY}\n{code}\n```").lines == 21
    assert log_share("", f"```\n{ENTRY}\n{code.replace('    ', '')}\n```").lines == 1


def test_a_field_that_a_tool_filled_in_is_machine_output() -> None:
    """Its heading says so; the other fields are a person's."""
    body = (
        "### What did you do?\n\nOpened the page\n\n### Version (automated)\n\n4.2 of the tool\n\n"
        f"### Stack (automatically collected)\n\n{TRACE}\n\n### Anything else?\n\nNo"
    )
    found = log_share("", body)

    assert found.automated
    assert (found.lines, found.other_letters, found.own_words) == (5, 15, 2)
