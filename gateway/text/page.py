"""HTML as a reader sees it, in one pass over its tags. Pure.

A browser's way of mending broken HTML can take quadratic time; this reader takes linear time, and
where HTML is broken it rather shows too much than too little. Laws: an element ends where its end
tag, the end of one around it, or a start tag that it cannot hold stands, seen or not; what never ends
goes on to the end of the text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from html import escape
from html import unescape as _unescape

from gateway.text.elements import (
    ABOVE,
    BLOCKS,
    DRAWN,
    ENDS,
    HEADINGS,
    INNER,
    ROWS,
    UNDRAWN,
    UNRENDERED,
    VOID,
    listed,
)
from gateway.text.visible import FORM, OWN, QUOTED, UNSEEN, Passage, Reading, Visible

_TAG = re.compile(
    r"""(<(?:
        !--(?:-?>|.*?(?:--!?>|\Z))
      | (script|style|iframe|noembed|noframes|noscript)(?=[\s/>]).*?(?:</\2(?=[\s/>])[^>]*+(?:>|\Z)|\Z)
      | [a-z](?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+|))*+(?:>|\Z)
      | [!?/][^>]*+(?:>|\Z)
    ))""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""A comment, an element whose content is no text, a tag, or what browsers take for a comment."""
_NAME = re.compile(r"</?([a-z][^\s/>]*)", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""[\s/]([^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*)"?|'([^']*)'?|([^\s>"'][^\s>]*)))?"""
)
_TELLING = ("hidden", "style", "title", "suggestion")
_TELLING_NAMES = frozenset(["img", "input", "dialog"])
"""Where attributes may tell something; most are addresses."""
_HIDING = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden|color:transparent"
    r"|(?:font-size|opacity|(?<![-\w])(?:max-)?(?:height|width)):0*(?:\.0*)?(?![\d.])"
    r"|text-indent:-\d{3}|(?:left|top|right|bottom):-\d{3}"
)
_NO_STYLE = re.compile(r"/\*.*?(?:\*/|\Z)|\s", re.DOTALL)
_SUGGESTION = re.compile(r"(?:^|\s)(?:lang(?:uage)?-)?suggestion(?!\w)")
_LOOKS = re.compile(
    r'</?(?:code|del|em|strong)>|<a href="[^"]*+">|</a>|<code class="language-(?!suggestion)[^"]*+">'
)
_PARTS = re.compile(
    r'</?(?:p|ol|pre|table|tbody|td|th|thead|tr|ul)>|<(?:ol start|t[dh] style)="[^"]*+">|<[bh]r />'
)
_ITEMS = re.compile("</?li>")
"""Tags that only say how words look, and such as only part words."""
_BETWEEN = (
    *("</td><td>", "</th><th>", "<tr><td>", "</td></tr>", "<td></td>"),
    *(f'<td style="text-align: {side}"></td>' for side in ("left", "center", "right")),
)
"""Tags of which tables have so many that they are better found by their strings."""
_BOXES = frozenset(
    f'<input disabled="" type="checkbox"{checked}/>' for checked in ("", ' checked=""')
)
_AT_ONCE = 1000
"""Tags that are read in a millisecond or two."""
_MANY = 200
"""Passages beyond which a post's quotes and forms are not told from its own words any more."""
_LONG = 20
"""Letters from which on the description of an image, or a title, is a text of its own."""


def read(page: str) -> Reading:
    """Read HTML: what a reader sees of it, and what not."""
    reader = _Reader()
    while True:
        *pieces, page = _TAG.split(page, _AT_ONCE)
        for text, tag, raw in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            if text:
                reader.write(text)
            reader.take(tag, raw)
        if len(pieces) < 3 * _AT_ONCE:
            reader.write(page)
            return reader.end()
        yield


def read_rendered(page: str) -> Reading:
    """Read HTML that was written from Markdown without HTML of the author's.

    It is well formed, and hides nothing: most of its tags only say where words end.
    """
    if "<table>" in page:
        for tags in _BETWEEN:
            page = page.replace(tags, "\n")
    page = _PARTS.sub("\n", _LOOKS.sub("", page))
    return read(page if "<input" in page else _ITEMS.sub("\n", page))


