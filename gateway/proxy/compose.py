"""From a request, its reading and its caller to the write that rules look at."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

from gateway.errors import RequestError
from gateway.model import Fingerprint, Headers, Person, Post, Write
from gateway.proxy.exchange import Exchange, one
from gateway.proxy.identify import Caller
from gateway.proxy.persons import pseudonym
from gateway.soe.api import Route
from gateway.soe.read import Reading
from gateway.text.fingerprint import fingerprint_stepwise, of_author
from gateway.text.visible import finish

_AT_ONCE = 4_096
"""Characters of a post whose words are found in a millisecond or two."""


async def compose(
    exchange: Exchange,
    route: Route,
    caller: Caller,
    reading: Reading,
    body: bytes,
    *,
    at: float,
    secret: bytes,
) -> Write:
    """Put a write together, but for who acts; while a long post is read, others take turns.

    Args:
        body: as received.
        at: the instant that holds for the whole write.
        secret: keys the digests of the request and of its idempotency key.

    Raises:
        RequestError: `ambiguous_key` (400).
    """
    fields = exchange.headers
    request = (
        exchange.method.encode(),
        exchange.target,
        one(fields, b"content-type") or b"",
        body,
    )
    key = _key(route, fields, reading)
    return Write(
        id=exchange.decision_id,
        at=at,
        integration=caller.name,
        tier=caller.tier,
        token=caller.token,
        credential=caller.credential,
        api=route.endpoint.api,
        operation=route.endpoint.operation,
        team=reading.team,
        thread=reading.thread,
        target=reading.target,
        publishes=route.endpoint.publishes,
        preview=reading.preview,
        post=reading.post,
        fingerprint=await _fingerprint(reading.post) if reading.post.has_text else None,
        actions=tuple(
            value.decode("latin-1") for name, value in fields if name == b"x-explicit-action"
        ),
        user_agent=(one(fields, b"user-agent") or b"").decode("latin-1"),
        request=_digest(caller, secret, *request),
        key=_digest(caller, secret, b"idempotency-key", key) if key else None,
    )


def acting(write: Write, person: Person | None, secret: bytes) -> Write:
    """Complete a write by who acts, as far as it is known: from here on it has one author.

    Args:
        secret: keys the pseudonym under which rules and state know a person.
    """
    known = write
    if person is not None:
        known = replace(write, person=pseudonym(person, secret), acting=person)
    if known.fingerprint is None:
        return known
    signed = of_author(known.fingerprint, known.author)
    return known if signed is known.fingerprint else replace(known, fingerprint=signed)


async def _fingerprint(post: Post) -> Fingerprint:
    # Without a thread: the parser would hold the interpreter there as well.
    if len(post.title) + len(post.body) <= _AT_ONCE:
        return finish(fingerprint_stepwise(post))
    steps = fingerprint_stepwise(post)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Fingerprint = end.value
            return found
        await asyncio.sleep(0)


def _key(route: Route, fields: Headers, reading: Reading) -> bytes:
    """The key under which a post may be sent again, for its answer; empty without one."""
    in_head, in_form = one(fields, b"idempotency-key"), (reading.request_id or "").encode()
    if in_head and in_form and in_head != in_form:
        raise RequestError(
            400, "ambiguous_key", "Idempotency-Key and request_id are different keys."
        )
    return (in_head or in_form) if route.endpoint.publishes and not reading.preview else b""


def _digest(caller: Caller, secret: bytes, *parts: bytes) -> str:
    """The keyed digest of something of a caller."""
    digest = hashlib.blake2b(key=secret, digest_size=16)
    for part in (caller.name.encode(), (caller.presented or "").encode(), *parts):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()
