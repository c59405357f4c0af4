"""After a crash: what the dead process's log says about the writes it had in flight.

A writer that closed ended with `audit.closed`; one that lives holds a lock on its segment. What is
left died, and its open decisions are closed here, in its own chain: `unknown` where a write may
have begun to go upstream, `not_sent` where it cannot have.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.audit import record
from gateway.audit.chain import Chain
from gateway.audit.sinks import FileSink
from gateway.errors import AuditError
from gateway.model import Effect, Outcome

_SEGMENT = re.compile(r"audit-(.+)-(\d{6})\.jsonl")


@dataclass(frozen=True, slots=True)
class Recovered:
    """A write that was open when its process died, and what is certain of it."""

    write_id: str
    outcome: Outcome


def recover(directory: Path, key: bytes, at: float) -> tuple[Recovered, ...]:
    """Close what dead writers left open in a directory, durably.

    Raises:
        AuditError: the log cannot be read or written.
    """
    if not directory.is_dir():
        return ()
    try:
        return tuple(
            found
            for writer, segments in _writers(directory).items()
            for found in _close(directory, writer, segments, key, at)
        )
    except OSError as error:
        raise AuditError(f"{directory} cannot be recovered: {error.strerror}") from error


def _writers(directory: Path) -> dict[str, list[Path]]:
    writers: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(directory.iterdir()):
        if found := _SEGMENT.fullmatch(path.name):
            writers[found[1]].append(path)
    return writers


def _close(
    directory: Path, writer: str, segments: list[Path], key: bytes, at: float
) -> Iterator[Recovered]:
    if _lives(segments[-1]) or _closed(segments[-1]):
        return
    allowed: dict[str, bool] = {}  # by write id, whether it began to be sent
    chain = Chain(key, writer)
    for told in _records(segments):
        chain.seq, chain.prev = told["seq"], told["mac"]
        if told["kind"] == "decision" and told["effect"] == Effect.ALLOW:
            allowed[told["write_id"]] = False
        elif told["kind"] == "sending":
            allowed[told["write_id"]] = True
        elif told["kind"] == "outcome":
            allowed.pop(told["write_id"], None)
    found = _SEGMENT.fullmatch(segments[-1].name)
    assert found is not None
    sink = FileSink(directory, writer, int(found[2]) + 1)
    recovered = [
        Recovered(write_id, Outcome.UNKNOWN if sent else Outcome.NOT_SENT)
        for write_id, sent in allowed.items()
    ]
    endings = [record.recovered(each.write_id, each.outcome, at) for each in recovered]
    for ending in (*endings, record.admin("audit.closed", at, recovered=len(endings))):
        line = chain.line(ending)
        sink.append(line)
        chain.advance(line)
    sink.sync()
    sink.close()
    yield from recovered


def _lives(segment: Path) -> bool:
    fd = os.open(segment, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _closed(segment: Path) -> bool:
    with segment.open("rb") as file:
        file.seek(max(0, segment.stat().st_size - 4096))
        lines = file.read().splitlines()
    return bool(lines) and b'"event":"audit.closed"' in lines[-1]


def _records(segments: list[Path]) -> Iterator[record.Record]:
    """Read whole lines; a torn one is what a crash or a full disk left."""
    for segment in segments:
        with segment.open("rb") as file:
            for line in file:
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
