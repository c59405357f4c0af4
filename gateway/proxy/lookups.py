"""What the gateway itself asks SOE, where a person is to confirm something: who acts, and in what.

Each is one read with the caller's own token, so nobody is told what that token could not read; it
is counted apart from what integrations ask. What is known is kept for some minutes, under a digest.
Never raises: what cannot be found out in time is not known.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.errors import UpstreamError
from gateway.model import Api, Person
from gateway.observe.observer import Observer
from gateway.ports import Clock, Upstream

_SECONDS = 3.0
"""That an answer may take."""
_LARGEST = 512 * 2**10
"""Bytes of an answer; a question comes with its whole text."""
_KEPT = 300.0
_MANY = 1000
"""Answers that are kept."""
_TITLED = ("question", "article")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """Asks SOE: `ports.Persons` and `ports.Titles`.

    Attributes:
        authority: SOE's host and port.
        secret: keys the digests of tokens.
    """

    upstream: Upstream
    authority: bytes
    clock: Clock
    observer: Observer
    secret: bytes = field(repr=False)
    _known: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = field(
        default_factory=OrderedDict, init=False, repr=False
    )

    async def of(self, token: str, api: Api, team: str | None) -> Person | None:
        """As `ports.Persons.of`. A token is the same person's in both APIs; v3 tells the address."""
        told = await self._ask("person", "/api/v3/users/me", token)
        number, name = told.get("id"), told.get("name")
        if type(number) is not int or not isinstance(name, str):
            return None
        texts = (told.get("email"), told.get("externalId"))
        email, external = (each if isinstance(each, str) else "" for each in texts)
        return Person(id=str(number), name=name, email=email, external=external)

    async def title(self, token: str, team: str | None, thread: str) -> str:
        """As `ports.Titles.title`."""
        kind, _, number = thread.partition("/")
        if kind not in _TITLED or not number.isdecimal():
            return ""
        space = f"/teams/{team}" if team else ""
        title = (await self._ask("title", f"/api/v3{space}/{kind}s/{number}", token)).get("title")
        return title[:300] if isinstance(title, str) else ""

    async def _ask(self, what: str, path: str, token: str) -> Mapping[str, Any]:
        """Give what SOE tells, or told some minutes ago; nothing where it did not."""
        if not token.isascii() or not token.isprintable():
            return {}
        key = hashlib.blake2b(f"{path} {token}".encode(), key=self.secret, digest_size=16).digest()
        at, found = self._known.get(key, (0.0, None))
        if found is not None and self.clock.now() < at + _KEPT:
            return found
        try:
            async with asyncio.timeout(_SECONDS):
                told = await self._read(path, token)
        except (UpstreamError, TimeoutError):
            told = None
        self.observer.looked_up(what, told is not None)
        if told is None:
            return {}
        self._known[key] = (self.clock.now(), told)
        self._known.move_to_end(key)
        if len(self._known) > _MANY:
            self._known.popitem(last=False)
        return told

    async def _read(self, path: str, token: str) -> dict[str, Any] | None:
        headers = (
            (b"host", self.authority),
            (b"accept", b"application/json"),
            (b"authorization", b"Bearer " + token.encode()),
            (b"user-agent", b"soe-write-gateway"),
        )
        answer = await self.upstream.send("GET", path.encode(), headers, None)
        body = b""
        try:
            while not answer.complete and len(body) <= _LARGEST:
                body += await answer.read()
        finally:
            await answer.aclose()
        if answer.status != 200 or len(body) > _LARGEST:
            return None
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        return _brief(told) if isinstance(told, dict) else None


def _brief(told: dict[str, Any]) -> dict[str, Any]:
    """Keep of an answer what is asked for, and not the text of a question."""
    return {name: told.get(name) for name in ("id", "name", "email", "externalId", "title")}
