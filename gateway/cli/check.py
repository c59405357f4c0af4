"""Look for problems in policies or settings, without running anything.

Prints every problem of every file, tests among them, as path:line:column: text. Without DIRECTORY
it looks at the policies that come with the gateway; they apply beside those of a directory that
has an overrides.yaml, and --diff-shipped tells what became of each: one that overrides.yaml does
not name, as what an upgrade brought, is untouched. Exit 0 where all is well, 1 where it is not.

With --coverage it tells which writes no rule looks at, takes away one rule of the directory after
the other, plays the tests again, and names the rules that no test misses: exit 1 where there is
one.

With --settings it looks at the settings instead, as `serve` would find them here: FILE, or
gateway.yaml where there is one, and the environment. It tells what is wrong, and else every value,
where it stands, and what is weaker than recommended. Nothing that is secret is shown.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gateway.errors import ConfigError, PolicyError, ProblemsError
from gateway.offline.testing.suite import Suite, read_suite
from gateway.policy.load import sources
from gateway.policy.overrides import Tuning, tunings
from gateway.policy.schema import NAMES, schema

if TYPE_CHECKING:
    from gateway.offline.testing.coverage import Coverage
    from gateway.policy.policyset import Rule


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    parser.add_argument("directory", nargs="?", type=Path, help="the site's own policy files")
    parser.add_argument(
        "--coverage", action="store_true", help="tell what no rule looks at and no test would miss"
    )
    parser.add_argument(
        "--settings",
        nargs="?",
        const="",
        metavar="FILE",
        help="look at the settings: of FILE, or as serve finds them here",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--diff-shipped", action="store_true", help="say how the shipped rules differ from those in force")  # fmt: skip
    parser.add_argument("--schema", choices=NAMES, help="print the JSON Schema of such a file, for editors")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Load the policies and say what was found."""
    if args.schema:
        print(json.dumps(schema(args.schema), indent=1), file=out)
        return 0
    today = datetime.datetime.now(datetime.UTC).date()
    if args.settings is not None:
        if args.directory or args.coverage or args.diff_shipped:
            print("--settings looks at settings alone; check policies by another call", file=out)
            return 2
        return _check_settings(args.settings, today, args.json, out)
    try:
        suite = read_suite(args.directory, today=today)
    except PolicyError as error:
        return _print_problems(error, args.json, out)
    if args.coverage:
        return _cover(suite, args.json, out)
    policies = suite.policies
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


def _print_problems(error: ProblemsError, as_json: bool, out: TextIO) -> int:  # noqa: FBT001 - a fact
    problems = [str(problem) for problem in error.problems]
    if as_json:
        print(json.dumps({"problems": problems}), file=out)
    else:
        print(*problems, f"{len(problems)} problems", sep="\n", file=out)
    return 1


def _check_settings(
    path: str,
    today: datetime.date,
    as_json: bool,  # noqa: FBT001 - a fact
    out: TextIO,
) -> int:
    from gateway.cli.assembly import key_file, sink_urls, state_url  # policies do without
    from gateway.settings import Known, load_settings, weaknesses

    try:
        settings = load_settings(
            flags={}, environ=os.environ, config=Path(path) if path else None, today=today
        )
    except ConfigError as error:
        return _print_problems(error, as_json, out)
    stands = {
        "state.url": state_url(settings),
        "audit.sinks": ", ".join(sink_urls(settings)),
        "audit.key_file": str(key_file(settings)),
    }
    written = {
        name: replace(each, value=each.value or stands.get(name, ""))
        for name, each in settings.written.items()
    }
    weak = dict(weaknesses(Known(settings=settings, today=today)))
    if as_json:
        told = {name: {"value": each.value, "from": each.origin} for name, each in written.items()}
        print(json.dumps({"settings": told, "warnings": weak, "problems": []}), file=out)
        return 0
    for name, each in written.items():
        print(f"{name:29} {each.value or '–':29} {each.origin}", file=out)
    for name, text in weak.items():
        print(f"{written[name].origin}: {name}: {text} (warning)", file=out)
    given = sum(each.origin != "default" for each in written.values())
    print(f"{len(written)} settings, {given} of them given; no problems", file=out)
    return 0


def _cover(suite: Suite, as_json: bool, out: TextIO) -> int:  # noqa: FBT001 - a fact
    from gateway.offline.testing.coverage import cover  # most calls do without

    found = cover(suite, _shown)
    if as_json:
        print(json.dumps(_document(found)), file=out)
    else:
        print(*_lines(found), sep="\n", file=out)
    return 1 if found.failing or found.untested else 0


def _shown(rules: Sequence[Rule]) -> Iterator[Rule]:
    from gateway.cli.progress import progress  # most calls do without

    bar = progress(None, " rules")
    bar.begins("taken away", len(rules))
    for rule in rules:
        yield rule
        bar.advances(1)
    bar.ends("taken away")


def _document(found: Coverage) -> dict[str, object]:
    return {
        "unwatched": list(found.unwatched),
        "watched": list(found.watched),
        "failing": [each.case.name for each in found.failing],
        "tried": found.tried,
        "untested": [str(place) for place in found.untested],
    }


def _lines(found: Coverage) -> Iterator[str]:
    yield from _operations("writes that no rule looks at", found.unwatched)
    yield from _operations("writes that are only observed or warned of", found.watched)
    if found.failing:
        for each in found.failing:
            yield f"{each.case.path}:{each.case.mark.line}:{each.case.mark.column}: this test fails"
        yield "the tests must pass before rules are taken away; see soe-gateway test"
        return
    for place in found.untested:
        yield f"{place.path}:{place.line}:{place.column}: no test misses the rule {place.text!r}"
    tested = found.tried - len(found.untested)
    yield f"{found.tried} rules taken away in turn, {tested} missed by a test"


def _operations(title: str, operations: Sequence[str]) -> Iterator[str]:
    if not operations:
        return
    yield f"{title}: {len(operations)}"
    for noun, group in groupby(operations, key=lambda name: name.partition(".")[0]):
        verbs = [name.partition(".")[2] for name in group]
        yield f"  {noun:14} {len(verbs):2}  {', '.join(verbs)}"


def _print_tunings(tuned: Iterable[Tuning], out: TextIO) -> None:
    for each in tuned:
        print(f"{each.rule}: {each.state}", file=out)
        for key, (before, after) in each.changes.items():
            print(f"  {key}: {before} → {after}", file=out)
        for key in each.idle:
            print(f"  {key}: as shipped, leave it out", file=out)
