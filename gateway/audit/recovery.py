"""After a crash: what the dead process's log says about the writes it had in flight.

A writer that closed ended with `audit.closed`; one that lives holds a lock on its segment. What is
left died, and its open decisions are closed here, in its own chain: `unknown` where a write may
have begun to go upstream, `not_sent` where it cannot have. What of a line was torn at the end is
recorded too.

What had its outcome on record is told as well, the newest of it: the process may have died before
state heard of it, and would leave a published post as one that may be sent again.

A start goes on with the chain of a writer that ended, so that what one process wrote is bound to
what the next one writes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import record
from gateway.audit.chain import Chain, Head, after, begun, resumed
from gateway.audit.key import Keys
from gateway.audit.record import Record
from gateway.audit.segments import (
    PACKED,
    last_line,
    locked,
    number_of,
    raw_lines,
    segment,
    segments,
)
from gateway.audit.sinks import FileSink
from gateway.errors import AuditError
from gateway.model import Effect, Outcome

_ENDED_AT_MOST = 1000
"""Far more than a process can have had in flight to state when it died."""
_IN_FLIGHT_AT_MOST = 86_400.0
"""Seconds before a process's last line, far more than any write is without its outcome."""
CLOSED, OPENED = b'"event":"audit.closed"', b'"event":"audit.opened"'


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


def recover(directory: Path, keys: Keys, at: float) -> tuple[Recovered, ...]:
    """Close what dead writers left open in a directory, durably; give what state may not know.

    Only the segments of writers that did not close are read, the last of them.

    Args:
        keys: of the chain.
        at: the instant to record.

    Raises:
        AuditError: the log cannot be read or written, or a newer gateway wrote there.
    """
    if not directory.is_dir():
        return ()
    try:
        written = segments(directory)
        for paths in written.values():
            _refuse_newer(paths[-1])
        return tuple(
            found
            for writer, paths in written.items()
            for found in _close(directory, writer, paths, keys, at)
        )
    except OSError as error:
        raise AuditError(f"{directory} cannot be recovered: {error.strerror}") from error


def continued(directories: Sequence[Path], host: str, keys: Keys) -> Chain | None:
    """Give the chain of a writer of this host that ended, in all directories with the same line.

    None where there is none. The directories must be locked against other starts.

    Raises:
        AuditError: the log cannot be read.
    """
    if not directories or not all(map(Path.is_dir, directories)):
        return None
    try:
        found = [segments(directory) for directory in directories]
        for writer in found[0]:
            if writer.rpartition("-")[0] != host or not all(writer in each for each in found):
                continue
            last = {_end_of(each[writer]) for each in found}
            line = last.pop()
            ended = not last and line is not None and CLOSED in line
            if ended and line and (chain := resumed(writer, line, keys)):
                return chain
    except OSError as error:
        raise AuditError(f"the audit log cannot be read: {error}") from error
    return None


def _refuse_newer(path: Path) -> None:
    """Raise where a segment is of a newer schema: what its records ask of us is not known."""
    first = next((line.raw for line in raw_lines([path])), b"")
    schema = _told(first).get("schema", 0)
    if schema > record.SCHEMA:
        raise AuditError(
            f"{path} was written by a newer gateway: its schema is {schema}, and this one knows "
            f"{record.SCHEMA}; start the newer one, or give this one a directory of its own"
        )


def _end_of(paths: Sequence[Path]) -> bytes | None:
    """Give the last line of a writer, or None while it lives."""
    with locked(paths[-1]) as ended:
        if not ended:
            return None
        return next(filter(None, map(last_line, reversed(paths))), None)


