"""Every link of the documents leads somewhere, without asking the network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import PAGES, anchors, prose
from tests.shared import ROOT


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file, a folder or a heading that is there; others name a host."""
    for target in links(page):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", target
            assert "." in parts.netloc, target
            continue
        place = (page.parent / parts.path).resolve() if parts.path else page
        assert place.exists(), target
        if parts.fragment:
            assert parts.fragment in anchors(place), target


def test_every_page_is_reached_from_the_first() -> None:
    """A reader who begins at the README and follows links meets every page below it."""
    met, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        met.add(page)
        relative = (urlsplit(each).path for each in links(page) if not urlsplit(each).scheme)
        for place in {(page.parent / each).resolve() for each in relative if each}:
            # A link to a folder shows all that is in it.
            found = place.glob("*.md") if place.is_dir() else [place]
            ahead += [each for each in found if each in PAGES and each not in met]

    missed = {page for page in PAGES if page not in met and page.parent != ROOT}
    assert {str(page.relative_to(ROOT)) for page in missed} == set()


def test_every_picture_is_shown_and_told() -> None:
    """Each picture stands in a page, with words for who cannot see it."""
    shown = {}
    for page in PAGES:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", prose(page)):
            shown[(page.parent / target).resolve()] = words

    assert set(shown) == set((ROOT / "docs" / "images").iterdir())
    assert [str(picture) for picture, words in shown.items() if len(words.split()) < 4] == []
