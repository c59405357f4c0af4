"""Writes the reference pages that come from the code; with --check, says which are not fresh."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.checks import CHECKS
from gateway.observe.logs import events_reference
from gateway.observe.metrics import metrics_reference
from gateway.settings import settings_reference
from gateway.soe.api import ENDPOINTS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def operations() -> str:
    """Give the table of all writes."""
    rows = sorted(
        {
            f"| `{each.operation}` | {each.api.value} | `{each.method}` | `{each.template}` |"
            for each in ENDPOINTS
            if each.write
        }
    )
    return "\n".join(["| operation | API | method | path |", "|---|---|---|---|", *rows])


def checks() -> str:
    """Give the table of all checks."""
    rows = [
        f"| `{name}` | {(check.__doc__ or '').splitlines()[0]} | {check.status} | "
        f"{', '.join(f'`{{{each}}}`' for each in check.placeholders) or '–'} |"
        for name, check in CHECKS.items()
    ]
    heads = "| check | passes when | status | names for messages |"
    return "\n".join([heads, "|---|---|---|---|", *rows])


PAGES = {
    "checks.md": ("Checks", checks),
    "events.md": ("Log events", events_reference),
    "metrics.md": ("Metrics", metrics_reference),
    "operations.md": ("Operations", operations),
    "settings.md": ("Settings", settings_reference),
}


def main() -> int:
    """Write or check every page."""
    stale = []
    for name, (title, table) in PAGES.items():
        text = f"# {title}\n\nMade from the code by `make gen`.\n\n{table()}\n"
        path = REFERENCE / name
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(f"{path.relative_to(Path.cwd())} is not fresh: make gen")
    print(*stale, sep="\n", end="\n" if stale else "")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
