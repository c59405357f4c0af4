"""The digests under which a post is remembered and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

from gateway.model import Fingerprint, Post
from gateway.text import markdown
from gateway.text.normalize import Normal, Read, normalize, normalize_stepwise


def fingerprint(post: Post, read: Read = markdown.read) -> Fingerprint:
    """Digest a post's title and body, as they read and with what changes in them masked.

    Args:
        read: how the body is written; `page.read` for HTML.
    """
    return _of(normalize(post.title, post.body, read))


def fingerprint_stepwise(post: Post) -> Generator[None, None, Fingerprint]:
    """Do the same, yielding every few milliseconds, so that others can go on meanwhile."""
    return _of((yield from normalize_stepwise(post.title, post.body)))


def _of(normal: Normal) -> Fingerprint:
    return Fingerprint(
        text=_digest(normal.text),
        event=_digest(normal.event),
        words=normal.words,
    )


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()
