"""Markdown, with HTML in it, as a reader sees it. Pure."""

from __future__ import annotations

import re

import pyromark

from gateway.text import page
from gateway.text.visible import Kind, Passage, Visible

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
)
_MARKS = re.compile(r"[<>&\[`*~\\#]")
_LINES = re.compile(
    r"\n[ \t]*+(?:[-+][ \t]++)*+(?:\d{1,9}+[.)](?=[ \t\n]|\Z)|[-=|:+][-=|: \t]*+(?=\n|\Z))"
)
"""Numbers of lists, rules, underlines of headings and of the heads of tables."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_DEEP = re.compile(
    r"(?m)^((?:[ \t]*+(?:[>*+-]|\d{1,9}+[.)])){24})(?:[ \t]*+(?:[>*+-]|\d{1,9}+[.)]))++"
)
"""Marks of more quotes and lists in one another than anybody writes: each line would cost as much
time as there are lists open."""


def read(body: str) -> Visible:
    """Read Markdown: what a reader sees of it, and what not."""
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    if _is_plain(body):
        return Visible((Passage(Kind.OWN, body),))
    body = _SURROGATES.sub("\ufffd", _DEEP.sub(r"\1", body)).replace("\0", "")
    seen = page.read(pyromark.html(body, options=_OPTIONS))
    if "]:" not in body:
        return seen
    return Visible(seen.passages, (*seen.unseen, *_titles(body)))


def _is_plain(body: str) -> bool:
    """Tell whether the words that a reader sees are those that are written."""
    return not _MARKS.search(body) and not _LINES.search(f"\n{body}")


def _titles(body: str) -> tuple[str, ...]:
    """Give the titles of link definitions: `[//]: # (a text)` is how Markdown hides one."""
    told = pyromark.reference_definitions(body, options=_OPTIONS)
    return tuple(each["title"] for each in told.values() if each["title"])
