"""Cut somebody off from the audit records: nobody can tell any more whose pseudonym it was.

soe-gateway audit forget jane@example.com

WHO is as for `audit people`, which shows what will be erased. His lines of the people file go; the
records stay as they are, so the chain still verifies. What he does from then on stands under a new
pseudonym. That somebody was cut off, and by whom, is recorded. Say it on every replica: each has a
people file in its own data directory. What this cannot reach: names in the text of posts
(`audit.content`), records made under `audit.people: name`, copies of the file, and SOE itself.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
from pathlib import Path
from typing import TextIO

from gateway.cli.assembly import audit_keys, open_audit
from gateway.cli.audit.people import known, open_pseudonyms
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError
from gateway.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("who", metavar="WHO", help="an address, account or pseudonym")
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", help="where the audit log goes, as `serve` was given it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Do it; 1 where nobody is known by this, or it cannot be done."""
    given = {"data.directory": args.data, "audit.sinks": args.audit}
    flags = {name: value for name, value in given.items() if value}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        gone = asyncio.run(_forget(settings, args.who))
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except AuditError as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    if args.json:
        print(json.dumps({"forgotten": gone}), file=out)
    elif gone:
        print(f"forgotten: {', '.join(gone)}", file=out)
    else:
        print("nobody is known by this: see `soe-gateway audit people`", file=out)
    return 0 if gone else 1


async def _forget(settings: Settings, who: str) -> list[str]:
    pseudonyms = [entry.pseudonym for entry in known(settings, who)]
    if not pseudonyms:
        return []
    audit = open_audit(settings, audit_keys(settings), SystemClock())
    try:
        audit.told("people.forget", person=getpass.getuser(), pseudonyms=pseudonyms)
        file = open_pseudonyms(settings)
        gone = [each for each in pseudonyms if file.erase(each)]
        audit.told("people.forget_done", person=getpass.getuser(), pseudonyms=gone)
    finally:
        await audit.close()
    return gone
