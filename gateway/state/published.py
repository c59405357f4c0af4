"""Posts that stand on the site already, as the entries that engines hold. Pure."""

from __future__ import annotations

from gateway.model import Api, Published, Write

SITE = "site"
"""The integration under which such posts are known: they came through none."""


def id_of(team: str | None, post: str) -> str:
    """Give the id of the write that stands for a post."""
    return f"published:{team or ''}/{post}"


def as_write(post: Published) -> Write:
    """Give the write that would have published it; its id is the post's, so it is known once.

    Each team numbers its posts for itself.
    """
    return Write(
        id=id_of(post.team, post.post),
        at=0.0,
        integration=SITE,
        person=post.author.removeprefix("person:"),
        api=Api.V3,
        operation=post.operation,
        team=post.team,
        thread=post.thread,
        target=post.post,
        publishes=True,
        fingerprint=post.fingerprint,
    )