class _Reader:
    """Where in a page the reading is.

    `_open` has the open elements, each with the kind of text around it; `_where` has the places of
    each name in it, so that no search takes longer the more is open. What is read goes into `_into`,
    which is the passage that is being read or what is not seen. `_unseen_rows` has the places of
    tables and their rows that hide their cells alone.
    """

    __slots__ = (
        *("_into", "_kind", "_open", "_passage", "_passages", "_unseen", "_unseen_rows"),
        "_where",
    )

    def __init__(self) -> None:
        self._kind = OWN
        self._open: list[tuple[str, int]] = []
        self._where: defaultdict[str, list[int]] = defaultdict(list)
        self._passages: list[Passage] = []
        self._passage: list[str] = []
        self._unseen: list[str] = []
        self._into = self._passage
        self._unseen_rows: list[int] = []

    def write(self, text: str) -> None:
        """Take text in."""
        self._into.append(text)

    def take(self, tag: str, raw: str | None) -> None:
        """Take a tag in, or what is not shown in its place."""
        name = _STARTS.get(tag)
        if name is not None:
            self._start(name, _KINDS.get(name, OWN))
            return
        name = _END_TAGS.get(tag)
        if name is not None:
            self._end(name)
            return
        if tag in _BOXES:
            self._mark_item()
            return
        found = _NAME.match(tag)
        if found is None or raw:
            self._unseen.append(tag[1:])
        elif tag[1] == "/":
            self._end(found[1].lower())
        else:
            self._read_start(found[1].lower(), tag)

    def end(self) -> Visible:
        """Give what was read."""
        self._finish()
        return Visible(tuple(self._passages), unescape(" ".join(self._unseen)))

    def _read_start(self, name: str, tag: str) -> None:
        kind = _KINDS.get(name, OWN)
        if name in _TELLING_NAMES or _is_telling(tag):
            told = _attributes(tag)
            kind |= _kind_of(name, told)
            self._read(name, kind, told)
        self._start(name, kind)

    def _read(self, name: str, kind: int, told: Mapping[str, str]) -> None:
        """Take in what attributes say to a reader, or hide from him."""
        if name == "img":
            alt = told.get("alt", "")
            into = self._unseen if kind & UNSEEN else self._into
            into.append(f" {escape(alt)} " if len(alt) > _LONG else " ")
        elif name == "input" and told.get("type") == "checkbox":
            self._mark_item()
        if len(told.get("title", "")) > _LONG:
            self._unseen.append(escape(told["title"]))

    def _start(self, name: str, kind: int) -> None:
        where = self._where
        if (where["svg"] or where["math"]) and self._is_drawn(name):
            self._push(name, kind)
            return
        if self._is_ignored(name):
            if name in ABOVE:  # cells of which the table was left out are words apart
                self._into.append("\n")
            return
        for other, borders in ENDS.get(name, ()):
            if where[other] and self._is_in(other, borders):
                self._close(where[other][-1])
        if name in HEADINGS and self._is_under(HEADINGS):
            self._close(len(self._open) - 1)
        self._push(name, self._enter(name, kind) if name in ABOVE else kind)

    def _is_drawn(self, name: str) -> bool:
        """Tell whether an element is of a picture, which it ends if it cannot be."""
        pictures = [self._where[each][0] for each, borders in DRAWN if self._is_in(each, borders)]
        if pictures and name in UNDRAWN:
            self._close(min(pictures))
        return bool(pictures) and name not in UNDRAWN

    def _is_ignored(self, name: str) -> bool:
        """Tell whether browsers take no notice of a start tag here."""
        if name == "form":
            return bool(self._where[name]) or self._is_in("table", INNER)
        return name in ABOVE and not self._where["table"]

    def _push(self, name: str, kind: int) -> None:
        if name in VOID:
            if name in BLOCKS and not kind & UNSEEN:
                self._into.append("\n")
            return
        self._where[name].append(len(self._open))
        self._open.append((name, self._kind))
        if kind & UNSEEN and name in ROWS:  # what stands in no cell is shown before the table
            self._unseen_rows.append(len(self._open) - 1)
            return
        if kind and not self._kind & UNSEEN:  # of what is not seen no kind matters
            self._turn(self._kind | (kind & UNSEEN or kind))
        if name in BLOCKS:  # within: what is hidden parts nothing
            self._into.append("\n")

    def _is_in(self, name: str, borders: Iterable[str]) -> bool:
        where = self._where[name]
        return bool(where) and not any(self._last(border) > where[-1] for border in borders)

    def _is_under(self, names: Container[str]) -> bool:
        return bool(self._open) and self._open[-1][0] in names

    def _enter(self, name: str, kind: int) -> int:
        """Go to where a part of a table stands, and tell of what kind it is there."""
        if not self._is_under(ABOVE[name]):
            self._close(max(map(self._last, ABOVE[name])) + 1)
        hidden = self._unseen_rows and self._unseen_rows[-1] >= self._last("table")
        return kind | UNSEEN if hidden else kind

    def _last(self, name: str) -> int:
        where = self._where[name]
        return where[-1] if where else -1

    def _end(self, name: str) -> None:
        at = max(map(self._last, HEADINGS)) if name in HEADINGS else self._last(name)
        if at >= 0:
            self._close(at)
        elif name in ("p", "br"):  # browsers make one
            self._start(name, OWN)
            self._close(len(self._open) - (name == "p"))

    def _close(self, at: int) -> None:
        """Close the open elements from a place on."""
        while len(self._open) > at:
            name, kind = self._open.pop()
            self._where[name].pop()
            if self._unseen_rows and self._unseen_rows[-1] == len(self._open):
                self._unseen_rows.pop()
            elif name in BLOCKS:  # within, as at its start
                self._into.append("\n")
            if kind != self._kind:
                self._turn(kind)

    def _mark_item(self) -> None:
        """Make the item of a list that begins with a box to tick a part of a form."""
        if self._kind & UNSEEN:
            return
        if self._open and self._open[-1][0] == "p":
            name, kind = self._open[-1]
            self._open[-1] = (name, kind | FORM)
        if any(name == "li" for name, _ in self._open[-2:]):
            self._turn(self._kind | FORM)

    def _turn(self, kind: int) -> None:
        """Go on with text of another kind; what is not seen parts neither words nor passages."""
        if (kind ^ self._kind) & ~UNSEEN and len(self._passages) < _MANY:
            self._finish()
        self._into = self._unseen if kind & UNSEEN else self._passage
        self._kind = kind

    def _finish(self) -> None:
        text = unescape("".join(self._passage))
        if text and not text.isspace():
            kind = self._kind & ~UNSEEN if len(self._passages) < _MANY else OWN
            self._passages.append(Passage(kind, text))
        self._passage = []


