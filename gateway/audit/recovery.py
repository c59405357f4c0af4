"""After a crash: what the dead process's log says about the writes it had in flight.

A writer that closed ended with `audit.closed`; one that lives holds a lock on its segment. What is
left died, and its open decisions are closed here, in its own chain: `unknown` where a write may
have begun to go upstream, `not_sent` where it cannot have.

What had its outcome on record is told as well, the newest of it: the process may have died before
state heard of it, and would leave a published post as one that may be sent again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import record
from gateway.audit.chain import Chain
from gateway.audit.record import Record
from gateway.audit.segments import lines, number_of, segment, segments
from gateway.audit.sinks import FileSink
from gateway.errors import AuditError
from gateway.model import Effect, Outcome

_TAIL = 4096
_ENDED_AT_MOST = 1000
"""Far more than a process can have had in flight to state when it died."""
_CLOSED = b'"event":"audit.closed"'


@dataclass(frozen=True, slots=True)
class Recovered:
    """A write whose process died, and what is certain of it.

    `was_open` where it had no outcome on record. `post` and `url` as in `Settlement`.
    """

    write_id: str
    outcome: Outcome
    was_open: bool = True
    post: str | None = None
    url: str | None = None


def recover(directory: Path, key: bytes, at: float) -> tuple[Recovered, ...]:
    """Close what dead writers left open in a directory, durably; give what state may not know.

    Only the segments of writers that did not close are read.

    Args:
        key: of the chain.
        at: the instant to record.

    Raises:
        AuditError: the log cannot be read or written.
    """
    if not directory.is_dir():
        return ()
    try:
        return tuple(
            found
            for writer, paths in segments(directory).items()
            for found in _close(directory, writer, paths, key, at)
        )
    except OSError as error:
        raise AuditError(f"{directory} cannot be recovered: {error.strerror}") from error


def _close(
    directory: Path, writer: str, paths: Sequence[Path], key: bytes, at: float
) -> Iterator[Recovered]:
    number = number_of(paths[-1]) + 1
    with _claimed(paths[-1]) as died:
        # Another start may have closed it between our listing and our claim.
        if not died or _closed(paths[-1]) or segment(directory, writer, number).exists():
            return
        chain = Chain(key, writer)
        left, ended = _read(paths, chain)
        recovered = [
            Recovered(write_id, Outcome.UNKNOWN if sent else Outcome.NOT_SENT)
            for write_id, sent in left.items()
        ]
        endings = [record.recovered(each.write_id, each.outcome, at) for each in recovered]
        endings.append(record.admin("audit.closed", at, recovered=len(recovered)))
        try:
            _append(FileSink(directory, writer, first=number), chain, endings)
        except AuditError:
            _forget_empty(segment(directory, writer, number))
            raise
    yield from recovered
    yield from ended


def _append(sink: FileSink, chain: Chain, endings: Iterable[Record]) -> None:
    with contextlib.closing(sink):  # a lock that stays would keep the next try away
        for ending in endings:
            line = chain.line(ending)
            sink.append(line)
            chain.advance(line)
        sink.sync()


def _forget_empty(path: Path) -> None:
    """Remove a segment in which nothing could be written: the next try makes its own."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Hold a writer's last segment; false where the writer, or another start, holds it."""
    fd = os.open(path, os.O_RDWR)
    try:
        yield _locked(fd)
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _closed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    last = tail.splitlines()[-1:]
    return tail.endswith(b"\n") and _CLOSED in last[0]


def _read(paths: Sequence[Path], chain: Chain) -> tuple[Mapping[str, bool], Iterable[Recovered]]:
    """Find the writes without an outcome, and whether each began to be sent; moves the chain.

    With them the newest that ended, oldest first.
    """
    left: dict[str, bool] = {}
    ended: deque[Recovered] = deque(maxlen=_ENDED_AT_MOST)
    for line in lines(paths):
        try:
            told = orjson.loads(line)
            chain.seq, chain.prev = told["seq"], told["mac"]
            kind, write_id, effect = told["kind"], told.get("write_id"), told.get("effect")
            if (end := _end(told)) is not None:
                ended.append(end)
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # spoilt afterwards, which the chain shows; the others still count
        if kind == "decision" and effect == Effect.ALLOW:
            left[write_id] = False
        elif kind == "sending":
            left[write_id] = True
        elif kind == "outcome":
            left.pop(write_id, None)
    return left, ended


def _end(told: Mapping[str, Any]) -> Recovered | None:
    """What a record says of a write that ended; a decision ends one that it does not let pass."""
    if told["kind"] == "decision" and told["effect"] in (Effect.REFUSE, Effect.HOLD):
        return Recovered(told["write_id"], Outcome.NOT_SENT, was_open=False)
    if told["kind"] != "outcome":
        return None
    post = told.get("post") or {}
    return Recovered(
        told["write_id"],
        Outcome(told["outcome"]),
        was_open=False,
        post=post.get("id"),
        url=post.get("url"),
    )
