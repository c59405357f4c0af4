"""What API v2.3 is to whoever reads it: filters of our own, and the texts that they show."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.model import Post
from gateway.offline.reading.reader import Reader, RefusedError, items_of
from gateway.text import markdown, page
from gateway.text.normalize import Read

API = "v2.3"
PREFIX = "/api/2.3"
PAGE = 100
"""Posts of a page, and ids in a path: at most so many."""
_UNLINKED = ("answer", "comment")
"""Of these SOE shows the address only where a filter asks for it."""
_IN_HTML = "withbody"
"""A filter that every site has; it gives bodies in HTML."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter's name, and whether its texts are escaped for HTML."""

    name: str
    escaped: bool


class Filters:
    """Makes a filter for each kind of post; SOE keeps them, and the same words make the same one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._made: dict[str, Filter] = {}
        self._linked: dict[str, str] = {}

    async def of(self, kind: str) -> Filter:
        """Give the filter that shows Markdown, or the one of every site where it cannot be made."""
        if kind not in self._made:
            try:
                self._made[kind] = await self._make(kind)
            except RefusedError as error:
                self._reader.note(f"{kind}s are read in HTML: {error}")
                self._made[kind] = Filter(_IN_HTML, escaped=True)
        return self._made[kind]

    async def linked(self, kind: str) -> str:
        """Name the filter that shows addresses and no text, or the usual one."""
        if kind not in _UNLINKED:
            return "default"
        if kind not in self._linked:
            try:
                self._linked[kind] = (await self._create(f"{kind}.link")).name
            except RefusedError as error:
                self._reader.note(f"{kind}s are read without their addresses: {error}")
                self._linked[kind] = "default"
        return self._linked[kind]

    async def _make(self, kind: str) -> Filter:
        link = f";{kind}.link" if kind in _UNLINKED else ""
        return await self._create(f"{kind}.body_markdown{link}")

    async def _create(self, shown: str) -> Filter:
        path = f"{PREFIX}/filters/create"
        query = {"include": shown, "base": "default", "unsafe": "true"}
        told = await self._reader.get(API, path, query)
        item = next(iter(items_of(told, path)), {})
        if not isinstance(item.get("filter"), str):
            raise RefusedError("SOE makes no filter")
        return Filter(item["filter"], escaped=item.get("filter_type") != "unsafe")


def text_of(item: Mapping[str, Any], *, escaped: bool) -> tuple[Post, Read]:
    """Give title and body as they were written, or the body in HTML, and how it reads."""
    title, body = (str(item.get(name) or "") for name in ("title", "body_markdown"))
    if escaped:  # a safe filter's strings can be put into HTML as they are
        title, body = html.unescape(title), html.unescape(body)
    if "body_markdown" not in item:
        return Post(title=title, body=str(item.get("body") or "")), page.read
    return Post(title=title, body=body), markdown.read
