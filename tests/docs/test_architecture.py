"""The map of the architecture is the map of the tree."""

from __future__ import annotations

import re

from tests.shared import ROOT

PACKAGE = ROOT / "gateway"


def test_the_map_has_every_part_of_the_package_and_no_other() -> None:
    """A newcomer finds each folder and module of the package explained, and none that is gone."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    _, _, rest = page.partition("## The map")
    mapped = re.findall(r"^\| `(\w+)/?` \|", rest, re.MULTILINE)

    there = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert sorted(mapped) == sorted(there)


def test_the_decision_records_are_short_and_numbered() -> None:
    """Each record has the next number, and at most 40 lines: context, decision, consequences."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))

    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text()
        assert len(text.splitlines()) <= 40, path.name
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in text, f"{path.name} has no {heading}"


def test_the_fragments_say_what_kind_of_change_they_tell() -> None:
    """A fragment of the changelog is `slug.kind.md`, and tells its change in one paragraph."""
    kinds = {"added", "changed", "fixed", "removed", "security"}

    for path in (ROOT / "changelog.d").glob("*.md"):
        assert path.name.split(".")[1] in kinds, path.name
        assert len(path.read_text().strip().splitlines()) == 1, path.name
