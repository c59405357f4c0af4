"""The documents as tests read them: their fenced blocks, with the place where each begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.shared import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench" / "README.md")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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


def blocks(*languages: str) -> list[Block]:
    """Every block in one of the languages, in all pages; YAML may say that it is `settings` or `values`."""
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, _language(found), found[2])
        for page in PAGES
        for text in [page.read_text()]
        for found in _BLOCK.finditer(text)
        if _language(found) in languages
    ]


def _language(found: re.Match[str]) -> str:
    first, _, _ = found[2].partition("\n")
    return {"# gateway.yaml": "settings", "# values.yaml": "values"}.get(first, found[1])
