"""The records of audit files, as a stream: all writers' merged by instant, segments packed or not.

A line that is torn or damaged is noted and left out; whether lines were changed is the chain's to
say. Of one writer's lines the order is kept.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from gateway.audit.record import SCHEMA
from gateway.audit.segments import named
from gateway.model import Outcome, Settlement
from gateway.offline.records.decision import Recorded, recorded

Record = dict[str, Any]

ANSWER = b"-"
"""In the place of SOE's answer, which no record holds."""
_TOLD_AT_MOST = 20
_SENDING = b'"kind":"sending"'


class Line(NamedTuple):
    """A record, when it was written, and by whom; `decision` or `ended` where it tells of one."""

    at: float
    record: Record
    writer: str
    decision: Recorded | None = None
    ended: Settlement | None = None


@dataclass(slots=True)
class Spoilt:
    """Lines that could not be read: how many, and the first of them as `path:line: why`."""

    count: int = 0
    told: list[str] = field(default_factory=list)

    def note(self, path: Path, number: int, why: str) -> None:
        """Note a line."""
        self.count += 1
        if len(self.told) < _TOLD_AT_MOST:
            self.told.append(f"{path}:{number}: {why}")


def files(paths: Sequence[Path]) -> list[Path]:
    """Give the audit files that are named, those of a directory in its place.

    Raises:
        FileNotFoundError: there is none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(each for each in path.iterdir() if named(each)) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise FileNotFoundError(f"{path} holds no audit files")
        found += inside
    return found


def records(
    paths: Iterable[Path], spoilt: Spoilt, advanced: Callable[[int], None] = lambda _: None
) -> Iterator[Line]:
    """Read the decisions, outcomes and deeds of operators in audit files.

    Args:
        spoilt: takes what cannot be read.
        advanced: is told of bytes that were read, as they lie on the disk.
    """
    writers: defaultdict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in paths:
        name = named(path)
        writers[name[0] if name else str(path)].append((name[1] if name else 0, path))
    streams = [
        _of_writer(writer, [path for _, path in sorted(segments)], spoilt, advanced)
        for writer, segments in sorted(writers.items())
    ]
    return heapq.merge(*streams, key=lambda line: line.at)


def of_write(paths: Iterable[Path], write_id: str, spoilt: Spoilt) -> list[Record]:
    """Find the records of one write, in their order."""
    found: list[Line] = []
    name = write_id.encode()
    for path in paths:
        for line in _lines(path, spoilt, lambda _: None):
            read = _read(line, "") if name in line else ""
            if not isinstance(read, str) and read.record.get("write_id") == write_id:
                found.append(read)
    return [line.record for line in sorted(found, key=lambda line: line.at)]


def _of_writer(
    writer: str, paths: Sequence[Path], spoilt: Spoilt, advanced: Callable[[int], None]
) -> Iterator[Line]:
    latest = 0.0
    for path in paths:
        for number, line in enumerate(_lines(path, spoilt, advanced), 1):
            if _SENDING in line[:48]:
                continue
            read = _read(line, writer)
            if isinstance(read, str):
                spoilt.note(path, number, read)
                continue
            latest = max(latest, read.at)  # a clock that steps back changes no order
            yield read._replace(at=latest)


def _read(line: bytes, writer: str) -> Line | str:
    """Give a line's record, or why it is none."""
    if not line.endswith(b"\n"):
        return "torn: the line does not end"
    try:
        record = orjson.loads(line)
        if record["schema"] > SCHEMA:
            return f"schema {record['schema']} is newer than this gateway, which reads {SCHEMA}"
        at = float(record.get("logged", record["at"]))
        if record["kind"] == "decision":
            return Line(at, record, writer, decision=recorded(record))
        if record["kind"] == "outcome":
            str.encode(record["write_id"])
            return Line(at, record, writer, ended=_settlement(record))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "no audit record"
    return Line(at, record, writer)


def _settlement(record: Record) -> Settlement:
    post = record.get("post") or {}
    return Settlement(
        outcome=Outcome(record["outcome"]),
        post=post.get("id"),
        url=post.get("url"),
        answer=ANSWER if record.get("answer_kept") else None,
    )


def _lines(path: Path, spoilt: Spoilt, advanced: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        told, number = 0, 0
        try:
            for number, line in enumerate(_unpacked(file, packed=packed), 1):
                yield line
                if number % 500 == 0:
                    told = _tell(file, told, advanced)
        except (EOFError, OSError, zlib.error) as error:
            spoilt.note(path, number + 1, f"cannot be read on: {error}")
        _tell(file, told, advanced)


def _unpacked(file: BinaryIO, *, packed: bool) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def _tell(file: BinaryIO, told: int, advanced: Callable[[int], None]) -> int:
    # `tell` of a buffered file that is iterated is right, if late by a buffer at most.
    now = file.tell()
    advanced(now - told)
    return now
