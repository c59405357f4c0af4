"""Remove records that are older than a day; the rest verifies, and says what was removed.

  soe-gateway audit cut --before 2026-01-31

Whole files go, those in which every record is older. What goes, and from which record on each
writer's chain begins then, stands in the audit log before anything is removed. Of whom no record is
left then, nobody can tell any more whose the pseudonym was: he is erased from the people file.
`audit.retention` does the same by age, in the background.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import TextIO

from gateway.audit import retention
from gateway.cli.assembly import audit_directories, audit_keys, open_audit, open_people
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError
from gateway.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--before", type=date.fromisoformat, required=True, metavar="DATE", help="the first day (UTC) that is kept")  # fmt: skip
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", metavar="URL", help="where the audit log goes, as `serve` was given it")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Cut; 1 where nothing is so old, or it cannot be done; 2 for a day that is still to come."""
    given = {"data.directory": args.data, "audit.sinks": args.audit}
    flags = {name: value for name, value in given.items() if value is not None}
    before = datetime.combine(args.before, time(), UTC).timestamp()
    if before > SystemClock().now():
        print(f"soe-gateway: {args.before} is still to come", file=out)
        return 2
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        count, people = asyncio.run(_cut(settings, before))
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except (OSError, AuditError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    if args.json:
        told = {"before": args.before.isoformat(), "segments": count, "people": people}
        print(json.dumps(told), file=out)
    else:
        print(f"{count} files removed" if count else "no file is so old throughout", file=out)
        if people:
            print(f"{people} pseudonyms of whom no record is left lead to nobody now", file=out)
    return 0 if count or people else 1


async def _cut(settings: Settings, before: float) -> tuple[int, int]:
    """Give how many files went, and how many lines of the people file."""
    keys, clock, directories = audit_keys(settings), SystemClock(), audit_directories(settings)
    audit = open_audit(settings, keys, clock)
    tell = partial(audit.told_durably, person=getpass.getuser())
    try:
        people = open_people(settings, keys, clock)
        # Nothing else runs on this loop, so it may wait for the disk.
        with retention.alone(*directories, wait=True):
            count = sum(retention.cut(each, before, tell) for each in directories)
            gone = retention.erase_people(directories, before, people, tell) if people else 0
        return count, gone
    finally:
        await audit.close()
