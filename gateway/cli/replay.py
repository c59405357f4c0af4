"""Judge recorded writes by other policies: which decisions would change, and why.

Reads the audit files of a gateway (plain or gzip'd; all writers of the same time), rebuilds state in
memory, and decides each write again on the code that decides in the running gateway. Nothing is
sent and nothing is changed.

  soe-gateway replay --audit data/audit --policies new-policies
  soe-gateway replay --mode much-like-another=enforce      what enforcing would have refused
  soe-gateway replay --policies new --fail-over 1%         exit 1 where more would be refused

A rule that looks at text can be judged again where `audit.content` kept it; else what the record
says of that rule stands in, and the rule is named.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from gateway.cli.assembly import audit_directories, load_policies
from gateway.cli.progress import progress
from gateway.errors import ProblemsError
from gateway.model import Finding, Mode
from gateway.offline.records.read import Spoilt, files
from gateway.offline.replaying.ahead import events
from gateway.offline.replaying.replay import Change, Replay, Replayed, with_modes
from gateway.parse import nearest
from gateway.policy.policyset import PolicySet
from gateway.settings import load_settings

_SHARE = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_MODES = tuple(mode.value for mode in Mode if mode is not Mode.HOLD)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", type=Path, metavar="FILE", help="audit files, or directories of them; those of the settings without it")  # fmt: skip
    parser.add_argument("--policies", type=Path, metavar="DIRECTORY", help="the policies to judge by; those of the settings without it")  # fmt: skip
    parser.add_argument("--mode", action="append", type=_mode, default=[], metavar="RULE=MODE", help="give a rule another mode; may be given again")  # fmt: skip
    parser.add_argument("--anonymous", choices=("allow", "refuse"), default="allow", help="refuse whom the policies' integrations.yaml does not know, or judge them (allow)")  # fmt: skip
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="show so many changed decisions (20)")  # fmt: skip
    parser.add_argument("--fail-over", type=_share, metavar="N", help="exit 1 where more than N, or N%%, of the writes would be refused that passed")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Replay, and say what would change; 1 where it is too much, or something cannot be read."""
    spoilt = Spoilt()
    try:
        settings = load_settings(
            flags=_flags(args), environ=os.environ, config=args.config, required=()
        )
        policies = load_policies(settings)
        paths = files(args.audit or audit_directories(settings))
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except OSError as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    modes = dict(args.mode)
    unknown = modes.keys() - {rule.id for rule in policies.rules}
    if unknown:
        names = [rule.id for rule in policies.rules]
        for name in sorted(unknown):
            print(f"soe-gateway: no rule is called {name!r}{nearest(name, names)}", file=out)
        return 2
    policies = with_modes(policies, modes)
    found = _replay(args, policies, paths, spoilt)
    allowed = _allowed(args.fail_over, found.writes)
    failed = allowed is not None and found.to_refusal > allowed
    if args.json:
        print(json.dumps(_as_json(found, policies, spoilt, failed=failed)), file=out)
    else:
        print(*_lines(found, policies, spoilt), sep="\n", file=out)
        if failed:
            print(f"\nmore than {args.fail_over} would be refused that passed", file=out)
    return 1 if failed else 0


def _replay(
    args: argparse.Namespace, policies: PolicySet, paths: Sequence[Path], spoilt: Spoilt
) -> Replayed:
    replay = Replay(policies, anonymous=args.anonymous, limit=args.limit)
    with contextlib.closing(progress(None, unit="B")) as watcher:
        watcher.begins("audit log", sum(path.stat().st_size for path in paths))
        gc.disable()  # nothing that is made here is a cycle, and looking for some takes a sixth
        try:
            with contextlib.closing(events(paths, spoilt, watcher.advances)) as read:
                return asyncio.run(replay.run(read))
        finally:
            gc.enable()


# ── what it is called with ───────────────────────────────────────────────────────────────────


def _flags(args: argparse.Namespace) -> dict[str, str]:
    given = {"data.directory": args.data, "policies.directory": args.policies}
    return {name: str(value) for name, value in given.items() if value is not None}


def _mode(text: str) -> tuple[str, Mode]:
    rule, _, mode = text.partition("=")
    if not rule or mode not in _MODES:
        raise argparse.ArgumentTypeError(f"expected RULE=MODE, with a mode of {', '.join(_MODES)}")
    return rule, Mode(mode)


def _share(text: str) -> str:
    if not _SHARE.fullmatch(text):
        raise argparse.ArgumentTypeError("expected a number, or a percentage as 1%")
    return text


def _allowed(share: str | None, writes: int) -> float | None:
    if share is None:
        return None
    number, percent = _SHARE.fullmatch(share).groups()  # type: ignore[union-attr]  # it was read
    return float(number) * writes / 100 if percent else float(number)


# ── what it says ─────────────────────────────────────────────────────────────────────────────


