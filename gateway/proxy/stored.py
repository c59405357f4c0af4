"""What state keeps of texts, sealed: answers for repeated requests, and what waits for a person.

`Seal` closes it, because state must not show the text of posts to whoever reads its database.
"""

from __future__ import annotations

import zlib

import orjson

from gateway.model import Headers, Reply

_BYTES_AT_MOST = 1 << 20
"""Of an answer that is unpacked; more was never packed."""


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
