"""What state keeps of texts, sealed: answers for repeated requests, and what waits for a person.

Sealed (AES-256-GCM, bound to its name) because state must not show the text of posts to whoever
reads its database.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model import Headers, Reply

_NONCE = 12
_BYTES_AT_MOST = 1 << 20
"""Of an answer that is unpacked; more was never packed."""


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


def packed(reply: Reply) -> bytes:
    """Give an answer as few bytes."""
    head = {
        "status": reply.status,
        "headers": [[part.decode("latin-1") for part in field] for field in reply.headers],
    }
    return zlib.compress(orjson.dumps(head) + b"\n" + reply.body, level=1)


def unpacked(data: bytes) -> Reply:
    """Give the answer that was packed."""
    told, _, body = zlib.decompressobj().decompress(data, _BYTES_AT_MOST).partition(b"\n")
    head = orjson.loads(told)
    headers: Headers = tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]
    )
    return Reply(head["status"], headers, body)
