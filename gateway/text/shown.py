"""The words of a post as they were written, for passages that are shown to people. Pure.

Words are found as `normalize` finds them, each with the stretch of text that it stands for. That
takes some milliseconds, so it is for refusals alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from gateway.text import markdown
from gateway.text.folding import fold, is_seen, trace
from gateway.text.normalize import Read, take_apart
from gateway.text.visible import finish
from gateway.text.words import (
    ADDRESS,
    FILE,
    GAP,
    LONGEST,
    PATH,
    SPACED,
    URL,
    are_spaced,
    cut,
)

_WORD = re.compile(r"[^\W_]+")


def shown(title: str, body: str, read: Read = markdown.read) -> tuple[str, ...]:
    """Give the words of a post's full view as a reader sees them: one for each of `Normal.full`.

    Args:
        read: how the body is written; `page.read` for HTML.
    """
    full = finish(take_apart(title, body, read)).full
    return tuple(chain.from_iterable(_shown(part.text) for part in full))


def _shown(text: str) -> list[str]:
    chars, places = zip(*trace(text), strict=True) if fold(text) else ((), ())
    traced = _Traced("".join(chars), [(place, place + 1) for place in places])
    plain = cut(traced.text)
    traced = traced.sub(ADDRESS, _span(f" {URL} ")).sub(FILE, _span(f" {PATH} "))
    if are_spaced(len(plain), len("".join(plain))):
        traced = traced.sub(SPACED, _letters)
    return [_seen(text, *traced.span(*match.span())) for match in _WORD.finditer(traced.text)]


_Span = tuple[int, int]
_Replaced = tuple[str, list[_Span]]


class _Traced(NamedTuple):
    """A folded text, and for each of its characters the stretch that it stands for."""

    text: str
    spans: list[_Span]

    def span(self, start: int, end: int) -> _Span:
        return self.spans[start][0], self.spans[end - 1][1]

    def sub(
        self, pattern: re.Pattern[str], replace: Callable[[str, list[_Span]], _Replaced]
    ) -> _Traced:
        """Replace as `pattern.sub` does."""
        texts: list[str] = []
        spans: list[_Span] = []
        at = 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            text, stood_for = replace(match.group(), self.spans[start:end])
            texts += (self.text[at:start], text)
            spans += (*self.spans[at:start], *stood_for)
            at = end
        return _Traced("".join((*texts, self.text[at:])), [*spans, *self.spans[at:]])


def _span(mask: str) -> Callable[[str, list[_Span]], _Replaced]:
    def replace(_: str, spans: list[_Span]) -> _Replaced:
        return mask, [(spans[0][0], spans[-1][1])] * len(mask)

    return replace


def _letters(text: str, spans: list[_Span]) -> _Replaced:
    letters = [at for at, char in enumerate(text) if not GAP.match(char)]
    if len(letters) > LONGEST:
        return text, spans
    return "".join(text[at] for at in letters), [spans[at] for at in letters]


def _seen(text: str, start: int, end: int) -> str:
    """Cut a word out, with the marks that follow it and without what nobody sees."""
    while end < len(text) and not fold(text[end]):
        end += 1
    return "".join(char for char in text[start:end] if is_seen(char))
