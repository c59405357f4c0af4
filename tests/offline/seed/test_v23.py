"""Every post of a site is read once through v2.3, as it was written, and later what is new."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model import Post
from gateway.offline.seed import v23
from gateway.text.fingerprint import fingerprint
from tests.offline.rig import Rig, numbers, read

TITLE = "How do I rotate the <signing> key & when?"
BODY = (
    'The *key* of `payment_service` runs out;\n\nis 3 < 4 && "x"? [Here](https://ci.example.com/a).'
)


def source(rig: Rig, kind: str = "question", team: str | None = None) -> v23.Listed:
    """One list."""
    return next(each for each in v23.sources(rig.reader, [team]) if each.kind == kind)


async def test_a_question_has_the_fingerprint_of_the_write_that_would_copy_it() -> None:
    """Its Markdown is read, so nothing of it is lost or escaped."""
    rig = Rig()
    made = rig.ask(TITLE, BODY)

    posts, _ = await read(source(rig))
    post = posts[-1]

    assert post.fingerprint == fingerprint(Post(title=TITLE, body=BODY), post.author)
    assert (post.post, post.thread, post.team) == (f"question/{made.id}", None, None)
    assert (post.operation, post.author) == ("question.create", f"person:{made.owner.id}")
    assert post.url == f"http://soe/q/{made.id}"


async def test_an_answer_stands_under_its_question() -> None:
    """As an answer that comes through the gateway does."""
    rig = Rig()
    question = rig.ask(TITLE, BODY)
    made = rig.answer(question, BODY)

    posts, _ = await read(source(rig, "answer"))
    post = posts[-1]

    assert (post.post, post.thread) == (f"answer/{made.id}", f"question/{question.id}")
    assert post.operation == "answer.create"
    assert post.fingerprint == fingerprint(Post(body=BODY), post.author)


async def test_an_article_is_the_head_of_its_own_thread() -> None:
    """With title and body."""
    rig = Rig()
    site = rig.site
    made = site.add(site.space(None), "article", site.user_of("x"), title=TITLE, body=BODY)

    ((post,), _) = await read(source(rig, "article"))

    assert (post.post, post.thread) == (f"article/{made.id}", None)
    assert post.operation == "article.create"
    assert post.fingerprint == fingerprint(Post(title=TITLE, body=BODY), post.author)


async def test_a_teams_posts_are_the_teams() -> None:
    """The main site's are not among them."""
    rig = Rig()
    made = rig.ask(TITLE, BODY, team="red")

    ((post,), _) = await read(source(rig, team="red"))

    assert (post.team, post.post) == ("red", f"question/{made.id}")


async def test_every_post_is_read_once_by_hundreds() -> None:
    """Pages overlap by an instant, so that nothing falls between them."""
    rig = Rig()
    rig.ask_many(250)

    posts, _ = await read(source(rig))

    assert len(posts) == len(set(numbers(posts))) == 251
    assert rig.asked("pagesize")[1:] == ["100"] * (len(rig.way.requests) - 1)
    assert set(rig.asked("page")) == {"None", "1"}  # never far from the beginning


async def test_many_posts_of_one_instant_are_read_by_pages() -> None:
    """An import writes more than a page holds within a second."""
    rig = Rig()
    for number in range(230):
        post = rig.ask(f"How do I mend part {number}?", f"It is the part with number {number}.")
        post.created = post.created.replace(year=2024, month=5, day=1, hour=1, minute=1, second=1)

    posts, position = await read(source(rig))

    assert len(set(numbers(posts))) == 231
    assert position["page"] == 1


async def test_a_broken_run_is_gone_on_with() -> None:
    """From the batch that was last kept; together both runs read everything."""
    rig = Rig()
    rig.ask_many(250)
    first = await anext(source(rig).batches({}))

    posts, _ = await read(source(rig), first.position)

    together = {*numbers(first.posts), *numbers(posts)}
    assert len(together) == 251
    assert len(posts) <= 152


async def test_after_the_end_only_what_is_newer_is_read() -> None:
    """What was written, edited or answered since, and the last instant once more."""
    rig = Rig()
    rig.ask_many(150)
    old = rig.site.get(rig.site.space(None), "question", 10)
    _, position = await read(source(rig))
    made = rig.ask(TITLE, BODY)
    rig.site.edit(rig.site.space(None), old, body=BODY, title="Edited", tags=())

    posts, _ = await read(source(rig), position)

    assert {f"question/{made.id}", "question/10"} <= set(numbers(posts))
    assert len(posts) <= 4
    edited = next(post for post in posts if post.post == "question/10")
    assert edited.fingerprint == fingerprint(Post(title="Edited", body=BODY), edited.author)


async def test_nothing_is_missed_that_is_edited_between_two_pages() -> None:
    """It moves to the end, and what stood behind it does not slip out of sight."""
    rig = Rig()
    rig.ask_many(150)
    space = rig.site.space(None)
    batches = source(rig).batches({})
    first = await anext(batches)
    rig.site.edit(space, rig.site.get(space, "question", 3), body=BODY, title="Edited", tags=())
    rest = [post async for batch in batches for post in batch.posts]

    assert len({*numbers(first.posts), *numbers(rest)}) == 151
    assert "question/3" in numbers(rest)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 400, "members": {"error_id": 400, "error_name": "bad_parameter"}},
        {"status": 404},
        {"members": {"items": [{}]}},
    ],
)
async def test_without_a_filter_of_ones_own_html_is_read(behaviour: dict[str, Any]) -> None:
    """A site that makes no filter has `withbody`; titles are unescaped."""
    rig = Rig()
    rig.ask(TITLE, BODY)
    rig.next(**behaviour)

    posts, _ = await read(source(rig))

    assert posts[-1].fingerprint == fingerprint(Post(title=TITLE, body=BODY), posts[-1].author)
    assert "withbody" in rig.asked("filter")
    assert "read in HTML" in rig.notes[0]


async def test_a_safe_filter_is_unescaped() -> None:
    """A site that takes no `unsafe` says so, and escapes what it shows."""
    rig = Rig()
    rig.ask(TITLE, BODY)
    rig.site.filters["mine"] = rig.site.filters["withbody"].__class__(
        frozenset({"question.body_markdown"})
    )
    rig.next(members={"items": [{"filter": "mine", "filter_type": "safe"}]})

    posts, _ = await read(source(rig))

    assert posts[-1].fingerprint == fingerprint(Post(title=TITLE, body=BODY), posts[-1].author)


async def test_a_post_without_words_is_read_and_not_remembered() -> None:
    """There is nothing to compare."""
    rig = Rig()
    rig.answer(rig.ask(TITLE, BODY), "???")

    batches = [batch async for batch in source(rig, "answer").batches({})]

    assert [(batch.read, len(batch.posts)) for batch in batches] == [(2, 1)]


async def test_a_list_tells_how_much_there_is() -> None:
    """From the beginning, and from where a run ended."""
    rig = Rig()
    rig.ask_many(150)
    listed = source(rig)
    _, position = await read(listed)

    assert await listed.count({}) == 151
    assert await listed.count(position) in (1, 2)
