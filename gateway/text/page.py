"""HTML as a reader sees it, in one pass over its tags. Pure.

A browser's way of mending broken HTML can take quadratic time; this reader takes linear time, and
where HTML is broken it rather shows too much than too little. Laws: an element ends where its end
tag, the end of one around it, or a start tag that it cannot hold stands; what never ends goes on to
the end of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from gateway.text.visible import Kind, Passage, Visible

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
_HIDING = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden|color:transparent"
    r"|(?:font-size|opacity|(?<![-\w])(?:max-)?(?:height|width)):0*(?:\.0*)?(?![\d.])"
    r"|text-indent:-\d{3}|(?:left|top|right|bottom):-\d{3}"
)
_SUGGESTION = re.compile(r"(?:^|\s)(?:lang(?:uage)?-)?suggestion(?:\s|$)")


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_UNRENDERED = ("template", "title", "audio", "video", "canvas", "datalist", "object")
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_IGNORED = frozenset(["html", "head", "body"])
_BLOCKS = _names(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre search section summary "
    "table ul dd dt li br caption thead tbody tfoot tr td th legend option"
)
"""What stands on lines of its own."""
_NO_PARAGRAPH = _BLOCKS - _names("br caption thead tbody tfoot tr td th legend option")
_LISTS, _CELLS = ("ul", "ol", "menu", "dir"), ("td", "th", "caption", "button")
_ROWS = ("tr", "thead", "tbody", "tfoot")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_ENDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(_NO_PARAGRAPH, (("p",), _CELLS)),
    **dict.fromkeys(_HEADINGS, (("p", *_HEADINGS), _CELLS)),
    "li": (("p", "li"), (*_LISTS, "td", "th", "blockquote")),
    "dt": (("p", "dt", "dd"), ("dl", "td", "th")),
    "dd": (("p", "dt", "dd"), ("dl", "td", "th")),
    "td": (("td", "th"), ("table",)),
    "th": (("td", "th"), ("table",)),
    "tr": (("td", "th", "tr", "caption"), ("table",)),
    **dict.fromkeys(("thead", "tbody", "tfoot"), ((*_ROWS, *_CELLS[:3]), ("table",))),
    "a": (("a",), _CELLS),
    "button": (("button",), ()),
    "option": (("option",), ("select", "datalist")),
}
"""Elements that end where another one starts, unless one of the second kind stands between."""
_LONG_ALT = 20
"""Letters of an image's description from which on it is a text of its own."""


def read(page: str) -> Visible:
    """Read HTML: what a reader sees of it, and what not."""
    reader = _Reader()
    pieces = _TAG.split(page)
    reader.write(pieces[0])
    for index in range(1, len(pieces), 3):
        reader.take(pieces[index], pieces[index + 1])
        reader.write(pieces[index + 2])
    return reader.end()


