"""The digests under which a post is remembered and found again."""

from __future__ import annotations

import hashlib

from gateway.model import Fingerprint, Post
from gateway.text import markdown
from gateway.text.normalize import Read, normalize


def fingerprint(post: Post, read: Read = markdown.read) -> Fingerprint:
    """Digest a post's title and body, as they read and with what changes in them masked.

    Args:
        read: how the body is written; `page.read` for HTML.
    """
    normal = normalize(post.title, post.body, read)
    return Fingerprint(text=_digest(normal.text), event=_digest(normal.event), words=normal.words)


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()
