"""A record gives back the write that it was made of."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import record
from gateway.audit.people import Named
from gateway.audit.record import Keeping
from gateway.model import Api, Person, Post, Write
from gateway.offline.records.decision import NotKeptError, recorded
from gateway.text.fingerprint import fingerprint
from tests.audit.disks import ALLOW, NOW
from tests.samples import a_write

TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["agent", "cache", "the", "`code`", "\n\n> quoted\n\n", "<!-- x -->", "ä", "7"]
    ),
    max_size=200,
).map(" ".join)
POSTS = st.builds(
    Post,
    title=TEXTS,
    body=TEXTS,
    tags=st.lists(st.sampled_from(["keys", "ä", "login"]), max_size=5).map(tuple),
).map(lambda post: replace(post, title=post.title[:150]))
SOME = st.sampled_from([None, "one", "two"])
WRITES = st.builds(
    Write,
    id=st.sampled_from(["w1", "w2"]),
    at=st.floats(1e9, 2e9),
    integration=st.sampled_from(["help-bot", "anonymous"]),
    tier=st.sampled_from(["", "trusted"]),
    token=SOME,
    credential=SOME,
    person=SOME,
    api=st.sampled_from(Api),
    operation=st.sampled_from(["question.create", "answer.vote"]),
    team=SOME,
    thread=SOME,
    target=SOME,
    publishes=st.booleans(),
    preview=st.booleans(),
    post=POSTS,
    actions=st.lists(st.sampled_from(["true", "yes"]), max_size=2).map(tuple),
    user_agent=st.text(st.characters(max_codepoint=255), max_size=20),
    request=st.sampled_from(["", "r1"]),
    key=SOME,
).map(
    lambda write: replace(write, acting=Person(id=write.person, name="") if write.person else None)
)


def again(write: Write, content: str) -> Any:
    """Record it, and read that."""
    told = record.decision(write, ALLOW, NOW, Keeping(content=content, people=Named()))
    return recorded(orjson.loads(orjson.dumps(told)))


@given(WRITES)
def test_a_record_with_its_text_is_the_write(write: Write) -> None:
    """Every fact, and what its text leaves, to the last byte."""
    write = replace(write, fingerprint=fingerprint(write.post, write.author))
    back = again(write, "full")

    assert back.lacking == frozenset()
    for each in fields(Write):
        if each.name == "acting":  # the record has what stands for him
            continue
        assert getattr(back.write, each.name) == getattr(write, each.name), each.name
    assert back.write.fingerprint.counts == write.fingerprint.counts  # type: ignore[union-attr]  # it has one


@given(WRITES)
def test_what_was_not_kept_cannot_be_looked_at(write: Write) -> None:
    """And what was can, also beside it."""
    seen = again(write, "none").seen

    assert seen.post.tags == write.post.tags
    assert seen.author == write.author
    for name in ("title", "body"):
        if getattr(write.post, name):
            with pytest.raises(NotKeptError, match=name):
                getattr(seen.post, name)


def of_words(letters: int) -> Post:
    """A post of random words."""
    text = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=letters)
    return Post(body=" ".join("".join(text[n : n + 6]) for n in range(0, letters, 6)))


def test_a_text_that_state_keeps_a_sample_of_is_compared_whole() -> None:
    """As it was when it was new."""
    found = fingerprint(of_words(3000))
    back = again(a_write(fingerprint=found), "none").write.fingerprint

    assert found.whole != found.sketch
    assert back == found


def test_a_sketch_that_is_too_long_is_compared_by_a_sample() -> None:
    """Beyond some thousand words the record keeps what state keeps."""
    found = fingerprint(of_words(20_000))
    back = again(a_write(fingerprint=found), "none").write.fingerprint

    assert len(found.whole) > 8192
    assert back.whole == back.sketch == found.sketch
