"""From a post to the words that a reader sees. Pure.

There are two views of a post. The full one has title and text without what is quoted, unless
hardly anything else remains; the own one leaves out the furniture of forms as well, where enough
remains. What is encoded is decoded and counts as said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from gateway.text import markdown
from gateway.text.encoded import decode
from gateway.text.folding import INVISIBLE
from gateway.text.visible import Kind, Passage, Visible
from gateway.text.words import count, split

_ENOUGH = 12
"""Real words that can stand for themselves."""
_QUOTED_BESIDE = 20
"""Quoted words beside few others that are taken for a quote and not for the post."""
_FORM_BESIDE = 40
"""Words of forms beside few others that are taken for a form."""
_MAIL = re.compile(
    r"(?m)^[ \t]*+(?:On .{4,120} wrote:|-{2,}+ *Original Message *-{2,}+|Am .{4,80} schrieb .{0,80}:)[ \t]*+$"
)
_MIXED = re.compile(
    r"\b(?=\w*?[A-Za-z])(?=\w*?[\u0370-\u03ff\u0400-\u052f\u0531-\u058f\u13a0-\u13f5\ua4d0-\ua4ff])\w+"
)

Read = Callable[[str], Visible]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What explanations tell, and what a check on hidden text weighs.

    Attributes:
        seen: letters and digits that a reader sees.
        unseen: letters and digits that he does not: comments, hidden elements, titles.
        opaque: letters of what looks encoded and cannot be decoded.
        invisible: characters that nobody sees; emoji have some.
        mixed: words of which each mixes Latin letters with Greek, Cyrillic or others like them.
        quoted: words in quotes.
        form: words in headings, task lists and what folds away.
    """

    seen: int
    unseen: int
    opaque: int
    invisible: int
    mixed: int
    quoted: int
    form: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """A post's words.

    Attributes:
        full: the words of the full view, masked.
        own: those of the own view.
        framed: nearly all is quote or form.
        words: real words of the full view: masks are none.
        own_words: those of the own view.
        text: the full view unmasked, title and body apart, for its digest.
        event: the same masked.
    """

    full: tuple[str, ...] = field(repr=False)
    own: tuple[str, ...] = field(repr=False)
    framed: bool
    words: int
    own_words: int
    text: str = field(repr=False)
    event: str = field(repr=False)
    counts: Counts

    def masked(self, mask: str) -> int:
        """Count the words of the full view that a mask stands for."""
        return self.full.count(mask)


@dataclass(frozen=True, slots=True)
class _Part:
    """The words of a passage."""

    kind: Kind
    plain: list[str]
    masked: list[str]
    real: int


def normalize(title: str, body: str, read: Read = markdown.read) -> Normal:
    """Give the words of a post as a reader sees them.

    Args:
        read: how the body is written; `page.read` for HTML.
    """
    seen = read(body)
    passages, said, opaque = _told(seen.passages, read)
    head, parts = _part(Passage(Kind.OWN, title)), [_part(each) for each in passages]
    full, own, framed = _views(head.real, parts)
    full, own = (*full, *said), (*own, *said)
    everything = (head, *parts, *said)
    return Normal(
        full=_masked((head, *full)),
        own=_masked((head, *own)),
        framed=framed,
        words=head.real + _real(full),
        own_words=head.real + _real(own),
        text=_apart(head.plain, (part.plain for part in full)),
        event=_apart(head.masked, (part.masked for part in full)),
        counts=Counts(
            seen=sum(len("".join(part.plain)) for part in everything),
            unseen=len("".join(chain.from_iterable(split(each)[0] for each in seen.unseen))),
            opaque=opaque,
            invisible=sum(_invisible(text) for text in (title, *(p.text for p in seen.passages))),
            mixed=sum(_mixed(text) for text in (title, *(p.text for p in seen.passages))),
            quoted=_real(part for part in parts if part.kind & Kind.QUOTED),
            form=_real(part for part in parts if part.kind & Kind.FORM),
        ),
    )


def _told(passages: Sequence[Passage], read: Read) -> tuple[list[Passage], list[_Part], int]:
    """Part what is told from what mail quotes and from what is encoded."""
    told: list[Passage] = []
    said: list[_Part] = []
    opaque = 0
    quoted = Kind.OWN
    for passage in passages:
        text, decoded, unread = decode(passage.text)
        opaque += unread
        said += (_part(each) for one in decoded for each in read(one).passages)
        mail = None if quoted else _mail(text)
        if mail is not None:
            told.append(Passage(passage.kind, text[: mail.start()]))
            text, quoted = text[mail.start() :], Kind.QUOTED
        told.append(Passage(passage.kind | quoted, text))
    return told, said, opaque


def _mail(text: str) -> re.Match[str] | None:
    """Find the line above an answered mail."""
    if "wrote:" in text or "schrieb" in text or "Original Message" in text:
        return _MAIL.search(text)
    return None


def _views(title: int, parts: list[_Part]) -> tuple[Sequence[_Part], Sequence[_Part], bool]:
    """Choose the parts of the full and of the own view."""
    full: Sequence[_Part] = parts
    framed = False
    unquoted = [part for part in parts if not part.kind & Kind.QUOTED]
    if len(unquoted) < len(parts):
        left, everything = title + _real(unquoted), title + _real(parts)
        framed = left < _ENOUGH and everything > left + _QUOTED_BESIDE
        full = parts if framed else unquoted
    unformed = [part for part in full if not part.kind & Kind.FORM]
    if len(unformed) == len(full):
        return full, full, framed
    left = title + _real(unformed)
    if left >= _ENOUGH:
        return full, unformed, framed
    return full, full, framed or title + _real(full) - left >= _FORM_BESIDE


def _part(passage: Passage) -> _Part:
    plain, masked = split(passage.text)
    return _Part(passage.kind, plain, masked, count(masked))


def _real(parts: Iterable[_Part]) -> int:
    return sum(part.real for part in parts)


def _masked(parts: Iterable[_Part]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(part.masked for part in parts))


def _apart(title: list[str], body: Iterable[list[str]]) -> str:
    return "\x1f".join((" ".join(title), " ".join(chain.from_iterable(body))))


def _invisible(text: str) -> int:
    return 0 if text.isascii() else len(INVISIBLE.findall(text))


def _mixed(text: str) -> int:
    return 0 if text.isascii() else len(_MIXED.findall(text))
