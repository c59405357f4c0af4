"""HTML as the Markdown that it may have come from, so that both have the same words. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_WRITTEN_AS_HTML = frozenset(
    ["b", "i", "kbd", "sub", "sup", "del", "s", "strike", "dl", "dt", "dd"]
)
"""What Markdown has no marks for: its tags stood in the text, and their names are words of it."""
_LANGUAGE = re.compile(r"(?:^|\s)lang(?:uage)?-(\S+)")


def markdown_of(html: str) -> str:
    """Give a text that has the words of the Markdown behind an HTML body, in their order.

    Addresses of links and images, languages of code and numbers of lists are among the words. What
    SOE's rendering drops cannot be known: comments, entities as they were written, the names of
    reference links, and the numbers that an author gave to the items of a list.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


class _Reader(HTMLParser):
    """Writes down the words as they come; every tag parts words, as Markdown's marks do."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._links: list[tuple[str, str, int]] = []
        self._lists: list[int | None] = []
        self._named = False

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self._write(tag if tag in _WRITTEN_AS_HTML else "")
        match tag:
            case "a":
                self._links.append((told.get("href", ""), told.get("title", ""), len(self.parts)))
            case "img":
                self._write(*(told.get(name, "") for name in ("alt", "src", "title")))
            case "ol":
                start = told.get("start", "1")
                self._lists.append(int(start) if start.isdecimal() else 1)
            case "ul":
                self._lists.append(None)
            case "li" if self._lists and self._lists[-1] is not None:
                self._write(str(self._lists[-1]))
                self._lists[-1] += 1
            case "pre" | "code":
                self._write_language(tag, told.get("class", ""))

    def handle_endtag(self, tag: str) -> None:
        self._write(tag if tag in _WRITTEN_AS_HTML else "")
        if tag == "a" and self._links:
            href, title, first = self._links.pop()
            shown = "".join(self.parts[first:]).strip()
            bare = shown in (href, href.removeprefix("mailto:"))
            self._write("" if bare else href, title)
        elif tag in ("ol", "ul") and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._named = False

    def _write(self, *words: str) -> None:
        self.parts.append(f" {' '.join(words)} ")

    def _write_language(self, tag: str, classes: str) -> None:
        """Write the language of a block once, whichever of its two tags names it."""
        named = _LANGUAGE.search(classes)
        if named and not self._named:
            self._write(named[1])
        self._named = bool(named) and tag == "pre"
