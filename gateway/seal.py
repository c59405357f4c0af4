"""Sealing: AES-256-GCM, bound to a name, so that what is kept is read by whoever has the key alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals with one key of 32 bytes."""

    key: bytes = field(repr=False)

    def close(self, name: str, data: bytes) -> bytes:
        """Give data sealed under a name."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, data, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """Give the data back; None where it was sealed with another key, or under another name."""
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            return None
