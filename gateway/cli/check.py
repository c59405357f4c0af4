"""Look for problems in policies, without running anything.

Prints every problem of every file as path:line:column: text. Without DIRECTORY it looks at the
policies that come with the gateway; they apply beside those of a directory that has an
overrides.yaml, and --diff-shipped tells what became of each: one that overrides.yaml does not name,
as what an upgrade brought, is untouched. Exit 0 where all is well, 1 where it is not.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from gateway.errors import PolicyError
from gateway.policy.load import load, sources
from gateway.policy.overrides import Tuning, tunings
from gateway.policy.schema import NAMES, schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    parser.add_argument("directory", nargs="?", type=Path, help="the site's own policy files")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--diff-shipped", action="store_true", help="say how the shipped rules differ from those in force")  # fmt: skip
    parser.add_argument("--schema", choices=NAMES, help="print the JSON Schema of such a file, for editors")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Load the policies and say what was found."""
    if args.schema:
        print(json.dumps(schema(args.schema), indent=1), file=out)
        return 0
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        policies = load(args.directory, today=today)
    except PolicyError as error:
        problems = [str(problem) for problem in error.problems]
        if args.json:
            print(json.dumps({"problems": problems}), file=out)
        else:
            print(*problems, f"{len(problems)} problems", sep="\n", file=out)
        return 1
    told: dict[str, object] = {
        "revision": policies.revision,
        "rules": {rule.id: rule.mode.value for rule in policies.rules},
        "integrations": sorted(policies.registry.names),
        "warnings": list(policies.warnings),
        "problems": [],
    }
    tuned = tuple(tunings(sources(args.directory))) if args.diff_shipped else ()
    if args.diff_shipped:
        told["shipped"] = {each.rule: {"state": each.state, "changes": each.changes, "idle": each.idle} for each in tuned}  # fmt: skip
    if args.json:
        print(json.dumps(told), file=out)
        return 0
    _print_tunings(tuned, out)
    for warning in policies.warnings:
        print(f"{warning} (warning)", file=out)
    enforcing = sum(rule.mode.decides for rule in policies.rules)
    print(
        f"revision {policies.revision}: {len(policies.rules)} rules, {enforcing} enforcing, "
        f"{len(policies.registry.names)} integrations; no problems",
        file=out,
    )
    if not policies.enforcing:
        print("no rule enforces: every write would pass (warning)", file=out)
    return 0


def _print_tunings(tuned: Iterable[Tuning], out: TextIO) -> None:
    for each in tuned:
        print(f"{each.rule}: {each.state}", file=out)
        for key, (before, after) in each.changes.items():
            print(f"  {key}: {before} → {after}", file=out)
        for key in each.idle:
            print(f"  {key}: as shipped, leave it out", file=out)
