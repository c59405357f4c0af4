"""Run the tests that stand in policy files, under `tests:`.

Without DIRECTORY it runs those of the policies that come with the gateway, else those of the
directory: an override may well change what a shipped test expects. Each test plays its
writes on a clock of its own, on the code that decides in the running gateway. Exit 0 where all
pass, 1 where one fails.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import TextIO

from gateway.errors import PolicyError
from gateway.offline.cases import read_cases, run_cases
from gateway.policy.load import load, sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    parser.add_argument("directory", nargs="?", type=Path, help="the site's own policy files")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Run all tests and say which fail, and how what happened differs."""
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        policies = load(args.directory, today=today)
        cases = read_cases(sources(args.directory, shipped=args.directory is None))
    except PolicyError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    outcomes = run_cases(policies, cases)
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if args.json:
        told = {
            "revision": policies.revision,
            "tests": [
                {
                    "path": outcome.case.path,
                    "name": outcome.case.name,
                    "failure": str(outcome.failure) if outcome.failure else None,
                }
                for outcome in outcomes
            ],
        }
        print(json.dumps(told), file=out)
    else:
        for outcome in outcomes:
            sign = "ok  " if outcome.failure is None else "FAIL"
            print(f"{sign} {Path(outcome.case.path).name}: {outcome.case.name}", file=out)
        print(*failures, f"{len(outcomes)} tests, {len(failures)} failed", sep="\n", file=out)
    return 1 if failures else 0
