"""Writes are put together without holding others up."""

from __future__ import annotations

import asyncio

from gateway.model import Post
from gateway.proxy import compose
from gateway.text.fingerprint import fingerprint


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
    found = await compose._fingerprint(post, "somebody")
    waiting.cancel()

    assert turns > 10
    assert found == fingerprint(post, "somebody")
