"""The registered integrations: who may write, and by what they are known.

Secrets are stored as SHA-256 of what has 256 random bits, so a look-up by digest tells nothing
to somebody who measures its time: the digest of a guess cannot be steered.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from gateway.parse import Mapping as MappingNode
from gateway.policy.language import REGISTRY
from gateway.policy.reader import PolicyReader

_URL = re.compile(
    r"(?P<origin>https?://[a-z0-9.:\[\]-]+)(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(?:[?#][!-~]*)?"
)
_CLIMBS = re.compile(r"/\.{1,2}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One registered integration; `keys` and `tokens` are SHA-256 digests, hex."""

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
    return_to: tuple[str, ...] = ()

    def may_return_to(self, url: str) -> bool:
        """Whether a page of ours may lead to a URL: one of `return_to`, or below its path."""
        found = _URL.fullmatch(url)
        if found is None or _CLIMBS.search(unquote(found["path"]) + "/"):
            return False
        place = f"{found['origin']}{found['path']}".rstrip("/") + "/"
        return any(place.startswith(f"{each.rstrip('/')}/") for each in self.return_to)


class Registry:
    """Finds an integration by the digest of what it presented."""

    def __init__(self, integrations: Collection[Integration] = ()) -> None:
        self.integrations = tuple(integrations)
        self._keys = {digest: one for one in integrations for digest in one.keys}
        self._tokens = {digest: one for one in integrations for digest in one.tokens}

    def by_key(self, digest: str) -> Integration | None:
        """The integration with this gateway key."""
        return self._keys.get(digest)

    def by_token(self, digest: str) -> Integration | None:
        """The integration with this SOE token."""
        return self._tokens.get(digest)

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
        return_to=told.get("return_to") or (),
    )


def _digests(written: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(each.removeprefix("sha256:") for each in written or ())


def _refuse_shared(
    reader: PolicyReader, mapping: MappingNode, integrations: Collection[Integration]
) -> None:
    owners: dict[str, str] = {}
    for integration in integrations:
        for each in (*integration.keys, *integration.tokens):
            mark = mapping.keys[integration.name]
            if each not in owners:
                owners[each] = integration.name
            elif owners[each] == integration.name:
                reader.problem(mark, "has a key or token twice")
            else:
                reader.problem(mark, f"shares a key or token with {owners[each]}")
