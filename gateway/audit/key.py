"""The key that proves the audit log, and keys every digest of a secret."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from gateway.errors import AuditError


def load_or_make_key(path: Path) -> tuple[bytes, bool]:
    """Give the key of a file, 32 random bytes as hex, and whether it had to be made.

    Raises:
        AuditError: it cannot be read or made, or is too short to prove anything.
    """
    try:
        made = not path.exists() and _make(path)
        text = path.read_bytes().strip()
    except OSError as error:
        raise AuditError(f"the key {path} cannot be read: {error.strerror}") from error
    if len(text) < 32:
        raise AuditError(f"the key {path} is shorter than 32 characters")
    return text, made


def _make(path: Path) -> bool:
    """Make the file whole or not at all; false where another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(32).hex().encode())
            file.flush()
            os.fsync(fd)
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        Path(unfinished).unlink()
    return True


def derived(key: bytes, purpose: str) -> bytes:
    """Give a key for one purpose, so that what one digest tells helps with no other."""
    return hashlib.blake2b(
        purpose.encode(), key=hashlib.sha256(key).digest(), digest_size=32
    ).digest()
