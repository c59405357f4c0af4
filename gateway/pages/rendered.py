"""The text of a post as its readers will see it, and what of it they will not see.

SOE's Markdown has CommonMark, tables, struck words and some HTML. What is drawn here is cleaned by
a list of what may stand, loads nothing, and says where each link leads. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape

import nh3
import pyromark
from markupsafe import Markup

from gateway.model import Post
from gateway.text import markdown, tables
from gateway.text.disguise import invisible_marks
from gateway.text.folding import INVISIBLE
from gateway.text.visible import finish

_OPTIONS = pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TABLES
_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strike",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_CLEANER = nh3.Cleaner(
    tags=set(_TAGS),
    attributes={"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto", "ftp"},
    link_rel="noopener noreferrer nofollow",
)
_HTML_TAG = re.compile("<[A-Za-z]")
_MANY = 1000
"""Tags of HTML in a text beyond which drawing it could take seconds: they can be nested."""
_LARGE = 2**20
"""Characters of HTML that are drawn."""
_NAMED = re.compile(
    r'<img(?P<image>(?: [a-z]+="[^"]*")*)>'
    r'|<a(?P<link>(?: [a-z]+="[^"]*")*)>(?P<shown>.*?)</a>',
    re.DOTALL,
)
"""Images and links in HTML that was cleaned: attributes are quoted, links do not hold each other."""
_HEADING = re.compile("<(/?)h([1-6])>")
_ABSOLUTE = re.compile("[A-Za-z]+:")
_VALUE = re.compile(r' (href|src|alt)="([^"]*)"')
_ANY_TAG = re.compile(r'<[^>"]*(?:"[^"]*"[^>"]*)*>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A post, drawn.

    Attributes:
        title: with what nobody sees made visible.
        body: HTML; None where the text is too tangled to be drawn, and its source must do.
        source: the body as it was written, with what nobody sees made visible.
        hidden: letters and digits that readers of the post do not see.
        marks: places in and beside words with characters that nobody sees.
    """

    title: Markup
    tags: tuple[Markup, ...]
    body: Markup | None
    source: Markup
    hidden: int
    marks: int


def draw(post: Post) -> Drawn:
    """Draw a post; takes some milliseconds, of a long one some hundred."""
    return Drawn(
        title=marked(post.title),
        tags=tuple(map(marked, post.tags)),
        body=_body(post.body),
        source=marked(post.body),
        hidden=sum(map(str.isalnum, finish(markdown.read(post.body)).unseen)),
        marks=invisible_marks("\n".join((post.title, post.body, *post.tags))),
    )


def marked(text: str) -> Markup:
    """Give a text in which characters that nobody sees are written as their numbers."""
    return Markup(INVISIBLE.sub(_number, escape(text)))  # noqa: S704  # escaped


def _number(match: re.Match[str]) -> str:
    return f"<mark>U+{ord(match.group()):04X}</mark>"


def _body(text: str) -> Markup | None:
    if len(_HTML_TAG.findall(text)) > _MANY:
        return None
    text = text.replace("\0", "")
    as_written, html = (
        pyromark.html(each, options=_OPTIONS) for each in (text, finish(tables.widen(text)))
    )
    if max(len(as_written), len(html)) > _LARGE:
        return None
    # A second time, as a browser reads what the first gave: links in pieces have a target each.
    named = _NAMED.sub(_name, _CLEANER.clean(_CLEANER.clean(html)))
    return Markup(_HEADING.sub(_lower, named))  # noqa: S704  # cleaned


def _lower(match: re.Match[str]) -> str:
    """Put a heading below those of the page, as it is a part of it."""
    return f"<{match[1]}h{min(6, int(match[2]) + 2)}>"


def _name(match: re.Match[str]) -> str:
    """Put an image's name in its place, and a link's target behind it."""
    if match["image"] is not None:
        told = _values(match["image"])
        name = f"{told['alt']}, " if told.get("alt") else ""
        return f'<span class="image">[Image: {name}{told.get("src", "no address")}]</span>'
    target, shown = _values(match["link"]).get("href"), _NAMED.sub(_name, match["shown"])
    if target is None:  # none that may be followed
        return shown
    address = escape(unescape(target))
    if _ABSOLUTE.match(target) is None:  # here it would lead somewhere else than on the site
        return f'{shown} <span class="target">[leads to {address} on the site]</span>'
    link = f'<a href="{address}" rel="noopener noreferrer nofollow">{shown}</a>'
    if unescape(_ANY_TAG.sub("", match["shown"])).strip() == unescape(target):
        return link
    return f'{link} <span class="target">[leads to {address}]</span>'


def _values(attributes: str) -> dict[str, str]:
    """Give attributes, escaped."""
    return {name: escape(unescape(value)) for name, value in _VALUE.findall(attributes)}
