"""Count what became of the posts that each integration made: deleted, closed, or voted down.

soe-gateway audit fate --since 30d --token-file read-token
soe-gateway audit fate --since 30d --metrics      a running gateway shows it on /metrics as well

Asks the site for every post that the log tells of, a hundred at a time. What the site does not show
any more counts as deleted; a score below 0 as voted down; questions alone can be closed. Posts of a
team are counted where --team names it: a token that may not see a team would take all for deleted.

It reads through API v2.3, with the token or key of --token-file and --key-file, or those of `seed`
(SOE_GATEWAY_SEED_TOKEN, SOE_GATEWAY_SEED_KEY); reading is all that they need to allow.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

import uvloop

from gateway.audit.index.entries import Entry, Selection
from gateway.cli.audit.selecting import (
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
from gateway.model import Effect, Outcome
from gateway.observe.fate import FATE_FILE, Fate, write_fates
from gateway.offline.reconciling.accounts import CREATING
from gateway.offline.reconciling.fate import Fates, fates_of
from gateway.offline.reconciling.site import Site
from gateway.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    add_log(parser)
    add_reading(parser)
    parser.add_argument("--since", default="30d", metavar="TIME", help="posts made from then on: 2h, 3d, 2026-11-26 (UTC); 30d without it")  # fmt: skip
    parser.add_argument("--metrics", action="store_true", help="leave it in the data directory, for a running gateway to show")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Count, and tell."""
    now = SystemClock().now()
    settings = reading_settings(args)
    directory = directory_of(args, settings)
    made = Selection(
        since=instant_of("--since", args.since, now),
        operations=CREATING,
        outcomes=(Outcome.OK,),
        effects=(Effect.ALLOW,),
    )
    with indexed(directory, settings["data.directory"]) as index:
        told = uvloop.run(_fates(args, settings, index.entries(made)))
    if args.metrics:
        write_fates(settings["data.directory"] / FATE_FILE, told.fates, now)
    for team, count in told.unread.items():
        note(f"{count} posts of the team {team} are not counted; --team {team} does")
    if args.json:
        document = {"since": made.since, "until": now, "fates": [*map(asdict, told.fates)]}
        print(json.dumps(document), file=out)
    else:
        width = shutil.get_terminal_size().columns if out.isatty() else None
        Table(_COLUMNS, out, width)(told.fates)
    return 0


async def _fates(args: argparse.Namespace, settings: Settings, entries: Iterable[Entry]) -> Fates:
    with contextlib.closing(progress(None, unit=" posts")) as watcher:
        reader = open_reader(args, settings, "audit fate", note)
        try:
            return await fates_of(entries, Site(reader), [None, *args.team], watcher)
        finally:
            await reader.aclose()


_COLUMNS: dict[str, Column[Fate]] = {
    "integration": Column(lambda fate: fate.integration, 12, 8),
    "operation": Column(lambda fate: fate.operation, 15, 15),
    "published": Column(lambda fate: str(fate.published), 9, 9),
    "deleted": Column(lambda fate: str(fate.deleted), 7, 7),
    "closed": Column(lambda fate: str(fate.closed), 6, 6),
    "downvoted": Column(lambda fate: str(fate.downvoted), 9, 9),
}
