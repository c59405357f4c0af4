"""Hold the audit log against the site: what was written around it, what became of open writes.

soe-gateway audit reconcile --since 1d --token-file read-token
soe-gateway audit reconcile --since 1d --urls              what was written around it, to clean up by
soe-gateway audit reconcile --since 1d --record            the same, and put it on record

A post counts as written around the gateway where its author is the one account under which an
integration writes, or one named by --author, and no record tells of it. Exit 1 where there are any.
Of writes that ended `unknown` or `failed`, or whose post SOE did not name, the text is looked for.

It reads through API v2.3, with the token or key of --token-file and --key-file, or those of `seed`
(SOE_GATEWAY_SEED_TOKEN, SOE_GATEWAY_SEED_KEY); reading is all that they need to allow. The log must
be whole: bring the files of all replicas together in one directory, and name it (--audit).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import shutil
from collections.abc import Mapping
from typing import Any, TextIO

import uvloop

from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.cli.assembly import audit_keys, open_audit
from gateway.cli.audit.query import instant
from gateway.cli.audit.selecting import (
    FilterError,
    add_log,
    directory_of,
    indexed,
    instant_of,
    note,
)
from gateway.cli.audit.table import Column, Table
from gateway.cli.progress import progress
from gateway.cli.reading import add_reading, open_reader, reading_settings
from gateway.clock import SystemClock
from gateway.offline.reconciling.doubts import Answered
from gateway.offline.reconciling.reconcile import Around, Report, reconcile
from gateway.offline.reconciling.site import Site
from gateway.settings import Settings

_AROUND = "reconcile.around"
_OUTCOME = "reconcile.outcome"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    add_log(parser)
    add_reading(parser)
    parser.add_argument("--since", default="1d", metavar="TIME", help="from then on: 2h, 3d, 2026-11-26, 2026-11-26T14:00 (UTC); 1d without it")  # fmt: skip
    parser.add_argument("--author", action="append", type=int, default=[], metavar="N", help="an account of the site that is looked at besides; may be given again")  # fmt: skip
    parser.add_argument("--record", action="store_true", help="record what is found in the audit log; nothing twice")  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--urls", action="store_true", help="the address of each post that was written around the gateway, one a line")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Do it; 1 where something was written around the gateway, or it cannot be done."""
    settings = reading_settings(args)
    directory = directory_of(args, settings)
    now = SystemClock().now()
    since = instant_of("--since", args.since, now) or 0.0
    with (
        indexed(directory, settings["data.directory"]) as index,
        contextlib.closing(Lines(directory)) as lines,
    ):
        since = _since(index, since)
        report = uvloop.run(_report(args, settings, index, lines, since, now))
        if args.record:
            asyncio.run(_record(settings, index, report, since, now))
    _tell(args, report, since, now, out)
    return 1 if report.around else 0


def _since(index: Index, since: float) -> float:
    """Give the instant from which on the log tells of everything."""
    first = next(index.entries(), None)
    if first is None:
        raise FilterError("the log holds no write: there is nothing to hold against the site")
    if first.at > since:
        note(f"the log begins at {instant(first.at)}: nothing before it is looked at")
    return max(since, first.at)


async def _report(
    args: argparse.Namespace,
    settings: Settings,
    index: Index,
    lines: Lines,
    since: float,
    until: float,
) -> Report:
    with contextlib.closing(progress(None, unit=" posts")) as watcher:
        reader = open_reader(args, settings, "audit reconcile", note)
        try:
            return await reconcile(
                index,
                lines,
                Site(reader),
                watcher,
                teams=[None, *args.team],
                since=since,
                until=until,
                authors=args.author,
            )
        finally:
            await reader.aclose()


# ── on record ────────────────────────────────────────────────────────────────────────────────


