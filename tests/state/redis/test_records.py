"""A write is the same when it was written as bytes and read again."""

from __future__ import annotations

from array import array
from dataclasses import replace
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Fingerprint, Outcome
from gateway.state.prints import REMEMBERED
from gateway.state.redis.records import (
    core_of,
    digested,
    has_text,
    in_order,
    mark_of,
    name_of,
    named,
    place_of,
    remembered,
    salted,
    scope_of,
)
from tests.samples import PRINT, a_write

NOW = 1_795_000_000.0
WORDS = st.one_of(
    st.text(max_size=300).filter(lambda text: text.isprintable() or text.isascii()),
    st.sampled_from(
        ["question/12", "answer/012", "question/0", "question/9999999999", "12/question"]
    ),
    st.sampled_from(["a" * 32, "A" * 32, "0f" * 16, "person:", "person:person:x", "token:t", "\0"]),
)
SOME = st.none() | WORDS.filter(bool)
URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://", "http://", "", "\1", "\4\2"]),
    st.sampled_from(["soe.example.com/questions/", "s/a/", "12.example/articles/12/questions/"]),
    st.sampled_from(["12", "12/a-title", "1212", ""]),
)


def record(core: bytes, place: bytes = b"", outcome: int = 1, rest: bytes = b"") -> bytes:
    """A write as the scripts put it together."""
    return pack("<dB", NOW, outcome) + core + pack("<H", len(place)) + place + rest


@given(
    facts=st.fixed_dictionaries(
        {
            **dict.fromkeys(("id", "integration", "operation"), WORDS.filter(bool)),
            **dict.fromkeys(("token", "person", "team", "thread", "target"), SOME),
            "request": WORDS,
        }
    ),
    sketch=st.binary(max_size=1200),
)
def test_what_is_written_is_read(facts: dict[str, Any], sketch: bytes) -> None:
    """Whatever the facts are: no short form is taken for another."""
    write = a_write(**facts, publishes=True, fingerprint=replace(PRINT, sketch=sketch))
    read = remembered(record(core_of(write), rest=b"whatever the scripts put there"), NOW)

    assert (read.write_id, read.request, read.at) == (write.id, write.request, NOW)
    assert (read.integration, read.token, read.author) == (
        write.integration,
        write.token,
        write.author,
    )
    assert (read.operation, read.team, read.thread) == (write.operation, write.team, write.thread)
    assert (read.post, read.sketch) == (write.target, sketch)


@given(post=st.none() | st.sampled_from(["question/12", "answer/1", "12"]) | SOME, url=SOME | URLS)
def test_a_place_is_read_as_it_was_written(post: str | None, url: str | None) -> None:
    """A URL is put together from its parts as it was."""
    read = remembered(record(core_of(a_write(target=None)), place_of(post, url)), NOW)

    assert (read.post, read.url) == (post or None, url or None)


@given(name=WORDS)
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    """Only what is exactly a digest in lower case is written as one."""
    assert name_of(named(name)) == name
    assert len(mark_of(named(name))) == 4


@pytest.mark.parametrize(
    ("code", "after", "expected"),
    [
        (0, 59.5, (True, None)),
        (0, 60.0, (False, Outcome.UNKNOWN)),
        (1, 0.0, (False, Outcome.OK)),
        (2, 0.0, (False, Outcome.REFUSED)),
        (3, 0.0, (False, Outcome.FAILED)),
        (4, 0.0, (False, Outcome.UNKNOWN)),
    ],
)
def test_an_outcome_is_a_code(code: int, after: float, expected: tuple[bool, Outcome]) -> None:
    """Without one a write is in flight, for a minute."""
    read = remembered(record(core_of(a_write()), outcome=code), NOW + after)

    assert (read.pending, read.outcome) == expected


def test_a_million_of_them_stay_in_memory() -> None:
    """Of a post as it usually is, all but the sketch takes some 200 bytes."""
    digest = "0123456789abcdef" * 2
    prints = array("I", range(100)).tobytes()
    write = a_write(
        id=digest,
        request=digest,
        token=digest,
        thread="question/4711",
        publishes=True,
        fingerprint=Fingerprint(text=digest, event=digest[::-1], words=60, prints=prints),
    )
    place = place_of("answer/123456", "https://soe.example.com/questions/4711/some-title#123456")

    assert len(record(core_of(write), place)) < 240


def test_a_post_keeps_the_prints_that_it_is_listed_under() -> None:
    """Mixed with its scope, low byte first, and nothing of the others."""
    prints = array("I", range(1000, 1100)).tobytes()
    write = a_write(team="red", publishes=True, fingerprint=replace(PRINT, prints=prints))
    size = 4 * REMEMBERED
    listed = core_of(write)[38 : 38 + size]
    first = pack(f"<{REMEMBERED}I", *range(1000, 1000 + REMEMBERED))

    assert salted(listed, scope_of("red")) == first
    assert in_order(prints)[:size] == first


def test_scopes_keep_prints_apart() -> None:
    """Also the main site's, which is one."""
    prints = pack("<2I", 1, 2)
    mixed = {salted(prints, scope_of(team)) for team in (None, "red", "blue")}

    assert len(mixed | {prints}) == 4


@pytest.mark.parametrize("changes", [{"publishes": False}, {"fingerprint": None}])
def test_what_publishes_nothing_has_no_text(changes: dict[str, Any]) -> None:
    """So it is found by none, and there is nothing to forget."""
    assert has_text(record(core_of(a_write(publishes=True))))
    assert not has_text(record(core_of(a_write(**({"publishes": True} | changes)))))
    assert digested("") == bytes(8)


@pytest.mark.parametrize(
    ("post", "url"), [(None, "https://soe.example.com/\ud800"), ("\udfff", "/questions/12")]
)
def test_a_place_may_be_no_text(post: str | None, url: str) -> None:
    """SOE's answer is JSON, in which half a character can stand; the write is settled all the same."""
    read = remembered(record(core_of(a_write(target=None)), place_of(post, url)), NOW)

    assert (read.post, read.url) == (post, url)


def test_what_is_longer_than_any_url_is_no_place() -> None:
    """A post whose place nobody can keep is still a post."""
    assert place_of("question/1", "https://soe.example.com/" + "a" * 70_000) == b""
    with pytest.raises(ValueError, match="too long"):
        core_of(a_write(team="a" * 70_000))
