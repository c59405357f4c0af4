"""Writes are put together without holding others up."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Person, Post
from gateway.proxy import compose
from gateway.text.fingerprint import fingerprint, fingerprint_stepwise
from gateway.text.visible import finish
from tests.samples import a_write


async def test_others_take_turns_while_a_long_post_is_read() -> None:
    """The longest article is read in many steps, and comes to the same."""
    post = Post(
        title="A title", body="- [ ] some **words** of a [link](https://a.example)\n" * 1900
    )
    turns = 0

    async def wait() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(wait())
    found = await compose._fingerprint(post)
    waiting.cancel()

    assert turns > 10
    assert found == fingerprint(post)


@given(st.text(max_size=60), st.sampled_from([None, "jane", "joe"]))
def test_a_write_is_found_as_its_authors_whenever_the_author_became_known(
    body: str, person: str | None
) -> None:
    """Digested first and completed then, it is what it would have been at once."""
    post = Post(body=body)
    write = a_write(post=post, fingerprint=finish(fingerprint_stepwise(post)))

    acting = None if person is None else Person(id=person, name="")
    known = compose.acting(write, acting, b"s")

    assert known.acting == acting
    assert (known.person is None) == (acting is None)
    assert known.fingerprint == fingerprint(post, known.author)
