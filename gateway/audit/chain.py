"""The chain over one writer's records: each line names the one before and proves itself.

`mac` is HMAC-SHA256 over the line's bytes up to it; `prev` is the `mac` of the line before, so a
line that is changed, dropped or moved shows. What the chain cannot show is a cut at its end.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

import orjson

from gateway.audit.record import Record

_MAC = b',"mac":"'
_MAC_LENGTH = 64


class Chain:
    """Where a writer's chain stands."""

    def __init__(self, key: bytes, writer: str, seq: int = 0, prev: str = "") -> None:
        self._key = key
        self.writer = writer
        self.seq = seq
        self.prev = prev

    def line(self, record: Record) -> bytes:
        """Give the record's line; the chain stands where it stood until `advance`."""
        chained = {**record, "seq": self.seq + 1, "writer": self.writer, "prev": self.prev}
        body = orjson.dumps(chained)[:-1]
        return body + _MAC + _mac(self._key, body) + b'"}\n'

    def advance(self, line: bytes) -> None:
        """Take a line that was written as the last one."""
        self.seq += 1
        self.prev = line[-_MAC_LENGTH - 3 : -3].decode()


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256").hex().encode()


def verify(lines: Iterable[bytes], key: bytes) -> int | None:
    """Check the lines of one writer, from its first; give the index of the first wrong one.

    None means that all are as they were written, in order, with none missing between them.
    """
    seq, prev, writer = 0, "", None
    for index, line in enumerate(lines):
        body, _, tail = line.removesuffix(b"\n").rpartition(_MAC)
        if not body or not hmac.compare_digest(tail, _mac(key, body) + b'"}'):
            return index
        record = orjson.loads(body + b"}")
        writer = writer or record["writer"]
        if (record["seq"], record["prev"], record["writer"]) != (seq + 1, prev, writer):
            return index
        seq, prev = seq + 1, tail[:_MAC_LENGTH].decode()
    return None
