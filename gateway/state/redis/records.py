"""A write as one short string of bytes, in which Redis keeps it; the scripts' side is `prelude.lua`. Pure.

A million of them stay in memory, so each byte counts: digests are no hex, words that recur are one
byte, and of the prints only those are kept under which the post is listed.

    at, outcome | core | length of place, place | what ends with the outcome, for the scripts alone
    core: scope, author, text, event, mark, listed, across, four lengths | prints, id, request, facts, sketch
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct

from gateway.model import Fingerprint, Outcome, Remembered, Write
from gateway.state.accounting import PENDING_SECONDS
from gateway.state.prints import listed

_START = Struct("<dB")
_CORE = Struct("<4s4s8s8s4sBBHHHH")
_LENGTH = Struct("<H")
_NUMBER = Struct("<I")
_OUTCOMES = (None, Outcome.OK, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN)
_NO_DIGEST = bytes(8)
_LONGEST = 0xFFFF
_UTF8 = ("utf-8", "surrogatepass")
"""What SOE answered, in JSON, may hold halves of characters."""

# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def hashed(text: str, size: int = 4) -> bytes:
    """Hash a text, to look for it among others; whoever reads what was found compares it whole."""
    return blake2b(text.encode(*_UTF8), digest_size=size).digest()


def scope_of(team: str | None) -> bytes:
    """Name a scope; xor with it is the salt that keeps the prints of scopes apart."""
    return hashed(team or "")


def digested(digest: str) -> bytes:
    """Shorten a text's digest; zeros where there is none."""
    if not digest:
        return _NO_DIGEST
    raw = _raw(digest)
    return hashed(digest, 8) if raw is None else raw[:8]


