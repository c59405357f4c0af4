"""From a post to the words that a reader sees. Pure.

There are two views of a post. The full one has title and text without what is quoted, unless
hardly anything else remains; the own one leaves out the furniture of forms as well, where enough
remains. What is encoded is decoded and counts as said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from gateway.model import Counts
from gateway.slots import set_by_slots
from gateway.text import markdown
from gateway.text.encoded import decode
from gateway.text.folding import INVISIBLE, learn
from gateway.text.visible import FORM, OWN, QUOTED, Passage, Reading, finish
from gateway.text.words import split

_ENOUGH = 12
"""Real words that can stand for themselves."""
_QUOTED_BESIDE = 20
"""Quoted words beside few others that are taken for a quote and not for the post."""
_FORM_BESIDE = 40
"""Words of forms beside few others that are taken for a form."""
_MAIL = re.compile(
    r"(?mi)^[ \t]*+(?:On .{4,120} wrote:|-{2,}+ *Original Message *-{2,}+|Am .{4,80} schrieb .{0,80}:)[ \t]*+$"
)
_MAIL_SIGNS = ("wrote:", "schrieb", "original message")
_SCRIPTS = "\u0370-\u052f\u0531-\u058f\u13a0-\u13f5\ua4d0-\ua4ff"
"""Greek, Cyrillic and others whose letters look like Latin ones."""
_ALIKE = re.compile(f"[{_SCRIPTS}]")
_MIXED = re.compile(rf"\b(?=\w*?[A-Za-z])(?=\w*?[{_SCRIPTS}])\w+")

_SHORT, _LONG = 1_000, 5_000
"""Characters whose words are found in no time, and such as take a millisecond or two."""

Read = Callable[[str], Reading]
"""How a body is read: `markdown.read` or `page.read`."""


@set_by_slots
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


def normalize(title: str, body: str, read: Read = markdown.read) -> Normal:
    """Give the words of a post as a reader sees them.

    Args:
        read: how the body is written; `page.read` for HTML.
    """
    return finish(normalize_stepwise(title, body, read))


def normalize_stepwise(
    title: str, body: str, read: Read = markdown.read
) -> Generator[None, None, Normal]:
    """Normalise, yielding every few milliseconds, so that others can go on meanwhile."""
    post = yield from take_apart(title, body, read)
    alike = post.own is post.full
    words = [part.masked for part in post.full]
    plain = [part.plain for part in post.full]
    masked = _all(words)
    text = _apart(plain)
    event = text if words == plain else _apart(words)
    yield
    return Normal(
        full=masked,
        own=masked if alike else _all([part.masked for part in post.own]),
        framed=post.framed,
        words=(real := _real(post.full)),
        own_words=real if alike else _real(post.own),
        text=text,
        event=event,
        counts=_counts(post),
    )


class Part(NamedTuple):
    """The words of a passage; `real` is how many a person wrote."""

    kind: int
    text: str
    plain: list[str]
    masked: list[str]
    letters: int
    real: int
    invisible: int
    mixed: int


class Apart(NamedTuple):
    """A post taken apart; the title is the first part of each view."""

    parts: Sequence[Part]
    full: Sequence[Part]
    own: Sequence[Part]
    framed: bool
    said: Sequence[Part]
    unseen: str
    opaque: int


def take_apart(title: str, body: str, read: Read) -> Generator[None, None, Apart]:
    """Part a post's own words from what is quoted, from forms and from what is encoded."""
    seen = yield from read(body)
    parts, said = [_part(OWN, title)], []
    opaque = 0
    for kind, text in _mark_mail(seen.passages):
        left, decoded, unread = decode(text)
        opaque += unread
        for each in decoded:
            inner = yield from read(each)
            said += [_part(*passage) for passage in inner.passages]
        for piece in _pieces(left):
            if not piece.isascii():
                yield from learn(piece)
            parts.append(_part(kind, piece))
            if len(piece) > _SHORT:
                yield
    full, own, framed = _views(parts)
    if said:
        full, own = [*full, *said], [*own, *said]
    return Apart((*parts, *said), full, own, framed, said, seen.unseen, opaque)


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text between lines, or else where words may end."""
    while len(text) > _LONG:
        ends = (text.rfind(end, 1, _LONG) for end in "\n \u3002,.")
        at = next((end for end in ends if end > 0), _LONG)
        yield text[:at]
        text = text[at:]
    yield text


def _mark_mail(passages: Sequence[Passage]) -> Sequence[Passage]:
    """Take an answered mail for quoted: to the end, unless it is marked as a quote itself."""
    for number, (kind, text) in enumerate(passages):
        if kind & QUOTED or not any(map(text.lower().__contains__, _MAIL_SIGNS)):
            continue
        found = _MAIL.search(text)
        if found is None:
            continue
        before, mail, after = text[: found.start()], text[found.start() :], passages[number + 1 :]
        told = (*passages[:number], Passage(kind, before), Passage(kind | QUOTED, mail))
        if "\n" not in mail.strip() and after and after[0].kind & QUOTED:
            return (*told, *_mark_mail(after))
        return (*told, *(Passage(each.kind | QUOTED, each.text) for each in after))
    return passages


def _views(parts: Sequence[Part]) -> tuple[Sequence[Part], Sequence[Part], bool]:
    """Choose the parts of the full and of the own view; tell whether nearly all is a frame."""
    full, framed = parts, False
    title = parts[0].real  # it does not stand for a body that quotes
    unquoted = [part for part in parts if not part.kind & QUOTED]
    if len(unquoted) < len(parts):
        left = _real(unquoted)
        framed = left - title < _ENOUGH and _real(parts) > left + _QUOTED_BESIDE
        full = parts if framed else unquoted
    unformed = [part for part in full if not part.kind & FORM]
    if len(unformed) == len(full):
        return full, full, framed
    left = _real(unformed)
    if left >= _ENOUGH:
        return full, unformed, framed
    return full, full, framed or _real(full) >= left + _FORM_BESIDE


def _counts(post: Apart) -> Counts:
    seen = invisible = mixed = quoted = form = 0
    for part in post.parts:
        seen += part.letters
        invisible += part.invisible
        mixed += part.mixed
        quoted += part.real if part.kind & QUOTED else 0
        form += part.real if part.kind & FORM else 0
    return Counts(
        title=post.parts[0].letters,
        seen=seen,
        said=sum([part.letters for part in post.said]),
        unseen=split(post.unseen).letters if post.unseen else 0,
        opaque=post.opaque,
        invisible=invisible,
        mixed=mixed,
        quoted=quoted,
        form=form,
    )


def _part(kind: int, text: str) -> Part:
    plain, masked, letters, real = split(text)
    invisible = mixed = 0
    if not text.isascii():
        invisible = len(INVISIBLE.findall(text))
        mixed = len(_MIXED.findall(text)) if _ALIKE.search(text) else 0
    return Part(kind, text, plain, masked, letters, real, invisible, mixed)


def _real(parts: Iterable[Part]) -> int:
    return sum([part.real for part in parts])


def _all(words: Iterable[list[str]]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(words))


def _apart(words: Sequence[list[str]]) -> str:
    """Write the words down, the title apart."""
    return f"{' '.join(words[0])}\x1f{' '.join(chain.from_iterable(words[1:]))}"
