"""What state remembers of a post, to find it again and to compare others with it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np

from gateway.model import Fingerprint, Post
from gateway.text import markdown
from gateway.text.normalize import Read, normalize_stepwise
from gateway.text.prints import Prints, distinct
from gateway.text.sketch import SHORT, Samples
from gateway.text.visible import finish

_ASKED_AT_MOST = 512
"""Prints with which is asked for copies: the smallest. Texts of over 2,000 letters have more."""


def fingerprint(post: Post, author: str = "", read: Read = markdown.read) -> Fingerprint:
    """Digest a post's title and body, as they read and with what changes in them masked.

    Args:
        author: as `Write.author`; a short text is found by it as well.
        read: how the body is written; `page.read` for HTML.
    """
    return finish(fingerprint_stepwise(post, author, read))


def fingerprint_stepwise(
    post: Post, author: str = "", read: Read = markdown.read
) -> Generator[None, None, Fingerprint]:
    """Do the same, yielding every few milliseconds, so that others can go on meanwhile."""
    normal = yield from normalize_stepwise(post.title, post.body, read)
    samples = Samples(normal)
    yield
    kept, whole = samples.sketches()
    asked = samples.prints[:_ASKED_AT_MOST]
    if 0 < normal.words < SHORT:
        asked = distinct(np.concatenate([_of(author), asked]))
    text = _digest(normal.text)
    return Fingerprint(
        text=text,
        event=text if normal.event is normal.text else _digest(normal.event),
        words=normal.words,
        prints=asked.tobytes(),
        sketch=kept,
        whole=whole,
        counts=normal.counts,
    )


def _of(author: str) -> Prints:
    """Give two prints that all short texts of an author share; hardly any other is smaller."""
    digest = hashlib.blake2b(author.encode("utf-8", "replace"), digest_size=8).digest()
    return np.frombuffer(digest, "<u4") >> np.uint32(8)


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()