def salted(prints: bytes, scope: bytes) -> bytes:
    """Mix a scope into each print."""
    mixed = int.from_bytes(prints) ^ int.from_bytes(scope * (len(prints) // 4))
    return mixed.to_bytes(len(prints))


def rows_of(prints: bytes) -> bytes:
    """Name the rows of prints, low byte first: as `row_name` in `rows.lua`, and a byte of nothing."""
    mask = int.from_bytes(_ROW * (len(prints) // 4))
    return (int.from_bytes(prints) & mask).to_bytes(len(prints))


_ROW = b"\xff\xff\x03\x00"


def in_order(prints: bytes) -> bytes:
    """Write prints with their low byte first, as the rows want them, whatever this machine does."""
    values = array("I", prints)
    return values.tobytes() if _LITTLE else b"".join(map(_NUMBER.pack, values))


_LITTLE = array("I", [1]).tobytes()[0] == 1


def named(text: str) -> bytes:
    """Write an id or a digest, short; empty where there is none."""
    if not text:
        return b""
    if (raw := _raw(text)) is not None:
        return b"\0" + raw
    if text.startswith(_PUBLISHED):
        return b"\1" + text.removeprefix(_PUBLISHED).encode(*_UTF8)
    return b"\2" + text.encode(*_UTF8)


def name_of(short: bytes) -> str:
    """Read what `named` wrote."""
    match short[:1]:
        case b"\0":
            return short[1:].hex()
        case b"\1":
            return _PUBLISHED + short[1:].decode(*_UTF8)
        case _:
            return short[1:].decode(*_UTF8)


_PUBLISHED = "published:"


def mark_of(short_id: bytes) -> bytes:
    """Give the mark under which an id is listed."""
    return blake2b(short_id, digest_size=4).digest()


def _raw(text: str) -> bytes | None:
    """The sixteen bytes that a digest writes in hex; None for other text."""
    if len(text) != 32:
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return raw if raw.hex() == text else None


# ── words ────────────────────────────────────────────────────────────────────────────────────────

_WORDS = (
    *("question.create", "question.edit", "answer.create", "answer.edit", "comment.create"),
    *("comment.edit", "article.create", "article.edit", "site"),
)
"""Texts that stand in very many writes. What is stored means their places: add at the end only."""
_KINDS = ("question", "answer", "comment", "article", "post")
"""As the words: what posts are, before their numbers."""
_NUMBERED = re.compile(rf"({'|'.join(_KINDS)})/([1-9][0-9]{{0,8}})")
_SHORT = 100
_LONG, _HEX, _WORD, _KIND = 101, 102, 128, 192


def _packed(text: str) -> bytes:
    if text in _WORDS:
        return bytes([_WORD + _WORDS.index(text)])
    if numbered := _NUMBERED.fullmatch(text):
        return bytes([_KIND + _KINDS.index(numbered[1])]) + _NUMBER.pack(int(numbered[2]))
    if (raw := _raw(text)) is not None:
        return bytes([_HEX]) + raw
    encoded = text.encode(*_UTF8)
    if len(encoded) <= _SHORT:
        return bytes([len(encoded)]) + encoded
    if len(encoded) > _LONGEST:
        raise ValueError("it is too long")
    return bytes([_LONG]) + _LENGTH.pack(len(encoded)) + encoded


def _texts(data: bytes) -> Iterator[str]:
    """Read what `_packed` wrote, one after the other."""
    at = 0
    while at < len(data):
        head, at = data[at], at + 1
        if head >= _KIND:
            (number,) = _NUMBER.unpack_from(data, at)
            yield f"{_KINDS[head - _KIND]}/{number}"
            at += _NUMBER.size
        elif head >= _WORD:
            yield _WORDS[head - _WORD]
        elif head == _HEX:
            yield data[at : at + 16].hex()
            at += 16
        else:
            length = head
            if head == _LONG:
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size
            yield data[at : at + length].decode(*_UTF8)
            at += length


_PERSON = "person:"


def _author(write: Write) -> str:
    """Whose a write is, empty where the rest of it tells."""
    if write.person is None:
        return ""
    doubtful = not write.person or write.person.startswith(_PERSON)
    return _PERSON + write.person if doubtful else write.person


def _author_of(author: str, token: str, integration: str) -> str:
    if author:
        return author if author.startswith(_PERSON) else _PERSON + author
    return f"token:{token}" if token else f"integration:{integration}"


_IN_URLS = (("https://", "\1"), ("/questions/", "\2"), ("/articles/", "\3"))


def place_of(post: str | None, url: str | None) -> bytes:
    """Write where a post stands; empty where nobody knows, or it is longer than any URL."""
    if (not post and not url) or len(post or "") + len(url or "") > _LONGEST // 4:
        return b""
    short, number = url or "", (post or "").rpartition("/")[2]
    if short.isprintable():  # so none of what stands for others is in it
        for word, sign in _IN_URLS:
            short = short.replace(word, sign, 1)
        if number:
            short = short.replace(number, "\4", 1)
    else:
        short = "\0" + short
    return _packed(post or "") + short.encode(*_UTF8)


def _place(place: bytes) -> tuple[str, str]:
    """Read what `place_of` wrote."""
    if not place:
        return "", ""
    size = _packed_size(place)
    (post,) = _texts(place[:size])
    url = place[size:].decode(*_UTF8)
    if url.startswith("\0"):
        return post, url[1:]
    url = url.replace("\4", post.rpartition("/")[2], 1)
    for word, sign in _IN_URLS:
        url = url.replace(sign, word, 1)
    return post, url


def _packed_size(data: bytes) -> int:
    head = data[0]
    if head >= _KIND:
        return 1 + _NUMBER.size
    if head >= _WORD:
        return 1
    if head == _HEX:
        return 17
    return 1 + head if head != _LONG else 3 + int(_LENGTH.unpack_from(data, 1)[0])


# ── whole writes ─────────────────────────────────────────────────────────────────────────────────


def core_of(write: Write, *, across: bool = False) -> bytes:
    """Write what never changes of a write.

    Args:
        across: its near-copies are looked for across teams, so it is listed for all of them.

    Raises:
        ValueError: a part of it is longer than a record takes.
    """
    found = write.fingerprint if write.publishes else None
    found = found or Fingerprint(text="", event="", words=0)
    scope, short_id, request = scope_of(write.team), named(write.id), named(write.request)
    stored = salted(listed(in_order(found.prints)), scope)
    texts = (
        *(write.integration, write.token, _author(write), write.operation),
        *(write.team, write.thread, write.target),
    )
    facts = b"".join(_packed(each or "") for each in texts)
    sizes = (len(short_id), len(request), len(facts), len(found.sketch))
    if max(sizes) > _LONGEST:
        raise ValueError("it is too long")
    head = _CORE.pack(
        *(scope, hashed(write.author), digested(found.text), digested(found.event)),
        *(mark_of(short_id), len(stored), across, *sizes),
    )
    return b"".join((head, stored, short_id, request, facts, found.sketch))


def has_text(record: bytes) -> bool:
    """Whether a write is found by its text."""
    return any(record[17:33])


def remembered(record: bytes, now: float) -> Remembered:
    """Read a write as the scripts keep it, at the instant `now`."""
    at, code = _START.unpack_from(record)
    *_, listed, _, id_, request, facts, sketch = _CORE.unpack_from(record, _START.size)
    start, parts = _START.size + _CORE.size + listed, []
    for size in (id_, request, facts, sketch):
        parts.append(record[start : start + size])
        start += size
    (size,) = _LENGTH.unpack_from(record, start)
    post, url = _place(record[start + 2 : start + 2 + size])
    integration, token, author, operation, team, thread, target = _texts(parts[2])
    outcome = _OUTCOMES[code]
    pending = outcome is None and now - at < PENDING_SECONDS
    return Remembered(
        write_id=name_of(parts[0]),
        at=at,
        pending=pending,
        outcome=None if pending else outcome or Outcome.UNKNOWN,
        integration=integration,
        token=token or None,
        author=_author_of(author, token, integration),
        operation=operation,
        team=team or None,
        thread=thread or None,
        post=post or target or None,
        url=url or None,
        request=name_of(parts[1]),
        overdue=outcome is None and not pending,
        sketch=parts[3],
    )