def _close(
    directory: Path, writer: str, paths: Sequence[Path], keys: Keys, at: float
) -> Iterator[Recovered]:
    number = number_of(paths[-1]) + 1
    if paths[-1].suffix == PACKED:  # only what is closed is packed
        return
    with locked(paths[-1]) as died:
        # Another start may have closed it between our listing and our claim.
        if not died or _closed(paths[-1]) or segment(directory, writer, number).exists():
            return
        log = _Left(writer, keys)
        for path in _since_opened(paths):
            log.read(path)
        recovered = [
            Recovered(write_id, Outcome.UNKNOWN if sent else Outcome.NOT_SENT)
            for write_id, sent in log.open.items()
        ]
        endings = [record.recovered(each.write_id, each.outcome, at) for each in recovered]
        if log.torn:
            endings.append(record.admin("audit.torn", at, torn=log.torn))
        endings.append(record.admin("audit.closed", at, recovered=len(recovered)))
        try:
            _append(FileSink(directory, writer), log.chain(), endings)
        except AuditError:
            _forget_empty(segment(directory, writer, number))
            raise
    yield from recovered
    yield from log.ended


def _append(sink: FileSink, chain: Chain, endings: Iterable[Record]) -> None:
    with contextlib.closing(sink):  # a lock that stays would keep the next try away
        sink.append(chain.lines(map(orjson.dumps, endings)))
        sink.sync()


def _forget_empty(path: Path) -> None:
    """Remove a segment in which nothing could be written: the next try makes its own."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def _closed(path: Path) -> bool:
    """Whether a segment ends with the end of its writer, and nothing torn after it."""
    last = last_line(path)
    return last is not None and CLOSED in last and _ends_whole(path)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"


def _since_opened(paths: Sequence[Path]) -> Sequence[Path]:
    """Give the last segments, in which all lies that can be open."""
    ends = _instant(next(filter(None, map(last_line, reversed(paths))), b""))
    for index in range(len(paths) - 1, 0, -1):
        first = next((line.raw for line in raw_lines([paths[index]])), b"")
        begins = _instant(first)
        old = ends is not None and begins is not None and begins < ends - _IN_FLIGHT_AT_MOST
        if OPENED in first or old:
            return paths[index:]
    return paths


def _instant(line: bytes) -> float | None:
    at = _told(line).get("at")
    return float(at) if isinstance(at, int | float) else None


def _told(line: bytes) -> dict[str, Any]:
    """Read a record; nothing where it is none."""
    try:
        told = orjson.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class _Left:
    """What a dead writer left.

    Attributes:
        open: its writes without an outcome, and whether each began to be sent.
        ended: the newest that ended, oldest first.
        torn: what was torn at the ends of its segments.
    """

    def __init__(self, writer: str, keys: Keys) -> None:
        self._writer = writer
        self._keys = keys
        self._head = Head()
        self._last = b""
        self.open: dict[str, bool] = {}
        self.ended: deque[Recovered] = deque(maxlen=_ENDED_AT_MOST)
        self.torn: list[Record] = []

    def chain(self) -> Chain:
        """Give its chain, to go on with."""
        if not self._last:
            return begun(self._writer, self._keys)
        return resumed(self._writer, self._last, self._keys) or after(
            self._writer, self._head, self._keys
        )

    def read(self, path: Path) -> None:
        """Read a segment."""
        for line in raw_lines([path]):
            if line.raw.endswith(b"\n"):
                self._take(line.raw)
            else:
                self.torn.append(torn(path, line.raw))

    def _take(self, line: bytes) -> None:
        try:
            told = orjson.loads(line)
            self._head = Head(told["seq"], told["mac"])
            self._last = line
            kind, write_id, effect = told["kind"], told.get("write_id"), told.get("effect")
            if (end := _end(told)) is not None:
                self.ended.append(end)
        except (LookupError, TypeError, ValueError, AttributeError):
            return  # spoilt afterwards, which the chain shows; the others still count
        if kind == "decision" and effect == Effect.ALLOW:
            self.open[write_id] = False
        elif kind == "sending":
            self.open[write_id] = True
        elif kind == "outcome":
            self.open.pop(write_id, None)


def torn(path: Path, left: bytes) -> Record:
    """Describe what was torn at the end of a segment, so that it can be told from a change."""
    name = path.name.removesuffix(PACKED)
    return {"segment": name, "bytes": len(left), "sha256": hashlib.sha256(left).hexdigest()}


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
