"""Every post of a site is read through v3, where v2.3 is not there."""

from __future__ import annotations

from gateway.model import Post
from gateway.offline.seed import v3
from gateway.text.fingerprint import fingerprint
from tests.offline.rig import Rig, numbers, read

TITLE = "How do I rotate the <signing> key & when?"
BODY = (
    "The *key* of `payment_service` runs out:\n\n1. is 3 < 4 && `x`?\n2. [here][a]\n\n"
    "> quoted\n\n```python\nkey = 7\n```\n\n| a | b |\n|---|---|\n| c | d |\n\n"
    "<kbd>Ctrl</kbd> <!-- help -->\n\n[a]: https://ci.example.com/a 'title'\n"
)


def source(rig: Rig, kind: str = "question", team: str | None = None) -> v3.Threads:
    """One list."""
    listed = v3.sources(rig.reader, [team], rig.time.now)
    return next(each for each in listed if each.kind == kind)


async def test_html_gives_the_fingerprint_of_the_write_that_would_copy_it() -> None:
    """Lists of v3 have no Markdown; their HTML has its words."""
    rig = Rig()
    question = rig.ask(TITLE, BODY)
    made = rig.answer(question, BODY)

    posts, _ = await read(source(rig))
    by_name = {post.post: post for post in posts}
    asked, answered = by_name[f"question/{question.id}"], by_name[f"answer/{made.id}"]

    assert asked.fingerprint == fingerprint(Post(title=TITLE, body=BODY), asked.author)
    assert (asked.thread, asked.operation) == (None, "question.create")
    assert asked.url == f"http://soe/questions/{question.id}"
    assert answered.fingerprint == fingerprint(Post(body=BODY), answered.author)
    assert (answered.thread, answered.author) == (
        f"question/{question.id}",
        f"person:{made.owner.id}",
    )


async def test_articles_and_teams_have_lists_of_their_own() -> None:
    """A team's are under its slug."""
    rig = Rig()
    space = rig.site.space("red")
    made = rig.site.add(space, "article", rig.site.user_of("x"), title=TITLE, body=BODY)

    ((post,), _) = await read(source(rig, "article", "red"))

    assert (post.post, post.team, post.thread) == (f"article/{made.id}", "red", None)


async def test_questions_are_read_by_hundreds_and_asked_for_answers_if_they_have_some() -> None:
    """One request for a page, one for each answered question, more where it has many answers."""
    rig = Rig()
    rig.ask_many(149)
    busy = rig.ask(TITLE, BODY)
    for number in range(120):
        rig.answer(busy, f"This is the answer with number {number}.")

    posts, _ = await read(source(rig))

    assert len(posts) == len(set(numbers(posts))) == 151 - 1 + 1 + 120 + 1
    paths = [request.url.path for request in rig.way.requests]
    assert paths.count("/api/v3/questions") == 2
    assert paths.count(f"/api/v3/questions/{busy.id}/answers") == 2
    assert len(paths) == 2 + 2 + 1


async def test_a_broken_run_is_gone_on_with_at_its_page() -> None:
    """A page counts as read when the answers of all its questions are."""
    rig = Rig()
    rig.ask_many(150)
    batches = [batch async for batch in source(rig).batches({})]
    position = next(batch.position for batch in batches if batch.position)

    posts, end = await read(source(rig), position)

    assert position["page"] == 2
    assert len(posts) <= 53
    assert end == {"since": position["begun"]}


async def test_after_the_end_what_was_active_since_is_read() -> None:
    """From the newest on; a new answer brings its whole thread."""
    rig = Rig()
    rig.ask_many(150)
    space = rig.site.space(None)
    for post in space.posts.values():
        post.created = post.created.replace(year=2024)
        post.answered = None
    _, position = await read(source(rig))
    rig.time.at = 1_795_000_000.0
    made = rig.answer(rig.site.get(space, "question", 10), BODY)
    made.created = rig.site.get(space, "question", 10).created.replace(year=2026, month=12)
    rig.site.get(space, "question", 10).answered = made.created
    rig.way.requests.clear()

    posts, again = await read(source(rig), position)

    assert numbers(posts) == ["question/10", f"answer/{made.id}"]
    assert rig.asked("sort")[0] == "activity"
    assert again["since"] >= position["since"]


async def test_deleted_posts_are_not_there() -> None:
    """What v3 still lists of them is passed over, and nobody asks for their answers."""
    rig = Rig()
    gone = {"id": 9, "title": TITLE, "body": BODY, "isDeleted": True, "answerCount": 3}
    rig.next(members={"items": [gone]})

    batches = [batch async for batch in source(rig).batches({})]

    assert sum(batch.read for batch in batches) == 1
    assert not any(batch.posts for batch in batches)
    assert len(rig.way.requests) == 1


async def test_a_list_tells_how_much_there_is() -> None:
    """In threads, less what was read; after the end nobody knows."""
    rig = Rig()
    rig.ask_many(150)

    assert await source(rig).count({}) == 151
    assert await source(rig).count({"page": 2, "begun": 1.0}) == 51
    assert await source(rig).count({"since": 1.0}) is None
