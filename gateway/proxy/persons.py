"""Who acts: the person behind a token, as SOE tells it, asked for once in minutes.

Laws: nothing waits longer for it than it was told; of a token one question is under way at a time;
what is kept is found by a keyed digest of the token, never the token; the question carries the
token and nothing else of the caller's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway import __version__
from gateway.errors import UpstreamError
from gateway.model import Api, Headers, Person
from gateway.ports import Clock, Upstream
from gateway.proxy.coding import inflated
from gateway.soe.persons import ANSWER_AT_MOST, read_person, request_for

FOUND_SECONDS = 300.0
"""How long a person is known by a token."""
NOBODY_SECONDS = 30.0
"""How long it is known that nobody was found: SOE is not asked with every write."""
_KEPT_AT_MOST = 10_000
_AT_ONCE = 16
"""Questions under way: the connections are there for reads and writes."""
_ASKED_SECONDS = 5.0
"""How long a question may take; who waited less than that meets its answer in the next write."""


def pseudonym(person: Person, secret: bytes) -> str:
    """Give the name under which rules and state know a person: the same in all replicas."""
    return hashlib.blake2b(f"person:{person.id}".encode(), key=secret, digest_size=16).hexdigest()


@dataclass(slots=True, kw_only=True)
class SoePersons:
    """Asks SOE: `ports.Persons`.

    Attributes:
        authority: SOE's host and port, for `Host`.
        secret: keys the digests of tokens.
        timeout: seconds that a write waits.
        tell: is told how each question ended: `found`, `nobody` (SOE did not say), `failed` (it
            did not answer), `late` (a write no longer waited), `busy` (too many were under way).
    """

    upstream: Upstream
    authority: bytes
    clock: Clock
    secret: bytes = field(repr=False)
    timeout: float
    tell: Callable[[str], None]
    _kept: OrderedDict[bytes, tuple[float, Person | None]] = field(
        default_factory=OrderedDict, init=False, repr=False
    )
    _asking: dict[bytes, asyncio.Task[Person | None]] = field(
        default_factory=dict, init=False, repr=False
    )

    async def of(self, token: str, api: Api, team: str | None) -> Person | None:
        """As `ports.Persons.of`."""
        request = request_for(token, api, team)
        if request is None:
            return None
        key = self._key(token, request[0])
        until, person = self._kept.get(key, (0.0, None))
        if self.clock.now() < until:
            return person
        asking = self._asking.get(key)
        if asking is None:
            if len(self._asking) >= _AT_ONCE:
                self.tell("busy")
                return None
            asking = asyncio.create_task(self._find(key, api, *request))
            self._asking[key] = asking
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.shield(asking)  # the next write meets its answer
        except TimeoutError:
            self.tell("late")
            return None

    async def aclose(self) -> None:
        """End what is under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _key(self, token: str, target: bytes) -> bytes:
        digest = hashlib.blake2b(key=self.secret, digest_size=16)
        digest.update(b"%d:%s" % (len(target), target))
        digest.update(token.encode())
        return digest.digest()

    async def _find(self, key: bytes, api: Api, target: bytes, fields: Headers) -> Person | None:
        """Ask, and keep what is said; never raises but when cancelled."""
        try:
            async with asyncio.timeout(_ASKED_SECONDS):
                person = await self._ask(api, target, fields)
            self.tell("found" if person else "nobody")
        except (UpstreamError, TimeoutError):
            person = None
            self.tell("failed")
        finally:
            del self._asking[key]
        self._kept.pop(key, None)
        seconds = FOUND_SECONDS if person else NOBODY_SECONDS
        self._kept[key] = self.clock.now() + seconds, person
        if len(self._kept) > _KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return person

    async def _ask(self, api: Api, target: bytes, fields: Headers) -> Person | None:
        head = (
            (b"host", self.authority),
            (b"user-agent", f"soe-write-gateway/{__version__}".encode()),
            (b"accept", b"application/json"),
            *fields,
        )
        response = await self.upstream.send("GET", target, head, None)
        body = b""
        try:
            while not response.complete and len(body) <= ANSWER_AT_MOST:
                body += await response.read()
        finally:
            await response.aclose()
        plain = inflated(body, response.headers, ANSWER_AT_MOST + 1)
        return read_person(api, response.status, plain)
