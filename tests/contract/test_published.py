"""What every engine does with posts that stand on the site already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.model import (
    Found,
    Lookup,
    Outcome,
    Published,
    Remembered,
    Reservation,
    Settlement,
)
from gateway.ports import Administered
from tests.contract.test_stores import asks, look, posts, write
from tests.samples import PRINT, a_write

NOW = 1_795_000_000.0
DAY = 86_400.0
OTHER = replace(PRINT, text="o" * 32, event="p" * 32)


def published(**changes: Any) -> Published:
    """A question on the main site."""
    usual: dict[str, Any] = {
        "post": "question/11",
        "author": "person:7",
        "operation": "question.create",
        "team": None,
        "thread": None,
        "url": "https://soe.example.com/q/11",
        "fingerprint": PRINT,
    }
    return Published(**(usual | changes))


async def found(store: Administered, at: float = NOW, **changes: Any) -> list[Remembered]:
    """What a write with the sample's text would be told of."""
    usual: dict[str, Any] = {
        "compare": "text", "digest": PRINT.text, "within": DAY, "team": None
    }  # fmt: skip
    reservation = Reservation(
        write=a_write(id="w", at=at), groups=({"copy": Lookup(**(usual | changes))},)
    )
    answer = (await store.peek(reservation)).answers["copy"]
    assert isinstance(answer, Found)
    return list(answer.posts)


async def test_a_published_post_is_found_by_its_text(store: Administered) -> None:
    """With its place, its author and its address."""
    count = await store.remember([published()], NOW)
    (post,) = await found(store)

    assert count == 1
    assert (post.post, post.thread, post.author) == ("question/11", None, "person:7")
    assert (post.url, post.pending) == ("https://soe.example.com/q/11", False)


async def test_remembering_again_is_remembering_once(store: Administered) -> None:
    """What is known counts no more, whichever batch it comes in."""
    counts = [await store.remember([published()], NOW), await store.remember([published()], NOW)]

    assert counts == [1, 0]
    assert len(await found(store)) == 1


async def test_another_text_takes_the_place_of_the_old(store: Administered) -> None:
    """An edited post is found by what it says now."""
    await store.remember([published()], NOW)
    count = await store.remember([published(fingerprint=OTHER)], NOW + 1)

    assert count == 1
    assert await found(store, NOW + 1) == []
    assert len(await found(store, NOW + 1, digest=OTHER.text)) == 1


async def test_a_post_that_is_remembered_again_is_kept_as_long_again(store: Administered) -> None:
    """Whoever reads a site regularly loses nothing of it."""
    await store.remember([published()], NOW)
    await store.remember([published()], NOW + DAY / 2)

    assert len(await found(store, NOW + DAY + 60)) == 1


async def test_teams_number_their_posts_for_themselves(store: Administered) -> None:
    """The same number in a team and on the main site is two posts."""
    count = await store.remember([published(), published(team="red", fingerprint=OTHER)], NOW)

    assert count == 2
    assert len(await found(store)) == 1
    assert len(await found(store, team="red", digest=OTHER.text)) == 1


@pytest.mark.parametrize("post", ["question/11", "answer/11", "article/1", "odd"])
async def test_an_address_is_told_as_it_was_given(store: Administered, post: str) -> None:
    """Whether it follows from the post, is another post's, or of another site."""
    paths = ("/questions/11", "/q/11", "/a/11", "/questions/11/how-to", "/questions/1", "/s/", "/0")
    urls = [f"https://{host}.example.com{path}" for host in ("soe", "else") for path in paths]
    urls += ["0", "=1", "/questions/11"]
    await store.remember([published()], NOW)  # the site's own address is that of the first
    told = []
    for number, url in enumerate(urls, 1):
        await store.reserve(asks(write(number, number), {}))
        await store.settle(f"w{number}", Settlement(outcome=Outcome.OK, post=post, url=url))
        told.append(posts(await store.peek(asks(write(99, number), {"copies": look()})))[0].url)
        await store.remember([published(post=post, url=url)], NOW + number)
        told.append((await found(store, NOW + number))[0].url)

    assert told == [url for url in urls for _ in range(2)]
