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
from fnmatch import fnmatchcase

from gateway.model import ANONYMOUS
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Reader, nearest

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_KEYS = (
    "owner",
    "contact",
    "purpose",
    "approver",
    "expires",
    "tier",
    "operations",
    "keys",
    "tokens",
)
_EARNS_NOTHING = ("user_agent", "api_key", "v2_key", "path")
TIERS = ("probation", "trusted")


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


def read_registry(reader: Reader, text: str, operations: Collection[str]) -> Registry:
    """Read `integrations.yaml`; what is wrong is noted in the reader.

    Args:
        operations: all operations there are.
    """
    root = reader.compose(text)
    if root is None or reader.mapping(root, keys=("integrations",)) is None:
        return Registry()
    listed = root.items.get("integrations")
    mapping = reader.mapping(listed) if listed is not None else None
    if mapping is None:
        return Registry()
    read = [_integration(reader, mapping, name, operations) for name in mapping.items]
    integrations = [integration for integration in read if integration is not None]
    _refuse_shared(reader, mapping, integrations)
    return Registry(integrations)


def _integration(
    reader: Reader, listed: MappingNode, name: str, operations: Collection[str]
) -> Integration | None:
    if not _NAME.fullmatch(name) or name == ANONYMOUS:
        reader.problem(listed.keys[name], f"{name!r} cannot name an integration; use kebab-case")
    node = listed.items[name]
    if isinstance(node, MappingNode):
        for key in _EARNS_NOTHING:
            if key in node.keys:
                reader.problem(node.keys[key], f"{key} identifies nobody: anybody can send it")
    mapping = reader.mapping(
        node, keys=(*_KEYS, *_EARNS_NOTHING), required=("owner", "contact", "purpose")
    )
    if mapping is None:
        return None
    items = mapping.items
    expires = reader.date(items["expires"]) if "expires" in items else None
    tier = reader.choice(items["tier"], TIERS) if "tier" in items else "probation"
    return Integration(
        name=name,
        owner=_text(reader, items, "owner"),
        contact=_text(reader, items, "contact"),
        purpose=_text(reader, items, "purpose"),
        approver=_text(reader, items, "approver"),
        expires=expires,
        tier=tier or "probation",
        operations=_operations(reader, items, operations),
        keys=_digests(reader, items, "keys"),
        tokens=_digests(reader, items, "tokens"),
    )


def _text(reader: Reader, items: Mapping[str, Node], key: str) -> str:
    return (reader.text(items[key]) or "") if key in items else ""


def _operations(
    reader: Reader, items: Mapping[str, Node], operations: Collection[str]
) -> tuple[str, ...]:
    if "operations" not in items:
        return ("*",)
    globs = reader.texts(items["operations"]) or ()
    for glob in globs:
        if not any(fnmatchcase(operation, glob) for operation in operations):
            told = f"no operation is called {glob!r}{nearest(glob, operations)}"
            reader.problem(items["operations"], told)
    return globs


def _digests(reader: Reader, items: Mapping[str, Node], key: str) -> tuple[str, ...]:
    if key not in items:
        return ()
    digests = []
    for text in reader.texts(items[key]) or ():
        found = _DIGEST.fullmatch(text)
        if found is None:
            reader.problem(items[key], f"{key} are digests, as sha256: and 64 hex digits")
        else:
            digests.append(found[1])
    if key == "keys" and len(digests) > 2:
        reader.problem(items[key], "at most two keys are active, the old one and the new one")
    return tuple(digests)


def _refuse_shared(
    reader: Reader, mapping: MappingNode, integrations: Collection[Integration]
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
