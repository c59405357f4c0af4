"""The keys that prove the audit log, and key every digest of a secret.

A key file holds a key, or several lines `id:key` of which the newest, the last, signs; a first line
without an id has the id 1. Digests are made with the first: what they stand for outlives a change
of the key that signs.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import AuditError

_NAMED = re.compile(rb"([A-Za-z0-9_-]{1,16}):(.*)", re.DOTALL)
_FIRST = "1"
_LENGTH_AT_LEAST = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys by id, oldest first; there is one at least."""

    by_id: Mapping[str, bytes] = field(repr=False)

    @property
    def first(self) -> bytes:
        """The key that digests are made with."""
        return next(iter(self.by_id.values()))

    @property
    def newest(self) -> str:
        """The id of the key that signs."""
        return next(reversed(list(self.by_id)))


def only(key: bytes) -> Keys:
    """Give a key as the only one."""
    return Keys({_FIRST: key})


def load_or_make_keys(path: Path) -> Keys:
    """Give the keys of a file; where there is none, it is made with 32 random bytes as hex.

    Raises:
        AuditError: it cannot be read or made, is no key file, or a key is too short to prove
            anything.
    """
    try:
        if not path.exists():
            _make(path)
        text = path.read_bytes()
    except OSError as error:
        raise AuditError(f"the key {path} cannot be read: {error.strerror}") from error
    return _read(text, path)


def _read(text: bytes, path: Path) -> Keys:
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.strip().splitlines() or [b""], 1):
        if not line.strip():
            continue
        named = _NAMED.fullmatch(line.strip())
        if named is None and found:
            raise AuditError(f"{path}:{number}: expected `id:key`, as every key but the first")
        name, key = (named[1].decode(), named[2]) if named else (_FIRST, line.strip())
        if name in found:
            raise AuditError(f"{path}:{number}: there is a key {name} already")
        if len(key) < _LENGTH_AT_LEAST:
            raise AuditError(f"the key {path}:{number} is shorter than 32 characters")
        found[name] = key
    if not found:
        raise AuditError(f"the key {path} is shorter than 32 characters")
    return Keys(found)


def _make(path: Path) -> None:
    """Make the file whole or not at all; where another process was first, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(32).hex().encode())
            file.flush()
            os.fsync(fd)
        os.link(unfinished, path)
    except FileExistsError:
        return
    finally:
        Path(unfinished).unlink()


def derived(key: bytes, purpose: str) -> bytes:
    """Give a key for one purpose, so that what one digest tells helps with no other."""
    return hashlib.blake2b(
        purpose.encode(), key=hashlib.sha256(key).digest(), digest_size=32
    ).digest()