class _Reader:
    """Where in a page the reading is.

    `_open` has the open elements, each with the kind of text around it; `_where` has the places of
    each name in it.
    """

    __slots__ = ("_kind", "_open", "_parts", "_passages", "_unseen", "_where")

    def __init__(self) -> None:
        self._kind = Kind.OWN
        self._open: list[tuple[str, Kind]] = []
        self._where: dict[str, list[int]] = {}
        self._parts: list[str] = []
        self._passages: list[Passage] = []
        self._unseen: list[str] = []

    def write(self, text: str) -> None:
        """Take text in."""
        if text:
            (self._unseen if self._kind & Kind.UNSEEN else self._parts).append(text)

    def take(self, tag: str, raw: str | None) -> None:
        """Take a tag in, or what is not shown in its place."""
        known = _PLAIN.get(tag)
        if known is not None:
            name, ends = known
        else:
            found = _NAME.match(tag)
            if found is None or raw:
                self._unseen.append(tag[1:])
                return
            name, ends = found[1].lower(), tag[1] == "/"
        if name in _BLOCKS:
            self.write("\n")
        if ends:
            self._end(name)
        elif known is not None:
            self._start(name, _KINDS.get(name, Kind.OWN))
        else:
            self._read_start(name, tag)

    def end(self) -> Visible:
        """Give what was read."""
        self._turn(self._kind)
        return Visible(tuple(self._passages), tuple(map(unescape, self._unseen)))

    def _read_start(self, name: str, tag: str) -> None:
        told = _attributes(tag)
        if name == "img":
            alt = told.get("alt", "")
            self.write(f" {alt} " if len(alt) > _LONG_ALT else " ")
        elif name == "input" and told.get("type") == "checkbox":
            self._mark_item()
        if len(told.get("title", "")) > _LONG_ALT:
            self._unseen.append(told["title"])
        self._start(name, _KINDS.get(name, Kind.OWN) | _kind_of(name, told))

    def _start(self, name: str, kind: Kind) -> None:
        for other in _ENDS.get(name, ((), ()))[0]:
            self._end_before(other, _ENDS[name][1])
        if name in _VOID or name in _IGNORED:
            return
        self._where.setdefault(name, []).append(len(self._open))
        self._open.append((name, self._kind))
        if kind | self._kind != self._kind:
            self._turn(kind | self._kind)

    def _end_before(self, name: str, borders: tuple[str, ...]) -> None:
        """End an open element unless a border stands between."""
        at = self._last(name)
        if at >= 0 and all(self._last(border) < at for border in borders):
            self._close(at)

    def _end(self, name: str) -> None:
        at = self._last(name)
        if at >= 0:
            self._close(at)

    def _last(self, name: str) -> int:
        where = self._where.get(name)
        return where[-1] if where else -1

    def _close(self, at: int) -> None:
        kind = self._open[at][1]
        for name, _ in self._open[at:]:
            self._where[name].pop()
        del self._open[at:]
        if kind != self._kind:
            self._turn(kind)

    def _mark_item(self) -> None:
        """Make the item of a list that begins with a box to tick a part of a form."""
        if self._open and self._open[-1][0] == "p":
            name, kind = self._open[-1]
            self._open[-1] = (name, kind | Kind.FORM)
        if any(name == "li" for name, _ in self._open[-2:]):
            self._turn(self._kind | Kind.FORM)

    def _turn(self, kind: Kind) -> None:
        """Begin a passage of another kind."""
        if self._parts:
            self._passages.append(Passage(self._kind, unescape("".join(self._parts))))
            self._parts = []
        self._kind = kind


def unescape(text: str) -> str:
    """Undo entities, in little time also where there are many of the usual ones."""
    if "&" not in text:
        return text
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    text = text.replace("&amp;", "\0")
    return (html.unescape(text) if "&" in text else text).replace("\0", "&")


def _attributes(tag: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(tag):
        told.setdefault(name.lower(), unescape("".join(values)))
    return told


def _kind_of(name: str, told: Mapping[str, str]) -> Kind:
    """Tell what an element's attributes make of its text."""
    style = re.sub(r"/\*.*?(?:\*/|$)|\s", "", told.get("style", "").lower())
    if "hidden" in told or _HIDING.search(style) or (name == "dialog" and "open" not in told):
        return Kind.UNSEEN
    if name in ("pre", "code") and _SUGGESTION.search(told.get("class", told.get("lang", ""))):
        return Kind.QUOTED
    return Kind.OWN


_KINDS = {
    **dict.fromkeys((*_HEADINGS, "details"), Kind.FORM),
    **dict.fromkeys(_UNRENDERED, Kind.UNSEEN),
    "blockquote": Kind.QUOTED,
}
_PLAIN = {
    written: (name, written.startswith("</"))
    for name in sorted(_BLOCKS | _names("a b code del em i ins s strong sub sup kbd span"))
    for written in (f"<{name}>", f"</{name}>", *([f"<{name} />"] if name in _VOID else []))
}
"""Tags without attributes, as they are mostly written."""
