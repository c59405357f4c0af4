"""Run the tests that stand with policies, under `tests:` or in files named *.test.yaml.

Without DIRECTORY it runs those of the policies that come with the gateway, else those of the
directory: an override may well change what a shipped test expects. Each test plays its
writes on a clock of its own, on the code that decides in the running gateway. Exit 0 where all
pass, 1 where one fails or a file is wrong.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from pathlib import Path
from typing import TextIO

from gateway.errors import PolicyError
from gateway.offline.testing.play import play
from gateway.offline.testing.report import Ink, document, junit, lines
from gateway.offline.testing.suite import read_suite


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    parser.add_argument("directory", nargs="?", type=Path, help="the site's own policy files")
    parser.add_argument("-k", metavar="TEXT", default="", help="only tests with this in their name")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit's XML as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Run all tests and say which fail, and how what happened differs."""
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        suite = read_suite(args.directory, today=today)
    except PolicyError as error:
        told = [str(problem) for problem in error.problems]
        print(json.dumps({"problems": told}) if args.json else "\n".join(told), file=out)
        return 1
    chosen = [
        case
        for case in suite.cases
        if args.k.casefold() in f"{Path(case.path).name}: {case.name}".casefold()
    ]
    if args.k and not chosen:
        print(f"no test has {args.k!r} in its name", file=out)
        return 2
    played = play(suite.policies, chosen)
    if args.junit:
        try:
            args.junit.write_bytes(junit(played))
        except OSError as error:
            print(f"{args.junit} cannot be written: {error.strerror}", file=out)
            return 2
    if args.json:
        print(json.dumps(document(played, suite.policies.revision)), file=out)
    else:
        ink = Ink(colours=out.isatty() and "NO_COLOR" not in os.environ)
        print(*lines(played, ink), sep="\n", file=out)
    return 1 if any(each.failure for each in played) else 0
