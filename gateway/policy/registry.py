"""The registered integrations: who may write, and by what they are known.

Secrets are stored as SHA-256 of what has 256 random bits, so a look-up by digest tells nothing
to somebody who measures its time: the digest of a guess cannot be steered, and no bytes of a
secret are compared with bytes that a caller chose.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from gateway.parse import Mapping as MappingNode
from gateway.policy.language import REGISTRY
from gateway.policy.reader import PolicyReader
from gateway.policy.sources import Held

_URL = re.compile(
    r"(?P<origin>https?://[a-z0-9.:\[\]-]+)(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(?:[?#][!-~]*)?"
)
_CLIMBS = re.compile(r"/\.{1,2}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One registered integration.

    Attributes:
        keys: SHA-256 digests of its gateway keys, hex, the older first.
        tokens: SHA-256 digests of its SOE tokens, hex.
        certificates: subject alternative names with their type, as `DNS:…`, `URI:…`, `email:…`.
        oauth_clients: for which SOE mints its tokens.
        origins: of its pages. They name nobody: anybody but a browser can send them.
        upstream_token: the SOE token that the gateway sends for it.
    """

    name: str
    owner: str
    contact: str
    purpose: str
    approver: str = ""
    expires: datetime.date | None = None
    tier: str = "probation"
    operations: tuple[str, ...] = ("*",)
    keys: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    certificates: tuple[str, ...] = ()
    oauth_clients: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    upstream_token: Held | None = None
    return_to: tuple[str, ...] = ()

    def may_return_to(self, url: str) -> bool:
        """Whether a page of ours may lead to a URL: one of `return_to`, or below its path."""
        found = _URL.fullmatch(url)
        if found is None or _CLIMBS.search(unquote(found["path"]) + "/"):
            return False
        place = f"{found['origin']}{found['path']}".rstrip("/") + "/"
        return any(place.startswith(f"{each.rstrip('/')}/") for each in self.return_to)


class Registry:
    """Finds an integration by what it presented: of secrets the digest.

    `held` are the tokens that the gateway sends; `mints` tells whether any integration may exchange
    a token for others.
    """

    def __init__(self, integrations: Collection[Integration] = ()) -> None:
        self.integrations = tuple(integrations)
        self._keys = {digest: one for one in integrations for digest in one.keys}
        self._tokens = {digest: one for one in integrations for digest in one.tokens}
        self._names = {name: one for one in integrations for name in one.certificates}
        self._clients = {client: one for one in integrations for client in one.oauth_clients}
        self._origins = {origin: one for one in integrations for origin in one.origins}
        self.mints = any(
            fnmatchcase("token.exchange", each) for one in integrations for each in one.operations
        )
        self.held = tuple(one.upstream_token for one in integrations if one.upstream_token)

    def by_key(self, digest: str) -> Integration | None:
        """The integration with this gateway key."""
        return self._keys.get(digest)

    def by_token(self, digest: str) -> Integration | None:
        """The integration with this SOE token."""
        return self._tokens.get(digest)

    def by_certificate(self, name: str) -> Integration | None:
        """The integration with this name in its client certificates."""
        return self._names.get(name)

    def by_client(self, client: str) -> Integration | None:
        """The integration with this OAuth client."""
        return self._clients.get(client)

    def by_origin(self, origin: str) -> Integration | None:
        """The integration whose pages have this origin; it is not named by it."""
        return self._origins.get(origin)

    @property
    def has_origins(self) -> bool:
        """Whether any integration has pages."""
        return bool(self._origins)

    @property
    def has_clients(self) -> bool:
        """Whether any integration has OAuth clients."""
        return bool(self._clients)

    @property
    def names(self) -> frozenset[str]:
        """All registered names."""
        return frozenset(integration.name for integration in self.integrations)


def new_key(random: bytes) -> str:
    """Make a gateway key out of 32 random bytes."""
    return "sgw_" + base64.urlsafe_b64encode(random).decode().rstrip("=")


def digest(secret: bytes) -> str:
    """Give the SHA-256 of a gateway key or SOE token, hex."""
    return hashlib.sha256(secret).hexdigest()


def read_registry(reader: PolicyReader, text: str) -> Registry:
    """Read `integrations.yaml`; what is wrong is noted in the reader."""
    root = reader.compose(text)
    read = REGISTRY.read(reader, root) if root is not None else None
    listed = (read or {}).get("integrations")
    if listed is None or root is None:
        return Registry()
    integrations = [_integration(name, told) for name, told in listed.items() if told is not None]
    node = root.items["integrations"]
    assert isinstance(node, MappingNode)
    _refuse_shared(reader, node, integrations)
    for one in integrations:
        if one.origins and not (one.keys or one.tokens or one.certificates or one.oauth_clients):
            told = "origins name nobody, anybody can send them: its writes need one thing that does"
            reader.warn(node.keys[one.name], told)
    return Registry(integrations)


def _integration(name: str, told: Mapping[str, Any]) -> Integration:
    """Make an integration; where something was wrong, the rest of it is looked at all the same."""
    texts = ("owner", "contact", "purpose", "approver")
    operations = told.get("operations")
    return Integration(
        name=name,
        **{key: told.get(key) or "" for key in texts},
        expires=told.get("expires"),
        tier=told.get("tier") or "probation",
        operations=operations or ("*",),
        keys=_digests(told.get("keys")),
        tokens=_digests(told.get("tokens")),
        certificates=tuple(map(certificate_name, told.get("certificates") or ())),
        oauth_clients=told.get("oauth_clients") or (),
        origins=told.get("origins") or (),
        upstream_token=told.get("upstream_token"),
        return_to=told.get("return_to") or (),
    )


def certificate_name(name: str) -> str:
    """Give a name of a certificate as it is compared: of domains the letter case means nothing."""
    kind, _, value = name.partition(":")
    if kind == "DNS":
        value = value.lower().removesuffix(".")
    elif kind == "email":
        local, _, domain = value.rpartition("@")
        value = f"{local}@{domain.lower()}"
    return f"{kind}:{value}"


def _digests(written: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(each.removeprefix("sha256:") for each in written or ())


_SHARED = {
    "key or token": ("keys", "tokens"),
    "certificate": ("certificates",),
    "OAuth client": ("oauth_clients",),
    "origin": ("origins",),
}
"""What belongs to one integration alone, as it is called, and the attributes that hold it."""


def _refuse_shared(
    reader: PolicyReader, mapping: MappingNode, integrations: Collection[Integration]
) -> None:
    for what, attributes in _SHARED.items():
        owners: dict[str, str] = {}
        for integration in integrations:
            mark = mapping.keys[integration.name]
            for each in (each for name in attributes for each in getattr(integration, name)):
                if each not in owners:
                    owners[each] = integration.name
                elif owners[each] == integration.name:
                    reader.problem(mark, f"has {_a(what)} twice")
                else:
                    reader.problem(mark, f"shares {_a(what)} with {owners[each]}")


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'Oo' else 'a'} {what}"
