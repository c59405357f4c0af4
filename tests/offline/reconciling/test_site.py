"""Posts are read from a site once each, in few requests, and what was deleted is in no answer."""

from __future__ import annotations

from gateway.model import Post
from gateway.offline.reconciling.site import KINDS, Name, Site, Standing
from gateway.text.fingerprint import fingerprint
from tests.offline.rig import Rig

LONG_AGO, LATER = 0.0, 2_000_000_000.0


async def written(
    rig: Rig, kind: str = "question", team: str | None = None, since: float = LONG_AGO
) -> list[Standing]:
    """Everything that was written since then."""
    return [
        post async for some in Site(rig.reader).written(kind, team, since, LATER) for post in some
    ]


async def test_every_post_of_the_time_is_read_once_by_hundreds() -> None:
    """Pages overlap by an instant; what was written before is not asked for."""
    rig = Rig()
    rig.ask_many(250)
    newest = rig.site.space(None).of("question")[0]
    since = newest.created.timestamp() - 149

    all_, some = await written(rig), await written(rig, since=since)

    assert len({post.name for post in all_}) == len(all_) == 251
    assert len(some) == 150 + 1  # and the one that the sandbox begins with, which is of now
    assert len(rig.way.requests) <= 7


async def test_each_kind_tells_where_and_by_whom() -> None:
    """With an address, the author, its thread, and whether it was edited."""
    rig = Rig()
    person, space = rig.site.user_of("x"), rig.site.space("red")
    question = rig.ask("How?", "So *many* & <more>.", team="red")
    answer = rig.answer(question, "Like this.", team="red")
    comment = rig.site.add(space, "comment", person, body="No.", parent=answer.id)
    article = rig.site.add(space, "article", person, title="All", body="Of it.")
    rig.site.edit(space, answer, body="Like that.", title="", tags=())

    found = [post for kind in KINDS for post in await written(rig, kind, "red")]

    assert [post.name for post in found] == [
        Name("red", f"{each.kind}/{each.id}") for each in (question, answer, article, comment)
    ]
    assert [post.thread for post in found] == [None, question.id, None, answer.id]
    assert [post.account for post in found] == [each.owner.id for each in (question, answer, article, comment)]  # fmt: skip
    assert [post.edited is not None for post in found] == [False, True, False, False]
    assert all((post.url or "").startswith("http://soe/") for post in found)
    assert {rig.way.requests[-1].url.params["team"]} == {"red"}


async def test_posts_are_asked_for_by_name_a_hundred_at_a_time() -> None:
    """One that is not there any more comes as None; a mixture of kinds takes a request each."""
    rig = Rig()
    rig.ask_many(120)
    questions = rig.site.space(None).of("question")
    rig.site.delete(rig.site.space(None), questions[0])
    rig.site.close(rig.site.space(None), questions[1].id)
    questions[2].down.add(1)
    names = [Name(None, f"question/{each.id}") for each in questions]

    found: dict[Name, Standing | None] = {}
    async for some in Site(rig.reader).named(names):
        found |= some

    assert list(found) == names
    assert found[names[0]] is None
    closed, downvoted = found[names[1]], found[names[2]]
    assert closed is not None
    assert closed.closed
    assert downvoted is not None
    assert downvoted.score == -1
    assert len(rig.way.requests) == 2


async def test_a_text_has_the_digest_that_its_record_has() -> None:
    """Of every kind, as it was written."""
    rig = Rig()
    body = 'The *key* of `payment_service`;\n\nis 3 < 4 && "x"? [Here](https://ci.example.com/a).'
    question = rig.ask("Is <this> & that it?", body)
    comment = rig.site.add(
        rig.site.space(None), "comment", rig.site.user_of("x"), body=body, parent=question.id
    )
    names = [Name(None, f"question/{question.id}"), Name(None, f"comment/{comment.id}")]

    texts = await Site(rig.reader).texts(names)

    assert texts == {
        names[0]: fingerprint(Post(title=question.title, body=body)).text,
        names[1]: fingerprint(Post(body=body)).text,
    }


async def test_what_a_site_shows_in_html_alone_has_no_digest() -> None:
    """It reads almost the same, and almost is not enough to tell that a text is not there."""
    rig = Rig()
    question = rig.ask("How?", "So *many*.")
    rig.next(status=400, members={"error_id": 403})

    assert await Site(rig.reader).texts([Name(None, f"question/{question.id}")]) == {}
    assert rig.notes == ["questions are read in HTML: SOE refuses /api/2.3/filters/create with 403: As told"]  # fmt: skip
