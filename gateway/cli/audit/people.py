"""Tell who stands behind a pseudonym, or which pseudonyms somebody has.

soe-gateway audit people
soe-gateway audit people 9f86d081884c7d65
soe-gateway audit people jane@example.com

Without a word, everybody. WHO is a pseudonym, an e-mail address, the number of an account of the
site, or a name as an integration told it. Somebody may have several pseudonyms: one for each way in
which he was told. It needs the people file of the data directory, and the key that seals it.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from gateway.audit.people import Entry, Pseudonyms
from gateway.cli.assembly import audit_keys, people_file, people_key
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError
from gateway.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("who", nargs="?", metavar="WHO", help="a pseudonym, address or account")
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Tell; 1 where nobody is found, or the file cannot be read."""
    flags = {"data.directory": args.data} if args.data else {}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        found = known(settings, args.who)
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except AuditError as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    for entry in found:
        print(json.dumps(asdict(entry)) if args.json else line(entry), file=out)
    if not found and not args.json:
        print("nobody is known by this" if args.who else "nobody is known", file=out)
    return 0 if found else 1


def known(settings: Settings, who: str | None) -> list[Entry]:
    """Give the entries of somebody, or all.

    Raises:
        AuditError: the people file cannot be read, or is not there.
    """
    entries = open_pseudonyms(settings).entries()
    return sorted(
        (each for each in entries if who is None or each.is_of(who)),
        key=lambda entry: (entry.email or entry.told, entry.account, entry.pseudonym),
    )


def open_pseudonyms(settings: Settings) -> Pseudonyms:
    """Open the people file that is there.

    Raises:
        AuditError: there is none, or it cannot be read.
    """
    path = people_file(settings)
    if not path.exists():
        raise AuditError(
            f"there is no {path}: name the data directory of the gateway (--data). The file is made "
            "where audit.people is pseudonym"
        )
    return Pseudonyms(path, people_key(audit_keys(settings)), SystemClock())


def line(entry: Entry) -> str:
    """Give an entry as a line for people."""
    site = f"account {entry.account} {entry.name} {entry.email}".rstrip() if entry.account else ""
    return f"{entry.pseudonym}  {entry.told or site}"
