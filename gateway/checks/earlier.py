"""What checks that compare with earlier posts have in common."""

from __future__ import annotations

from gateway.model import Earlier, Outcome, Remembered, Write

FEW_WORDS = 8
"""Below this many words honest people repeat themselves ("Done.", "See the docs")."""
IN_FLIGHT_RETRY = 2.0
"""Seconds after which a copy that is in flight is worth asking about again."""


def is_other(post: Remembered, write: Write) -> bool:
    """Whether an earlier post counts against this write.

    Not the post's own earlier text on an edit; and not the same request whose outcome SOE did not
    tell: that one may be sent again.
    """
    if write.target is not None and post.post == write.target:
        return False
    unsettled = post.outcome in (Outcome.FAILED, Outcome.UNKNOWN) and not post.pending
    return not (unsettled and post.request == write.request)


def in_place(post: Remembered, write: Write) -> bool:
    """Whether both stand in the same place: one thread, or each at the head of its own."""
    return post.thread == write.thread


def seen_by(write: Write, post: Remembered) -> Earlier | None:
    """Describe an earlier post to eyes that may see it; None keeps another team's to itself."""
    if post.team is not None and post.team != write.team:
        return None
    return Earlier(
        url=post.url,
        at=post.at,
        integration=post.integration,
        relation=_relation(post, write),
        similarity=1.0,
    )


def _relation(post: Remembered, write: Write) -> str:
    if post.author == write.author:
        return "same_author"
    return "same_integration" if post.integration == write.integration else "other"


def where(earlier: Earlier | None) -> str:
    """Name the earlier post in a sentence."""
    return earlier.url if earlier and earlier.url else "another post"
