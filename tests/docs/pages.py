"""The documents as tests read them: their fenced blocks and their links, with their places.

A block says in its first line how it is held: `console` is run, `console unrun` and `sh` are not,
since they need a cluster, a container or another machine; the calls of `soe-gateway` in them are
parsed all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.shared import ROOT

PAGES = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    ROOT / "bench" / "README.md",
)
_BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARKED = {"# gateway.yaml\n": "settings", "# values.yaml\n": "values"}
"""What YAML is that begins with such a line."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Where it stands, as a test's name shows it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def kind(self) -> str:
        """The first key of a block of YAML, as `policy`; comments before it say nothing."""
        return re.sub(r"^(#.*\n)+", "", self.text).partition(":")[0]


def blocks(*languages: str) -> list[Block]:
    """Every block in one of the languages, in all pages; `settings` is YAML that says so."""
    return [each for page in PAGES for each in _blocks(page) if each.language in languages]


def prose(page: Path) -> str:
    """The text of a page without its blocks."""
    return _BLOCK.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as a link has them behind `#`."""
    names: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        plain = re.sub(r"\]\([^)]*\)", "", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 1
        while (numbered := name if number == 1 else f"{name}-{number - 1}") in names:
            number += 1
        names.add(numbered)
    return names


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        first = found[2].partition("\n")[0] + "\n"
        language = _MARKED.get(first, found[1])
        yield Block(page, text.count("\n", 0, found.start()) + 1, language, found[2])
