"""The digests under which a post is remembered and found again."""

from __future__ import annotations

import hashlib

from gateway.model import Fingerprint, Post
from gateway.text.normalize import event_words, words


def fingerprint(post: Post) -> Fingerprint:
    """Digest a post's title and body, as they read and with what changes in them masked."""
    title, body = words(post.title), words(post.body)
    return Fingerprint(
        text=_digest(title, body),
        event=_digest(event_words(post.title), event_words(post.body)),
        words=len(title) + len(body),
    )


def _digest(title: list[str], body: list[str]) -> str:
    joined = "\x1f".join((" ".join(title), " ".join(body)))
    return hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=16).hexdigest()
