"""Prove that the audit log is whole: no record changed, dropped, moved or put in.

  soe-gateway audit verify
  soe-gateway audit verify --audit /var/lib/soe-gateway/audit --checkpoints gateway.log

Reads every record of every writer, compressed files too, and names the first of each writer that
is not as it was written, or is missing. A cut at the end of a chain is seen where a checkpoint
knows what stood there: in the gateway's log or the files of `audit.checkpoint`, given here, and in
the chains of other writers. What came after the last checkpoint is told as unproven.

Exits with 0 where nothing is wrong, 1 where something is; with --strict also where a record is
unproven.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from gateway.audit.checkpoints import Checkpoint, read_checkpoints
from gateway.audit.key import Keys
from gateway.audit.proof import Proven, prove
from gateway.audit.segments import named, of_writers, segments
from gateway.cli.assembly import audit_directories, audit_keys
from gateway.cli.progress import progress
from gateway.errors import AuditError, ProblemsError
from gateway.settings import load_settings

_READS = 2
"""How often `prove` reads each file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", type=Path, metavar="PATH", help="directories of the log, or single files of one: of these only what stands in them is proven")  # fmt: skip
    parser.add_argument("--checkpoints", nargs="+", type=Path, metavar="PATH", default=[], help="files that hold checkpoints, also among other lines, or directories of them")  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="take unproven records for a fault")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Prove; 1 where something is wrong, or cannot be read."""
    flags = {"data.directory": args.data} if args.data else {}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        keys = audit_keys(settings)
        told = list(read_checkpoints(args.checkpoints, keys))
        false = [each for each in told if isinstance(each, str)]
        points = [each for each in told if isinstance(each, Checkpoint)]
        found = _prove(args.audit or audit_directories(settings), keys, points)
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except (OSError, AuditError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    writers = [each for proven in found.values() for each in proven]
    is_wrong = bool(false) or any(each.fault for each in writers)
    unproven = sum(each.unproven for each in writers)
    if args.json:
        print(json.dumps(_document(found, false)), file=out)
    else:
        _tell(found, false, out)
        print(_summary(writers, unproven, is_wrong=is_wrong), file=out)
    return int(is_wrong or (args.strict and unproven > 0))


def _prove(
    paths: Sequence[Path], keys: Keys, points: Sequence[Checkpoint]
) -> Mapping[str, Sequence[Proven]]:
    """Prove each directory, and what single files there are."""
    logs = {str(path): segments(path) for path in paths if path.is_dir()}
    if single := [path for path in paths if not path.is_dir()]:
        for path in single:
            if not path.is_file() or named(path) is None:
                raise AuditError(f"{path} is no file of the log, as audit-WRITER-NUMBER.jsonl")
        logs["files"] = of_writers(single)
    for name, log in logs.items():
        if not log:
            raise AuditError(f"{name}: there are no audit files")
    sizes = [
        path.stat().st_size for log in logs.values() for paths in log.values() for path in paths
    ]
    with contextlib.closing(progress(None, unit="B")) as watcher:
        watcher.begins("audit log", _READS * sum(sizes))
        return {
            name: prove(log, keys, points, watcher.advances, is_all=name != "files")
            for name, log in logs.items()
        }


def _tell(found: Mapping[str, Sequence[Proven]], false: Sequence[str], out: TextIO) -> None:
    for name, writers in found.items():
        print(name, file=out)
        for each in writers:
            print(*(f"  {line}" for line in _lines(each)), sep="\n", file=out)
    print(*false, sep="\n", end="\n" if false else "", file=out)


def _lines(each: Proven) -> list[str]:
    if not each.last:
        lines = [f"{each.writer}: no records"]
    elif each.proven is None:
        lines = [f"{each.writer}: records {each.first} to {each.last}, no checkpoint"]
    else:
        at = _instant(each.proven.at)
        after = f", {each.unproven} unproven after it" if each.unproven else ""
        lines = [
            f"{each.writer}: records {each.first} to {each.last}, "
            f"the checkpoint of {at} at record {each.proven.head.seq}{after}"
        ]
    if each.cut is not None:
        lines.append(
            f"    records before {each.first} were cut on {_instant(each.cut)}, as recorded"
        )
    lines += [f"    {told}" for told in each.torn]
    if each.fault is not None:
        lines.append(f"    WRONG: {each.fault}")
    return lines


def _summary(writers: Sequence[Proven], unproven: int, *, is_wrong: bool) -> str:
    count = sum(max(0, each.last - each.first + 1) for each in writers)
    if is_wrong:
        return "NOT WHOLE: what is wrong is told above"
    if not unproven:
        return f"whole: {count} records, and none is missing before the last checkpoints"
    return (
        f"whole as far as it can be proven: {count} records. {unproven} are unproven: whether "
        "others stood after them, which were cut off, no checkpoint tells"
    )


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds").replace("+00:00", "Z")


def _document(found: Mapping[str, Sequence[Proven]], false: Sequence[str]) -> dict[str, Any]:
    writers = [each for proven in found.values() for each in proven]
    return {
        "whole": not false and all(each.fault is None for each in writers),
        "records": sum(max(0, each.last - each.first + 1) for each in writers),
        "unproven": sum(each.unproven for each in writers),
        "false_checkpoints": list(false),
        "writers": [
            {"log": name, **_written(each)} for name, proven in found.items() for each in proven
        ],
    }


def _written(each: Proven) -> dict[str, Any]:
    fault, point = each.fault, each.proven
    return {
        "writer": each.writer,
        "first": each.first,
        "last": each.last,
        "unproven": each.unproven,
        "checkpoint": point and {"seq": point.head.seq, "at": point.at, "told": point.told},
        "cut": each.cut,
        "torn": each.torn,
        "fault": fault
        and {
            "seq": fault.seq,
            "why": fault.why,
            "file": fault.path and str(fault.path),
            "line": fault.line,
        },
    }
