"""SOE's answers as state keeps them for a repeated request: packed, and sealed.

Sealed (AES-256-GCM, bound to the write) because they hold the text of posts, which state must not
show to whoever reads its database.
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
    """Packs and seals answers with one key of 32 bytes."""

    key: bytes = field(repr=False)

    def close(self, write_id: str, reply: Reply) -> bytes:
        """Give the answer to a write, sealed."""
        head = {
            "status": reply.status,
            "headers": [[part.decode("latin-1") for part in field] for field in reply.headers],
        }
        packed = zlib.compress(orjson.dumps(head) + b"\n" + reply.body, level=1)
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, packed, write_id.encode())

    def open(self, write_id: str, sealed: bytes) -> Reply | None:
        """Give the answer back; None where it was sealed with another key, or for another write."""
        try:
            packed = AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], write_id.encode())
        except (InvalidTag, ValueError):
            return None
        told, _, body = zlib.decompressobj().decompress(packed, _BYTES_AT_MOST).partition(b"\n")
        head = orjson.loads(told)
        headers: Headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]
        )
        return Reply(head["status"], headers, body)
