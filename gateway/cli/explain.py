"""Tell how alike two texts are, and why, as the checks `duplicate` and `boilerplate` see them.

--compare takes two files, the earlier text first: Markdown, or HTML where the name ends in .html.
The likeness is 0 to 100 %: from 60 % on a text is worth a second look, from 84 % on it is a copy.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from gateway.model import Post
from gateway.offline.explain import Explanation, Text, explain
from gateway.text import markdown, page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        required=True,
        metavar=("EARLIER", "NEW"),
        help="two files with a text each",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Compare, and say what was found."""
    try:
        earlier, new = (_text(path) for path in args.compare)
    except (OSError, UnicodeDecodeError) as error:
        print(f"cannot be read: {error}", file=out)
        return 1
    found = explain(earlier, new)
    if args.json:
        print(json.dumps(asdict(found)), file=out)
    else:
        print(*_lines(found), sep="\n", file=out)
    return 0


def _text(path: Path) -> Text:
    body = path.read_text(encoding="utf-8")
    is_page = path.suffix.lower() in (".html", ".htm")
    return Text(post=Post(body=body), read=page.read if is_page else markdown.read)


def _lines(found: Explanation) -> list[str]:
    lines = [
        f"{found.one_author.score:5.0%}  where one author puts both under two threads",
        f"{found.two_authors.score:5.0%}  between two authors",
        "",
        f"{found.two_authors.of_new:5.0%}  of the new text stands in the earlier one",
        f"{found.two_authors.of_earlier:5.0%}  of the earlier text stands in the new one",
    ]
    if found.equal:
        lines.append("Both read the same: letter case, marks and invisible characters aside.")
    elif found.same_event:
        lines.append("Both are the same log event: only numbers, ids, times or paths differ.")
    if found.few:
        lines.append(
            "One of them has so few words that likeness tells nothing: in answers and comments "
            "of under 8 words only repetition counts."
        )
    if found.passages:
        lines += ["", "The longest passages that both have:"]
        lines += [f"  “{passage}”" for passage in found.passages]
    lines += ["", "What was looked at:                     earlier      new"]
    lines += [f"  {name:36}{one:9}{two:9}" for name, one, two in _figures(found)]
    return lines


def _figures(found: Explanation) -> list[tuple[str, int, int]]:
    (masked, other_masked), (counts, other) = found.masked, found.counts
    return [
        ("words", *found.words),
        ("numbers, ids, times (ignored)", masked["0"], other_masked["0"]),
        ("addresses (ignored)", masked["url"], other_masked["url"]),
        ("paths (ignored)", masked["path"], other_masked["path"]),
        ("quoted words (ignored)", counts.quoted, other.quoted),
        ("words of forms (not the writer's own)", counts.form, other.form),
        ("invisible characters (ignored)", counts.invisible, other.invisible),
        ("letters that no reader sees (ignored)", counts.unseen, other.unseen),
    ]
