"""Who posts says so, to those who run the site and to those who read it."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.attribution import DESCRIPTIVE, LIBRARIES, Attribution
from gateway.model import NO_POST, Post
from tests.samples import a_write

AGENT = Attribution(user_agent=DESCRIPTIVE)
LINE = Attribution(line="Posted by {integration} for")


@pytest.mark.parametrize(
    "agent",
    [
        "",
        " ",
        "python-requests/2.31.0",
        "python-urllib3/2.2.1",
        "Python-urllib/3.11",
        "axios/1.6.0",
        "curl/8.4.0",
        "Java/17.0.1",
        "Apache-HttpClient/4.5.13 (Java/11.0.2)",
        "Go-http-client/1.1",
        "okhttp/4.9.0",
        "Python/3.11 aiohttp/3.9.1",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "Faraday v2.7.4",
        "OpenAPI-Generator/1.0.0/python",
        "rest-client/2.1.0 (linux x86_64) ruby/3.2.2p53",
        "(help-bot)",
        "1.0",
    ],
)
def test_a_librarys_name_is_nobodys(agent: str) -> None:
    """As libraries send it where nobody told them a name."""
    assert AGENT.judge(a_write(user_agent=agent), None) is not None


@pytest.mark.parametrize(
    "agent",
    [
        "help-bot/1.0",
        "help-bot/1.0 (https://wiki.example.com/help-bot; it@example.com)",
        "help-bot/1.0 python-requests/2.31.0",
        "curl-of-jane/1",
        "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
    ],
)
def test_an_own_name_describes(agent: str) -> None:
    """Also where the library's stands beside it."""
    assert AGENT.judge(a_write(user_agent=agent), None) is None


@given(st.lists(st.sampled_from(sorted(LIBRARIES)), min_size=1), st.data())
def test_no_library_describes_in_any_company_of_its_like(names: list[str], data: st.DataObject) -> None:  # fmt: skip
    """With versions and comments, in any letter case; one own name among them is enough."""
    written = [
        data.draw(st.sampled_from([name, name.upper(), f"{name}/1.2.3", f"{name} (x; help-bot)"]))
        for name in names
    ]
    place = data.draw(st.integers(0, len(written)))
    own = " ".join([*written[:place], "help-bot/1", *written[place:]])

    assert AGENT.judge(a_write(user_agent=" ".join(written)), None) is not None
    assert AGENT.judge(a_write(user_agent=own), None) is None


def test_a_pattern_says_what_is_agreed() -> None:
    """One of several is enough."""
    agreed = Attribution(user_agent=(re2.compile(r"^chat/").search, re2.compile("^bot/").search))

    assert agreed.judge(a_write(user_agent="bot/2"), None) is None
    assert agreed.judge(a_write(user_agent="a bot/2"), None) is not None


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("It is so.\n\nPosted by help-bot for Jane", True),
        ("It is so.\n\n*posted  by [Help-Bot](https://wiki.example.com) for Jane*", True),
        ("It is so.\n\nPosted by other-bot for Jane", False),
        ("It is so.\n\nPosted by\nhelp-bot for Jane", False),
        ("It is so. <!-- Posted by help-bot for Jane -->", False),
        ("It is so.\n\n[//]: # (Posted by help-bot for Jane)", False),
    ],
)
def test_a_line_is_there_for_readers(body: str, passes: bool) -> None:
    """With the integration's own name, in one line, where they see it."""
    assert (LINE.judge(a_write(post=Post(body=body)), None) is None) is passes


def test_the_fix_shows_the_line() -> None:
    """With the name filled in."""
    violation = LINE.judge(a_write(post=Post(body="It is so.")), None)

    assert violation is not None
    assert "Posted by help-bot for" in violation.fix


def test_a_line_may_be_a_pattern() -> None:
    """It is looked for in what readers see."""
    line = Attribution(line=re2.compile(r"(?m)^Posted by \S+ for \S+$").search)

    assert line.judge(a_write(post=Post(body="So.\n\n*Posted by a for b*")), None) is None
    assert line.judge(a_write(post=Post(body="So. <!--\nPosted by a for b\n-->")), None) is not None


def test_what_has_no_text_needs_no_line() -> None:
    """A vote, or an edit of tags."""
    assert LINE.judge(a_write(post=NO_POST), None) is None
