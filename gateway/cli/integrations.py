"""Draft the registrations out of what was seen.

  soe-gateway integrations propose --audit data/audit --out policies/integrations.yaml

Reads the audit log of a gateway that lets callers pass whom nobody registered (`posture: discover`)
and writes an integrations.yaml: each caller with the digests of its tokens, what it calls itself,
what it wrote and how much. The draft loads once owner, contact and purpose of each are filled in.
A file that is there is never overwritten.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path
from typing import TextIO

from gateway.cli.assembly import audit_directories
from gateway.cli.progress import progress
from gateway.errors import ProblemsError
from gateway.offline.propose import Draft, as_json, as_yaml, propose
from gateway.offline.records.read import Spoilt, files, records
from gateway.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare action and flags."""
    parser.add_argument("action", choices=["propose"])
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", type=Path, metavar="FILE", help="audit files, or directories of them; those of the settings without it")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the draft goes, instead of standard output; a file that is there stays")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Propose; 1 where nothing can be read, or the file is there already."""
    flags = {"data.directory": args.data} if args.data else {}
    spoilt = Spoilt()
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        paths = files(args.audit or audit_directories(settings))
        with contextlib.closing(progress(None, unit="B")) as watcher:
            watcher.begins("audit log", sum(path.stat().st_size for path in paths))
            draft = propose(records(paths, spoilt, watcher.advances))
        _put(args, draft, out)
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except FileExistsError:
        print(f"soe-gateway: {args.out} is there already; give another --out", file=out)
        return 1
    except OSError as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    if args.out is not None and not args.json:
        unread = f"; {spoilt.count} lines could not be read" if spoilt.count else ""
        print(f"{len(draft.callers)} integrations drafted in {args.out}{unread}", file=out)
    return 0


def _put(args: argparse.Namespace, draft: Draft, out: TextIO) -> None:
    if args.out is not None:
        with args.out.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in as_yaml(draft))
    if args.json:
        print(json.dumps(as_json(draft)), file=out)
    elif args.out is None:
        print(*as_yaml(draft), sep="\n", file=out)
