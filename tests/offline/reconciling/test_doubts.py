"""A doubt is answered by the texts that stand on the site, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offline.reconciling.doubts import (
    CLOCKS_DIFFER,
    Answer,
    Answered,
    Doubt,
    answered,
    candidates,
)
from gateway.offline.reconciling.site import Name, Standing
from tests.samples import an_entry

ENTRY = an_entry(thread="question/7", outcome="unknown")
AT = ENTRY.at
POST = Standing(
    name=Name(None, "answer/12"),
    thread=7,
    account=5,
    author=5,
    at=AT + 1,
    edited=None,
    url="http://soe/a/12",
    score=0,
    closed=False,
)


def answers(
    doubts: Sequence[Doubt],
    posts: Sequence[Standing],
    texts: Mapping[Name, str],
    known: frozenset[Name] = frozenset(),
) -> list[Answered]:
    """What the posts of a site say to doubts."""
    return answered(doubts, candidates(doubts, posts, known), {}, texts, ())


def answer(post: Standing, text: str = "t", **write: object) -> Answer:
    """What one post says to one write with the text `t`."""
    doubt = Doubt(entry=replace(ENTRY, **write), text="t")  # type: ignore[arg-type]  # by name
    return answers([doubt], [post], {post.name: text})[0].answer


def test_a_text_that_stands_is_found_with_its_post() -> None:
    """Where it was to stand, about when it was written."""
    (told,) = answers([Doubt(entry=ENTRY, text="t")], [POST], {POST.name: "t"})

    assert (told.answer, told.post) == (Answer.FOUND, POST)


@pytest.mark.parametrize(
    "post",
    [
        replace(POST, thread=8),
        replace(POST, name=Name("red", "answer/12")),
        replace(POST, name=Name(None, "comment/12")),
        replace(POST, at=AT + CLOCKS_DIFFER + 1),
        replace(POST, at=AT - CLOCKS_DIFFER - 1),
    ],
)
def test_what_stands_elsewhere_or_is_of_another_time_is_another_post(post: Standing) -> None:
    """Though it reads the same."""
    assert answer(post) is Answer.NOT_FOUND


def test_a_post_with_a_record_of_its_own_answers_nothing() -> None:
    """The integration sent it again, and that went well."""
    doubt = Doubt(entry=ENTRY, text="t")
    (told,) = answers([doubt], [POST], {POST.name: "t"}, frozenset({POST.name}))

    assert told.answer is Answer.NOT_FOUND


def test_what_was_edited_since_may_have_been_it() -> None:
    """So nobody can say that the text was never there."""
    assert answer(replace(POST, edited=AT + 60), "other") is Answer.UNDECIDABLE
    assert answer(replace(POST, edited=AT + 60)) is Answer.FOUND


def test_what_cannot_be_compared_may_be_it() -> None:
    """Where a site shows HTML alone, nothing is told as not found."""
    (told,) = answers([Doubt(entry=ENTRY, text="t")], [POST], {})

    assert (told.answer, told.perhaps) == (Answer.UNDECIDABLE, (POST.name,))


def test_two_writes_of_one_text_and_one_post_cannot_be_told_apart() -> None:
    """One of them is published, and nobody knows which; two posts answer both."""
    doubts = [Doubt(entry=replace(ENTRY, id=id_), text="t") for id_ in ("w1", "w2")]
    other = replace(POST, name=Name(None, "answer/13"))
    both = {POST.name: "t", other.name: "t"}

    assert {each.answer for each in answers(doubts, [POST], both)} == {Answer.UNDECIDABLE}
    assert [each.post for each in answers(doubts, [POST, other], both)] == [POST, other]


@pytest.mark.parametrize(
    ("write", "told"),
    [
        ({"operation": "vote.up"}, "nothing on the site"),
        ({"operation": "collection.create"}, "nothing on the site"),
        ({"operation": "answer.delete", "target": "answer/12"}, "nothing on the site"),
        ({"team": "red"}, "team was not read"),
        ({"operation": "article.create"}, "articles were not read"),
    ],
)
def test_what_cannot_be_looked_for_is_undecidable_and_says_why(
    write: dict[str, str], told: str
) -> None:
    """A vote leaves no text, and a team that was not read says nothing."""
    doubt = Doubt(entry=replace(ENTRY, **write), text="t")  # type: ignore[arg-type]  # by name
    possible = candidates([doubt], [POST], ())
    unread = {("red", "answer"), (None, "article")}
    (found,) = answered([doubt], possible, {}, {POST.name: "t"}, unread)

    assert found.answer is Answer.UNDECIDABLE
    assert told in found.why


@pytest.mark.parametrize(
    ("edited", "text", "expected"),
    [
        (AT + 1, "t", Answer.FOUND),
        (AT + 1, "other", Answer.UNDECIDABLE),
        (None, "other", Answer.NOT_FOUND),
        (AT - 86_400, "other", Answer.NOT_FOUND),
    ],
)
def test_an_edit_is_looked_for_in_the_post_that_it_meant(
    edited: float | None, text: str, expected: Answer
) -> None:
    """What was not edited since does not hold it."""
    doubt = Doubt(entry=replace(ENTRY, operation="answer.edit", target="answer/12"), text="t")
    post = replace(POST, edited=edited, at=AT - 2 * 86_400)
    (told,) = answered([doubt], {}, {post.name: post}, {post.name: text}, ())
    (gone,) = answered([doubt], {}, {post.name: None}, {}, ())

    assert (told.answer, gone.answer) == (expected, Answer.UNDECIDABLE)


@dataclass(frozen=True)
class Wrote:
    """A write, or where `logged` is false somebody else's: what became of it in truth."""

    text: str
    at: float
    published: bool
    edited: bool
    logged: bool
    late: float


WROTE = st.builds(
    Wrote,
    text=st.sampled_from("ab"),
    at=st.floats(0, 2000).map(lambda seconds: AT + seconds),
    published=st.booleans(),
    edited=st.booleans(),
    logged=st.booleans(),
    late=st.floats(-500, 500),
)


@given(st.lists(WROTE, max_size=8))
def test_no_answer_contradicts_what_happened(wrote: list[Wrote]) -> None:
    """What stands is never told as not found; what is found reads so, and answers one write."""
    doubts, posts, texts = [], {}, {}
    for number, each in enumerate(wrote):
        name = Name(None, f"answer/{number}")
        if each.logged:
            entry = replace(ENTRY, id=str(number), at=each.at)
            doubts.append(Doubt(entry=entry, text=each.text))
        if each.published:
            at = each.at + each.late
            posts[number] = replace(POST, name=name, at=at, edited=at if each.edited else None)
            texts[name] = "edited" if each.edited else each.text

    told = answers(doubts, list(posts.values()), texts)

    found = [said.post for said in told if said.post is not None]
    assert len({post.name for post in found}) == len(found)
    for doubt, said in zip(doubts, told, strict=True):
        is_standing = int(doubt.entry.id) in posts
        assert not (said.answer is Answer.NOT_FOUND and is_standing)
        assert (said.post is not None) == (said.answer is Answer.FOUND)
        assert said.post is None or texts[said.post.name] == doubt.text
