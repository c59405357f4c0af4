"""Ask the audit log: what was written, by which integration, on whose word, and what became of it.

soe-gateway audit query --since 2h                         the newest of the last two hours
soe-gateway audit query --post https://soe.example.com/a/12    which integration made this answer
soe-gateway audit query --integration help-bot --effect refuse
soe-gateway audit query --rule copies --since 1d --csv
soe-gateway audit query --integration help-bot --since 1h --urls     a list to clean up by
soe-gateway audit query --follow                           each write, as it ends; Ctrl-C ends it

Reads the files of the log, packed ones as well; the gateway need not run. Where the log is large,
an index of it is kept in the data directory, which may be deleted at any time.
`soe-gateway explain ID` tells all about one write.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from gateway.audit.index.entries import Entry, Selection
from gateway.audit.index.index import Index
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
from gateway.cli.audit.table import Column, Table
from gateway.model import Effect, Outcome

_SHOWN = 50
"""Rows of a table without --limit."""
_LOOK_EVERY = 0.3
"""Seconds between two looks at the log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare filters and forms."""
    add_filters(parser)
    form = parser.add_argument_group("what is printed").add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON, an object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values with a head")
    form.add_argument("--urls", action="store_true", help="the address of each post that was published, one a line")  # fmt: skip
    parser.add_argument("--limit", type=_count, metavar="N", help=f"the newest N (in a table {_SHOWN}, else all)")  # fmt: skip
    parser.add_argument("--follow", action="store_true", help="go on with each write as it ends")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Ask, and print what fits."""
    settings = settings_of(args)
    directory = directory_of(args, settings)
    with (
        contextlib.closing(Texts(directory, args.text)) as texts,
        indexed(directory, settings["data.directory"]) as index,
    ):
        selection = selection_of(args, settings, index)
        _query(args, index, selection, texts, out)
    return 0


def _query(
    args: argparse.Namespace, index: Index, selection: Selection, texts: Texts, out: TextIO
) -> None:
    form = _form(args, out)
    is_table = not (args.json or args.csv or args.urls)
    turn = index.turn()
    entries = chosen(index, selection, texts, args.limit or (_SHOWN if is_table else None))
    shown = _Counted(entries)
    form(shown)
    if texts.unkept:
        note(f"of {texts.unkept} writes no text was kept (audit.content), so none was searched")
    if not shown.count and not args.follow:
        note("no write fits" if index.count() else "the log holds no write")
    elif shown.count == _SHOWN and is_table and not args.limit:
        note(f"these are the newest {_SHOWN}; --limit N shows more")
    if args.follow:
        with contextlib.suppress(KeyboardInterrupt):
            for ended in _ended(index, selection, turn):
                form(filter(texts.has, ended))
                out.flush()


class _Counted:
    """Entries, and how many of them were taken."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def _ended(index: Index, selection: Selection, turn: int) -> Iterator[tuple[Entry, ...]]:
    """Give writes as they end, for ever."""
    while True:
        while index.step():
            pass
        ended = index.ended_after(turn, selection)
        if ended:
            turn = ended[-1].turn or turn
            yield ended
        else:
            time.sleep(_LOOK_EVERY)


# ── forms ────────────────────────────────────────────────────────────────────────────────────

Form = Callable[[Iterable[Entry]], None]
"""Prints entries; may be called again with more."""


def _form(args: argparse.Namespace, out: TextIO) -> Form:
    if args.json:
        return _Json(out)
    if args.urls:
        return _Urls(out)
    if args.csv:
        return _Csv(out)
    width = shutil.get_terminal_size().columns if out.isatty() else None
    return Table(_COLUMNS, out, width)


def as_json(entry: Entry) -> dict[str, Any]:
    """Give an entry by the names that its members have in the audit records."""
    return {
        "write_id": entry.id,
        "at": entry.at,
        "integration": entry.integration,
        "person": entry.person,
        "person_name": entry.person_name,
        "on_word_of": entry.on_word_of,
        "operation": entry.operation,
        "team": entry.team,
        "thread": entry.thread,
        "target": entry.target,
        "effect": entry.effect,
        "revision": entry.revision,
        "findings": [
            {"rule": each.rule, "mode": each.mode, "result": each.result, "code": each.code}
            for each in entry.found
        ],
        "outcome": entry.outcome,
        "post": {"id": entry.post, "url": entry.url},
        "upstream_status": entry.upstream_status,
        "latency": entry.latency,
    }


class _Json:
    """An object for each entry."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            print(json.dumps(as_json(entry)), file=self._out)


class _Csv:
    """A line for each entry, below a head."""

    def __init__(self, out: TextIO) -> None:
        self._writer = csv.writer(out)
        self._has_head = False

    def __call__(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            told = as_json(entry) | {
                "at": instant(entry.at),
                "findings": found(entry),
                "post": entry.post,
                "url": entry.url,
            }
            if not self._has_head:
                self._writer.writerow(told)
                self._has_head = True
            self._writer.writerow(told.values())


class _Urls:
    """The address of each post that was published, once."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: set[str] = set()

    def __call__(self, entries: Iterable[Entry]) -> None:
        nameless, unknown = [], []
        for entry in entries:
            if entry.outcome == Outcome.OK and entry.url and entry.url not in self._told:
                self._told.add(entry.url)
                print(entry.url, file=self._out)
            elif entry.outcome == Outcome.OK and entry.post and not entry.url:
                nameless.append(entry.post)
            elif entry.outcome in (Outcome.UNKNOWN, Outcome.FAILED):
                unknown.append(entry.id)
        if nameless:
            note(f"published, and SOE told no address: {', '.join(nameless)}")
        if unknown:
            note(f"perhaps published, nobody can tell: {', '.join(unknown)}")


def instant(at: float) -> str:
    """Write an instant in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def found(entry: Entry) -> str:
    """Name the rules that found something against a write, or could not judge it."""
    return ", ".join(
        each.rule if each.result == "fail" else f"{each.rule} ({each.result})"
        for each in entry.found
    )


def _outcome(entry: Entry) -> str:
    return entry.outcome or ("(open)" if entry.effect == Effect.ALLOW else "")


def _post(entry: Entry) -> str:
    return entry.post or entry.target or entry.thread or ""


_COLUMNS: dict[str, Column[Entry]] = {
    "at (UTC)": Column(lambda entry: instant(entry.at)[:19].replace("T", " "), 19, 19),
    "integration": Column(lambda entry: entry.integration, 12, 8),
    "operation": Column(lambda entry: entry.operation, 15, 12),
    "effect": Column(lambda entry: entry.effect, 6, 6),
    "outcome": Column(_outcome, 8, 8),
    "post": Column(_post, 14, 8, may_go=True),
    "rules": Column(found, 12, 7, may_go=True),
    "decision": Column(lambda entry: entry.id, 32, 32, may_go=True),
}
"""A terminal of 80 characters shows all but the last."""


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("expected a number from 1 on")
    return int(text)
