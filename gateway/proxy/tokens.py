"""What SOE's exchanges tell of the tokens they give: for which client, or in place of which token.

An exchange crosses the gateway, so who minted a token is known from the token's first use on, to all
replicas: as a note, named by a keyed digest, that ends when the token does.

Laws: no token is kept, and nothing that gives one back; state that is away makes a token unknown,
and is never an error; a token that was exchanged for another counts as that other one.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from gateway.errors import StoreError
from gateway.observe.observer import Observer
from gateway.policy.registry import Registry, digest
from gateway.ports import ANY, Clock, Store

EXCHANGE, IMPERSONATION = "oauth.exchange", "token.exchange"
_ENDS = ("token.invalidate", "app.deauthenticate")
OPERATIONS = frozenset({EXCHANGE, IMPERSONATION, *_ENDS})
"""The operations that make or end tokens."""
PARENTS_AT_MOST = 20
"""Tokens that SOE exchanges in one call."""
_KEPT_AT_MOST = 90 * 86_400.0
_CACHED_SECONDS = 60.0
_CACHED_AT_MOST = 4_096
_ENDED = re.compile(rb"/(?:access-tokens|apps)/([^/]+)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """Where a token comes from.

    Attributes:
        client: the OAuth client that it was minted for; empty where nobody saw that.
        parent: keyed digest of the token that it was exchanged for; empty without one.
        credential: SHA-256 of that token, hex, as a registry has it.
    """

    client: str = ""
    parent: str = ""
    credential: str = ""


def keyed(token: str, secret: bytes) -> str:
    """Give the digest under which a token is known to rules, state and audit."""
    return hashlib.blake2b(token.encode(), key=secret, digest_size=16).hexdigest()


def parents_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Give the tokens that a request wants to exchange for others."""
    return tuple(filter(None, fields.get("access_tokens", "").split(";")))


class Tokens:
    """Learns where tokens come from, and remembers it for a minute in this process."""

    def __init__(self, store: Store, clock: Clock, observer: Observer, secret: bytes) -> None:
        """Take the state that holds the notes, and what keys the digests of tokens."""
        self._store = store
        self._clock = clock
        self._observer = observer
        self._secret = secret
        self._cached: OrderedDict[str, tuple[float, Minted | None]] = OrderedDict()

    async def of(self, token: str) -> Minted | None:
        """Tell where a token comes from; None where no exchange is known, or cannot be asked for."""
        name, now = keyed(token, self._secret), self._clock.now()
        until, known = self._cached.get(name, (0.0, None))
        if now < until:
            self._cached.move_to_end(name)
            return known
        try:
            note = await self._store.notes.get(f"token/{name}", now)
        except StoreError as error:
            self._observer.store_failed("notes", error)
            return None
        known = None if note is None else Minted(**orjson.loads(note))
        self._cache(name, known, now)
        return known

    async def learn(
        self,
        operation: str,
        target: bytes,
        fields: Mapping[str, str],
        answer: bytes,
        registry: Registry,
    ) -> None:
        """Learn from SOE's answer to one of `OPERATIONS` that it took.

        Args:
            target: of the request, raw: its path may name tokens.
            fields: of its query and form.
            answer: as far as it is known, decoded; an unreadable one tells nothing.
        """
        try:
            if operation in _ENDS:
                for token in _ended(target):
                    await self._forget(token)
            elif operation == EXCHANGE:
                client = fields.get("client_id", "")
                if registry.by_client(client) is not None:
                    for token, seconds in _given(answer):
                        await self._keep(token, Minted(client=client), seconds)
            else:
                for token, parent, until in _exchanged(answer, parents_of(fields)):
                    minted = await self._child_of(parent)
                    await self._keep(token, minted, until - self._clock.now())
        except StoreError as error:
            self._observer.store_failed("notes", error)

    async def _child_of(self, parent: str) -> Minted:
        """Give what a token is that was exchanged for another; of a chain the first counts."""
        before = await self.of(parent) or Minted()
        return Minted(
            client=before.client,
            parent=before.parent or keyed(parent, self._secret),
            credential=before.credential or digest(parent.encode()),
        )

    async def _keep(self, token: str, minted: Minted, seconds: float) -> None:
        name, now = keyed(token, self._secret), self._clock.now()
        until = now + min(max(seconds, 0.0), _KEPT_AT_MOST)
        self._cache(name, minted, now)
        note = orjson.dumps(asdict(minted))
        await self._store.notes.put(f"token/{name}", note, now, until=until, expected=ANY)

    async def _forget(self, token: str) -> None:
        name = keyed(token, self._secret)
        self._cached.pop(name, None)
        await self._store.notes.drop(f"token/{name}", self._clock.now())

    def _cache(self, name: str, minted: Minted | None, now: float) -> None:
        self._cached[name] = (now + _CACHED_SECONDS, minted)
        self._cached.move_to_end(name)
        while len(self._cached) > _CACHED_AT_MOST:
            self._cached.popitem(last=False)


# ── what SOE's answers say ───────────────────────────────────────────────────────────────────


def _given(answer: bytes) -> Iterator[tuple[str, float]]:
    """Read the token of a code exchange, and for how many seconds it is; JSON or a form."""
    document = _document(answer)
    if document is None:
        document = {name: values[0] for name, values in parse_qs(answer.decode("latin-1")).items()}
    token = document.get("access_token")
    if isinstance(token, str) and token:
        yield token, _number(document.get("expires"), _KEPT_AT_MOST)


def _exchanged(answer: bytes, parents: tuple[str, ...]) -> Iterator[tuple[str, str, float]]:
    """Read the tokens that impersonate: each with the one it was exchanged for, and its end."""
    items = (_document(answer) or {}).get("items")
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        token, parent = item.get("access_token"), item.get("original_access_token")
        if parent not in parents and len(parents) == 1:
            parent = parents[0]
        if isinstance(token, str) and token and parent in parents:
            yield token, parent, _number(item.get("expires_on_date"), float("inf"))


def _ended(target: bytes) -> Iterator[str]:
    """Give the tokens that a path names; as it came, for their letter case means something."""
    found = _ENDED.search(target.partition(b"?")[0])
    yield from unquote(found[1].decode("latin-1")).split(";") if found else ()


def _document(answer: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _number(value: Any, otherwise: float) -> float:
    try:
        number = otherwise if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return otherwise
    return number if number >= 0 else otherwise  # nan is neither
