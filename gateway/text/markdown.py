"""Markdown, with HTML in it, as a reader sees it. Pure."""

from __future__ import annotations

import re

import pyromark

from gateway.text import page, tables
from gateway.text.visible import OWN, Passage, Reading, Visible

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
)
_MARKS = rb"<>&[`*~\#"
_LINES = re.compile(
    r"\n[ \t]*+(?:[-+][ \t]++)*+(?:\d{1,9}+[.)](?=[ \t\n]|\Z)|[-=|:+][-=|: \t]*+(?=\n|\Z))"
)
"""Numbers of lists, rules, underlines of headings and of the heads of tables."""
_EMPHASIS = re.compile(r"_(?![^\W_])|(?<![^\W_])_")
"""An underscore that may be no part of a word, as those of `snake_case` are."""
_HTML = re.compile("<[A-Za-z!?/]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SHORT = 1024
"""Characters in which nothing is nested so deeply that it takes time."""
_LONG = 20_000
"""Characters of HTML that take a millisecond to read."""
_DEEP = re.compile(
    r"\n((?:[ \t]*+(?:[>*+-]|\d{1,9}+[.)])){24})(?:[ \t]*+(?:[>*+-]|\d{1,9}+[.)]))++"
)
"""Marks of more quotes and lists in one another than anybody writes: each line would cost as much
time as there are lists open."""


def read(body: str) -> Reading:
    """Read Markdown: what a reader sees of it, and what not."""
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    if _is_plain(body):
        return Visible((Passage(OWN, body),))
    body = body.replace("\0", "")
    if len(body) > _SHORT:
        body = _DEEP.sub(r"\n\1", f"\n{body}")
        yield
    body = yield from tables.widen(body)
    try:
        rendered = pyromark.html(body, options=_OPTIONS)
    except UnicodeEncodeError:  # half a pair of UTF-16, which JSON can tell
        body = _SURROGATES.sub("\ufffd", body)
        rendered = pyromark.html(body, options=_OPTIONS)
    if len(rendered) > _LONG:
        yield
    seen = yield from (page.read if _HTML.search(body) else page.read_rendered)(rendered)
    return Visible(seen.passages, f"{seen.unseen} {_titles(body)}") if "]:" in body else seen


def _is_plain(body: str) -> bool:
    """Tell whether the words that a reader sees are those that are written."""
    encoded = body.encode("utf-8", "surrogatepass")
    if len(encoded.translate(None, _MARKS)) < len(encoded):  # faster than any search
        return False
    return not _LINES.search(f"\n{body}") and not ("_" in body and _EMPHASIS.search(body))


def _titles(body: str) -> str:
    """Give the titles of link definitions: `[//]: # (a text)` is how Markdown hides one."""
    told = pyromark.reference_definitions(body, options=_OPTIONS)
    return " ".join(each["title"] or "" for each in told.values())