def _is_telling(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in _TELLING)


def unescape(text: str) -> str:
    """Undo entities, in little time also where there are many of the usual ones."""
    if "&" not in text:
        return text
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    text = text.replace("&amp;", "\0")
    return (_unescape(text) if "&" in text else text).replace("\0", "&")


def _attributes(tag: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(tag):
        told.setdefault(name.lower(), unescape("".join(values)))
    return told


def _kind_of(name: str, told: Mapping[str, str]) -> int:
    """Tell what an element's attributes make of its text."""
    style = _NO_STYLE.sub("", told.get("style", "").lower())
    if "hidden" in told or _HIDING.search(style) or (name == "dialog" and "open" not in told):
        return UNSEEN
    if name in ("pre", "code") and _SUGGESTION.search(told.get("class", told.get("lang", ""))):
        return QUOTED
    return OWN


_KINDS = {
    **dict.fromkeys((*HEADINGS, "details"), FORM),
    **dict.fromkeys(UNRENDERED, UNSEEN),
    "blockquote": QUOTED,
}
_USUAL = sorted(BLOCKS | listed("a b code del em i ins kbd s span strong sub sup"))
_STARTS = {f"<{name}>": name for name in _USUAL} | {"<br />": "br", "<hr />": "hr"}
_END_TAGS = {f"</{name}>": name for name in _USUAL}
"""Tags without attributes, as they are mostly written."""
