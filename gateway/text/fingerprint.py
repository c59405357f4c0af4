"""What state remembers of a post, to find it again and to compare others with it. Pure."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Generator
from dataclasses import replace
from struct import Struct

from gateway.model import Fingerprint, Post
from gateway.text import markdown
from gateway.text.normalize import Read, normalize_stepwise
from gateway.text.sketch import SHORT, Samples, sample
from gateway.text.visible import finish

_ASKED_AT_MOST = 512
"""Prints with which is asked for copies: the smallest. Texts of over 2,000 letters have more."""
_TWO = Struct("<2I")


def fingerprint(post: Post, author: str = "", read: Read = markdown.read) -> Fingerprint:
    """Digest a post's title and body, as they read and with what changes in them masked.

    Args:
        author: as `Write.author`; a short text is found by it as well.
        read: how the body is written; `page.read` for HTML.
    """
    return of_author(finish(fingerprint_stepwise(post, read)), author)


def fingerprint_stepwise(
    post: Post, read: Read = markdown.read
) -> Generator[None, None, Fingerprint]:
    """Digest a post before its author is known, yielding every few milliseconds for others."""
    normal = yield from normalize_stepwise(post.title, post.body, read)
    full = own = sample(normal.full)
    if normal.own != normal.full:
        yield
        own = sample(normal.own)
    yield
    samples = Samples(normal, full, own)
    yield
    kept, whole = samples.sketches()
    text = _digest(normal.text)
    return Fingerprint(
        text=text,
        event=text if normal.event is normal.text else _digest(normal.event),
        words=normal.words,
        prints=samples.prints[:_ASKED_AT_MOST].tobytes(),
        sketch=kept,
        whole=whole,
        counts=normal.counts,
    )


def of_author(found: Fingerprint, author: str) -> Fingerprint:
    """Let a post that was digested without an author be found as one of an author's, if short."""
    if not 0 < found.words < SHORT:
        return found
    asked = sorted({*_of(author), *array("I", found.prints)})
    return replace(found, prints=array("I", asked).tobytes())


def of_other(found: Fingerprint, author: str, other: str) -> Fingerprint:
    """Let a post that is found as one of an author's be found as one of another's, if short.

    By the prints nobody can tell the first author after that.
    """
    if author == other or not 0 < found.words < SHORT:
        return found
    prints = sorted({*array("I", found.prints)} - {*_of(author)})
    return of_author(replace(found, prints=array("I", prints).tobytes()), other)


def _of(author: str) -> tuple[int, int]:
    """Give two prints that all short texts of an author share; hardly any other is smaller."""
    digest = hashlib.blake2b(author.encode("utf-8", "replace"), digest_size=_TWO.size).digest()
    one, other = _TWO.unpack(digest)
    return one >> 8, other >> 8


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()