def _lines(found: Replayed, policies: PolicySet, spoilt: Spoilt) -> list[str]:
    if not found.writes:
        return ["no decisions stand in these files", *_spoilt(spoilt)]
    revisions = ", ".join(f"{name} ({count})" for name, count in found.revisions.most_common(3))
    lines = [
        f"{found.writes} decisions, {_time(found.first)} to {_time(found.last)}, made under {revisions}",
        f"{found.changed} would change under {policies.revision}" + _effects(found),
    ]
    if found.other_reasons:
        lines.append(f"{found.other_reasons} would stay, and some rule finds otherwise")
    if found.unlike:
        lines.append(
            f"{found.unlike} come out otherwise under the very revision that made them: what was "
            "there before these files, other modes, or writes at once (docs/operations.md)"
        )
    lines += _changes(found)
    lines += _table(
        ("rule", "failed then", "failed now", "refused now that passed"),
        [(rule, *_numbers(tally)) for rule, tally in sorted(found.rules.items())],
    )
    lines += _table(
        ("integration", "writes", "refused then", "refused now", "changed"),
        [(name, *_numbers(tally)) for name, tally in sorted(found.integrations.items())],
    )
    return [*lines, *_lacking(found), *_spoilt(spoilt)]


def _numbers(tally: Any) -> list[str]:
    return [str(getattr(tally, name)) for name in tally.__slots__]


def _effects(found: Replayed) -> str:
    told = [
        f"{count} from {before.value} to {now.value}"
        for (before, now), count in found.effects.most_common()
        if before is not now
    ]
    return f": {', '.join(told)}" if told else ""


def _changes(found: Replayed) -> list[str]:
    if not found.changes:
        return []
    rows = [
        (
            change.decision.write.id,
            _time(change.decision.write.at),
            change.decision.write.integration,
            change.decision.write.operation,
            f"{change.decision.effect.value} → {change.now.effect.value}",
            _why(change),
        )
        for change in found.changes
    ]
    heads = ("decision", "at", "integration", "operation", "then → now", "why")
    more = found.changed - len(rows)
    return [*_table(heads, rows), *([f"and {more} more (--limit)"] if more else [])]


def _why(change: Change) -> str:
    findings = change.now.violations or change.before
    told = [f"{each.rule}: {_reason(each)}" for each in findings]
    return ("" if change.now.violations else "no more: ") + "; ".join(told)


def _reason(finding: Finding) -> str:
    assert finding.violation is not None
    score = finding.violation.evidence.get("similarity")
    return finding.violation.code + (f" {score:.0%}" if isinstance(score, float | int) else "")


def _lacking(found: Replayed) -> list[str]:
    if not found.lacking:
        return []
    lines = ["", f"Not in the records, so not judged again ({found.unjudged} writes unsure):"]
    for (rule, fact), (unjudged, stands_in) in sorted(found.lacking.items()):
        told = []
        if unjudged:
            told.append(f"nothing known in {unjudged} writes")
        if stands_in:
            told.append(f"the record's word stands in {stands_in} writes")
        lines.append(f"  {rule} looks at {fact}: {', '.join(told)}")
    return lines


def _spoilt(spoilt: Spoilt) -> list[str]:
    if not spoilt.count:
        return []
    return ["", f"{spoilt.count} lines could not be read:", *(f"  {told}" for told in spoilt.told)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "",
        *(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (heads, *rows)
        ),
    ]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _as_json(
    found: Replayed, policies: PolicySet, spoilt: Spoilt, *, failed: bool
) -> dict[str, object]:
    return {
        "revision": policies.revision,
        "writes": found.writes,
        "first": found.first,
        "last": found.last,
        "revisions": dict(found.revisions),
        "changed": found.changed,
        "to_refusal": found.to_refusal,
        "other_reasons": found.other_reasons,
        "unlike": found.unlike,
        "effects": [
            {"then": before.value, "now": now.value, "writes": count}
            for (before, now), count in found.effects.most_common()
        ],
        "changes": [_change(change) for change in found.changes],
        "rules": {name: _named(tally) for name, tally in sorted(found.rules.items())},
        "integrations": {name: _named(tally) for name, tally in sorted(found.integrations.items())},
        "unjudged": found.unjudged,
        "lacking": [
            {"rule": rule, "fact": fact, "unjudged": unjudged, "from_record": stands_in}
            for (rule, fact), (unjudged, stands_in) in sorted(found.lacking.items())
        ],
        "spoilt": {"lines": spoilt.count, "first": spoilt.told},
        "failed": failed,
    }


def _named(tally: Any) -> Mapping[str, int]:
    return {name: getattr(tally, name) for name in tally.__slots__}


def _change(change: Change) -> dict[str, object]:
    write = change.decision.write
    return {
        "write_id": write.id,
        "at": write.at,
        "integration": write.integration,
        "operation": write.operation,
        "then": change.decision.effect.value,
        "now": change.now.effect.value,
        "reasons_then": [_told(each) for each in change.before],
        "reasons_now": [_told(each) for each in change.now.violations],
    }


def _told(finding: Finding) -> dict[str, object]:
    assert finding.violation is not None
    return {
        "rule": finding.rule,
        "code": finding.violation.code,
        "evidence": dict(finding.violation.evidence),
    }
