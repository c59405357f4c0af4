"""The chain over one writer's records: each line names the one before and proves itself.

`mac` is HMAC-SHA256 over the line's bytes up to it; `prev` is the `mac` of the line before, so a
line that is changed, dropped or moved shows. Where another key signs from here on, `key_id` names
it. What the chain cannot show is a cut at its end: that is for checkpoints.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gateway.audit.key import Keys, only

_MAC = ',"mac":"'
_MAC_LENGTH = 64
_BLOCK = 64
"""Bytes that SHA-256 takes at once."""
_END = '"}\n'
_TAIL = len(_MAC) + _MAC_LENGTH + len(_END)


class Head(NamedTuple):
    """The last record of a chain, or of a part of it; number 0 before the first."""

    seq: int = 0
    mac: str = ""


NOTHING_YET = Head()


class Chain:
    """Where a writer's chain stands.

    Args:
        key: signs the next lines.
        key_id: its id, where the line before was signed by another or there are several.
    """

    def __init__(
        self, key: bytes, writer: str, head: Head = NOTHING_YET, key_id: str | None = None
    ) -> None:
        self._sign = signing(key)
        self._key = f',"key_id":{orjson.dumps(key_id).decode()}' if key_id else ""
        self._named = _named(writer)
        self.writer = writer
        self.head = head

    def lines(self, encoded: Iterable[bytes]) -> list[bytes]:
        """Give the lines of encoded records; the chain stands where it stood until `advance`."""
        (seq, mac), key, named, sign = self.head, self._key, self._named, self._sign
        lines = []
        for each in encoded:
            seq += 1
            body = each[:-1] + f'{key},"seq":{seq}{named}"{mac}"'.encode()
            mac, key = sign(body), ""
            lines.append(body + _tail(mac))
        return lines

    def advance(self, lines: Sequence[bytes]) -> None:
        """Take lines that were written as the last ones."""
        self._key = ""
        self.head = Head(self.head.seq + len(lines), lines[-1][-_MAC_LENGTH - 3 : -3].decode())


def begun(writer: str, keys: Keys) -> Chain:
    """Begin the chain of a new writer, which the newest key signs."""
    return _signed_on(writer, Head(), None, keys)


def resumed(writer: str, last: bytes, keys: Keys) -> Chain | None:
    """Go on after a writer's last line; None where it is not as it was written."""
    told, signer = _read(last), _signer(last, keys)
    if signer is None or told is None or told["writer"] != writer:
        return None
    return _signed_on(writer, Head(told["seq"], told["mac"]), signer, keys)


def after(writer: str, head: Head, keys: Keys) -> Chain:
    """Go on after a record of which nobody can tell who signed it."""
    return _signed_on(writer, head, None, keys)


def _signed_on(writer: str, head: Head, signer: str | None, keys: Keys) -> Chain:
    newest = keys.newest
    told = newest != signer and (len(keys.by_id) > 1 or signer is not None)
    return Chain(keys.by_id[newest], writer, head, newest if told else None)


class Follower:
    """Follows the lines of one writer, and says what is wrong with the first that is not as written.

    Attributes:
        start: the record before the first that was followed.
        head: the last that was.
    """

    def __init__(self, keys: Keys, writer: str | None = None) -> None:
        self._keys = keys
        self._ids = list(keys.by_id)
        self._writer = writer
        self._signer: str | None = None
        self._sign = signing(keys.first)
        self._named = ""
        self.start = Head()
        self.head = Head()

    def follow(self, line: bytes) -> str:
        """Take the next line; gives what is wrong with it, or nothing."""
        body, tail = line[:-_TAIL], line[-_TAIL:]
        seq, prev = self.head
        if (
            self._signer is not None
            and tail == _tail(self._sign(body))
            and body.endswith(f',"seq":{seq + 1}{self._named}"{prev}"'.encode())
        ):
            self.head = Head(seq + 1, tail[-_MAC_LENGTH - 3 : -3].decode())
            return ""
        return self._look_closer(line)

    def is_signed(self, line: bytes) -> bool:
        """Whether one of the keys signed a line, at whatever place."""
        return _signer(line, self._keys) is not None

    def _look_closer(self, line: bytes) -> str:
        told, signer = _read(line), _signer(line, self._keys)
        if told is None or signer is None:
            return "it was changed, or signed by a key that is not in the key file"
        wrong = self._wrong_place(told) or self._wrong_signer(told, signer)
        if wrong:
            return wrong
        if self._signer is None:
            self.start = Head(told["seq"] - 1, told["prev"])
            self._writer = told["writer"]
        self._signer, self._sign = signer, signing(self._keys.by_id[signer])
        self._named = _named(told["writer"])
        self.head = Head(told["seq"], told["mac"])
        return ""

    def _wrong_place(self, told: Mapping[str, Any]) -> str:
        seq, wanted = told["seq"], self.head.seq + 1
        if self._writer is not None and told["writer"] != self._writer:
            return f"it is a record of another writer, {told['writer']}"
        if self._signer is None:
            return "" if (seq == 1) == (told["prev"] == "") else "it begins no chain"
        if seq > wanted:
            what = f"record {wanted}" if seq == wanted + 1 else f"records {wanted} to {seq - 1}"
            return f"{what} should stand before it: dropped, or moved"
        if seq < wanted:
            return f"it stands here again or too late: record {wanted} should stand here"
        return "" if told["prev"] == self.head.mac else "it does not follow the record before it"

    def _wrong_signer(self, told: Mapping[str, Any], signer: str) -> str:
        if self._signer in (None, signer):
            return ""
        if told.get("key_id") != signer:
            return f"key {signer} signed it, and no record says that the key changed"
        if self._ids.index(signer) < self._ids.index(self._signer or signer):
            return f"key {signer} signed it, which is older than that of the record before"
        return ""


def verify(lines: Iterable[bytes], key: bytes) -> int | None:
    """Check the lines of one writer, from its first; give the index of the first wrong one.

    None means that all are as they were written, in order, with none missing between them.
    """
    follower = Follower(only(key))
    for index, line in enumerate(lines):
        if follower.follow(line) or follower.start.seq:
            return index
    return None


def _named(writer: str) -> str:
    """Give what stands between a line's number and the `mac` of the line before."""
    return f',"writer":{orjson.dumps(writer).decode()},"prev":'


def _tail(mac: str) -> bytes:
    return f"{_MAC}{mac}{_END}".encode()


def signing(key: bytes) -> Callable[[bytes], str]:
    """Give what signs with a key, by HMAC-SHA256 (RFC 2104).

    What the key alone decides is computed once: `hmac` costs twice as much for each line.
    """
    padded = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = sha256(bytes(byte ^ 0x5C for byte in padded))

    def sign(body: bytes) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(body)
        around.update(within.digest())
        return around.hexdigest()

    return sign


def _signer(line: bytes, keys: Keys) -> str | None:
    """Give the id of the key that signed a line."""
    body, tail = line[:-_TAIL], line[-_TAIL:]
    for name, key in keys.by_id.items():
        if hmac.compare_digest(tail, _tail(hmac.digest(key, body, "sha256").hex())):
            return name
    return None


def _read(line: bytes) -> Mapping[str, Any] | None:
    """Give a line's members where it has those of the chain."""
    try:
        told = orjson.loads(line)
        int.bit_length(told["seq"])
        for name in ("writer", "prev", "mac"):
            str.encode(told[name])
    except (ValueError, LookupError, TypeError):
        return None
    found: Mapping[str, Any] = told
    return found
