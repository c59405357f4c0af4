"""Give audit records in the words of a SIEM, as JSON lines.

soe-gateway audit export --format ecs --since 1d --output day.jsonl
soe-gateway audit export --format ocsf --integration help-bot

`ecs` is the Elastic Common Schema; `ocsf` the Open Cybersecurity Schema Framework, class API
Activity. A write is one event, decision and outcome together, in the order of the decisions; one
whose outcome is not known yet says so. What operators did to the gateway comes first, where no
filter but the time asks for writes alone. No text of a post is in it.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import orjson

from gateway.audit.export import ecs, ocsf
from gateway.audit.index.entries import Deed, Entry, Selection
from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.cli.audit.selecting import (
    Texts,
    add_filters,
    chosen,
    directory_of,
    indexed,
    note,
    selection_of,
    settings_of,
)


class Format(NamedTuple):
    """How a format tells of a write, and of what was done to the gateway."""

    of_entry: Callable[[Entry, Mapping[str, Any]], dict[str, Any]]
    of_deed: Callable[[Deed], dict[str, Any]]


FORMATS: Mapping[str, Format] = {
    "ecs": Format(ecs.of_entry, ecs.of_deed),
    "ocsf": Format(ocsf.of_entry, ocsf.of_deed),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare filters and the format."""
    add_filters(parser)
    parser.add_argument("--format", choices=list(FORMATS), required=True)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of on standard output")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Export what fits."""
    settings = settings_of(args)
    directory = directory_of(args, settings)
    with (
        contextlib.closing(Texts(directory, args.text)) as texts,
        contextlib.closing(Lines(directory)) as lines,
        indexed(directory, settings["data.directory"]) as index,
    ):
        selection = selection_of(args, settings, index)
        documents = _documents(FORMATS[args.format], index, selection, texts, lines)
        count = _write(documents, args.output, out)
        note(f"{count} events" if count else "no record fits")
    return 0


def _documents(
    form: Format, index: Index, selection: Selection, texts: Texts, lines: Lines
) -> Iterator[dict[str, Any]]:
    if replace(selection, since=None, until=None) == Selection() and not texts.pattern:
        yield from map(form.of_deed, reversed(index.deeds(selection.since, selection.until)))
    for entry in chosen(index, selection, texts, None):
        yield form.of_entry(entry, lines.record(entry.place) or {})


def _write(documents: Iterator[dict[str, Any]], path: Path | None, out: TextIO) -> int:
    with contextlib.ExitStack() as stack:
        file = out if path is None else stack.enter_context(path.open("w", encoding="utf-8"))
        count = 0
        for document in documents:
            print(orjson.dumps(document).decode(), file=file)
            count += 1
    return count