async def _record(
    settings: Settings, index: Index, report: Report, since: float, until: float
) -> None:
    """Record what is found and not on record yet.

    Raises:
        AuditError: it cannot be recorded.
    """
    deeds = [(deed.event, deed.facts) for deed in index.deeds()]
    around = {(facts["team"], facts["post"]) for event, facts in deeds if event == _AROUND}
    answers = {(facts["write_id"], facts["answer"]) for event, facts in deeds if event == _OUTCOME}
    person = getpass.getuser()
    audit = open_audit(settings, audit_keys(settings), SystemClock())
    try:
        for each in report.around:
            if each.post.name not in around:
                audit.told(_AROUND, person=person, **_of_around(each))
        for answered in report.answers:
            if (answered.entry.id, answered.answer.value) not in answers:
                audit.told(_OUTCOME, person=person, **_of_answer(answered))
        counts = {"around": len(report.around), "answers": len(report.answers)}
        audit.told("reconcile.done", person=person, since=since, until=until, **counts)
    finally:
        await audit.close()


def _of_around(around: Around) -> dict[str, Any]:
    post = around.post
    return {
        "team": post.name.team,
        "post": post.name.post,
        "url": post.url,
        "written": post.at,
        "integration": around.integration,
    }


def _of_answer(answered: Answered) -> dict[str, Any]:
    post = answered.post
    return {
        "write_id": answered.entry.id,
        "team": answered.entry.team,
        "answer": answered.answer.value,
        "post": post and post.name.post,
        "url": post and post.url,
    }


# ── what it says ─────────────────────────────────────────────────────────────────────────────


def _tell(
    args: argparse.Namespace, report: Report, since: float, until: float, out: TextIO
) -> None:
    for integration, count in report.accounts.several.items():
        note(
            f"{integration} writes as {count} people: what they write in a browser cannot be told "
            "from what they write around the gateway, so they are not looked at; --author names one"
        )
    if report.missing:
        note(f"the site has no list of {', '.join(report.missing)}: they are not looked at")
    if args.json:
        print(json.dumps(_document(report, since, until)), file=out)
    elif args.urls:
        for each in report.around:
            print(each.post.url or each.post.name.post, file=out)
    else:
        _tables(report, out)


def _document(report: Report, since: float, until: float) -> Mapping[str, Any]:
    return {
        "since": since,
        "until": until,
        "read": report.read,
        "accounts": {name: account for account, name in report.accounts.own.items()},
        "around": [_of_around(each) | {"author": each.post.author} for each in report.around],
        "outcomes": [
            _of_answer(each)
            | {
                "at": each.entry.at,
                "integration": each.entry.integration,
                "operation": each.entry.operation,
                "outcome": each.entry.outcome,
                "why": each.why,
                "perhaps": [name.post for name in each.perhaps],
            }
            for each in report.answers
        ],
    }


def _tables(report: Report, out: TextIO) -> None:
    width = shutil.get_terminal_size().columns if out.isatty() else None
    looked_at = f"{report.read} posts, {len(report.accounts.own)} accounts of integrations"
    print(f"written around the gateway: {len(report.around)} ({looked_at})", file=out)
    Table(_AROUND_COLUMNS, out, width)(report.around)
    print(f"writes whose outcome is open: {len(report.answers)}", file=out)
    Table(_ANSWER_COLUMNS, out, width)(report.answers)


def _where(post: str | None, url: str | None) -> str:
    return url or post or ""


_AROUND_COLUMNS: dict[str, Column[Around]] = {
    "at": Column(lambda around: instant(around.post.at), 20, 20),
    "account of": Column(lambda around: around.integration, 12, 8),
    "author": Column(lambda around: str(around.post.author), 6, 6),
    "post": Column(lambda around: _where(around.post.name.post, around.post.url), 14, 30),
}
_ANSWER_COLUMNS: dict[str, Column[Answered]] = {
    "at": Column(lambda each: instant(each.entry.at), 20, 20),
    "integration": Column(lambda each: each.entry.integration, 12, 8),
    "operation": Column(lambda each: each.entry.operation, 15, 15),
    "outcome": Column(lambda each: each.entry.outcome or "(open)", 8, 8),
    "on the site": Column(lambda each: each.answer.value.replace("_", " "), 11, 11),
    "post": Column(lambda each: each.post.url or "" if each.post else each.why, 14, 30),
    "decision": Column(lambda each: each.entry.id, 32, 32, may_go=True),
}
