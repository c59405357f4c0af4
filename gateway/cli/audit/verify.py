"""Prove that the audit log is whole: no record changed, dropped, moved or put in.

soe-gateway audit verify
soe-gateway audit verify --audit data/audit
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TextIO

from gateway.audit.chain import verify
from gateway.audit.segments import lines, segments
from gateway.cli.assembly import audit_directories, audit_key
from gateway.errors import AuditError, ProblemsError
from gateway.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", type=Path, metavar="DIRECTORY", help="the log; that of the settings without it")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Verify; 1 where something is wrong, or cannot be read."""
    flags = {"data.directory": args.data} if args.data else {}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        key = audit_key(settings)
        code = 0
        for directory in args.audit or audit_directories(settings):
            for writer, paths in segments(directory).items():
                wrong = verify(lines(paths), key)
                if wrong is not None:
                    print(f"{directory}: line {wrong + 1} of {writer} is not as written", file=out)
                    code = 1
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except (OSError, AuditError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    return code
