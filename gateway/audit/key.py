"""The key that proves the audit log, and keys every digest of a secret."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from gateway.errors import AuditError


def load_or_make_key(path: Path) -> tuple[bytes, bool]:
    """Give the 32 bytes of a key file and whether it had to be made.

    Raises:
        AuditError: it cannot be read or made, or is too short to prove anything.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = not path.exists()
        if made:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(32).hex().encode())
                file.flush()
                os.fsync(fd)
        text = path.read_bytes().strip()
    except OSError as error:
        raise AuditError(f"the key {path} cannot be read: {error.strerror}") from error
    if len(text) < 32:
        raise AuditError(f"the key {path} is shorter than 32 characters")
    return text, made


def derived(key: bytes, purpose: str) -> bytes:
    """Give a key for one purpose, so that what one digest tells helps with no other."""
    return hashlib.blake2b(
        purpose.encode(), key=hashlib.sha256(key).digest(), digest_size=32
    ).digest()
