"""Old records go, a segment at a time, and the rest still verifies.

A record `audit.cut` says, before anything is removed, after which record each chain begins from now
on. Each says so of every writer that is left, so that the newest is enough, and it is never among
what is removed. Of whom no record is left, the line of the people file goes as well: a record
`people.erased` says how many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.chain import Head
from gateway.audit.people import Pseudonyms
from gateway.audit.recovery import CLOSED
from gateway.audit.segments import last_line, locked, raw_lines, segments, sync_directory
from gateway.errors import AuditError

EVENT = "audit.cut"
_LOCK = ".upkeep.lock"
_LATE_AT_MOST = 86_400.0
"""Seconds by which a record may come later into the log than its person was told, or clocks differ."""

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Cut:
    """What of a writer goes, the record after which its chain begins then, and whether any is left."""

    goes: Sequence[Path]
    begins: Head
    is_left: bool = True


def cut(directory: Path, before: float, tell_durably: Tell) -> int:
    """Remove the segments whose records are all older than an instant; gives how many went.

    The caller is `alone` with the directory.

    Args:
        before: Unix seconds.
        tell_durably: records an event with its facts; raises where that is not durable.

    Raises:
        AuditError: it could not be recorded, and nothing was removed.
        OSError: a segment cannot be read or removed.
    """
    with locked(directory, wait=True):  # no start may go on with a writer that goes
        cuts = {
            writer: found
            for writer, paths in segments(directory).items()
            if (found := _cut(paths, before)) is not None
        }
        gone = [path for each in cuts.values() for path in each.goes]
        if gone:
            tell_durably("audit.cut", before=before, segments=len(gone), writers=_told(cuts))
            for path in gone:
                path.unlink(missing_ok=True)
            sync_directory(directory)
        return len(gone)


def erase_people(
    directories: Sequence[Path], before: float, people: Pseudonyms, tell_durably: Tell
) -> int:
    """Erase the lines of those of whom no record is left; gives how many went.

    Who was told before the oldest record that is left, in whichever directory, stands in none: a
    file that was not cut for its newer records keeps whom its older ones name. A day more is left.
    The caller is `alone` with the directories; records may be written meanwhile.

    Args:
        before: Unix seconds; records from then on are not cut.
        tell_durably: as of `cut`.

    Raises:
        AuditError: a segment is damaged, or it could not be recorded; nothing was erased.
        OSError: a directory cannot be read.
    """
    if not people.older(before - _LATE_AT_MOST):  # the common case, without a look at the files
        return 0
    oldest = min((at for each in directories for at in _begins(each)), default=0.0)
    before = min(before, oldest) - _LATE_AT_MOST
    if count := people.older(before):
        tell_durably("people.erased", before=before, count=count)
        return people.erase_older(before)
    return 0


@contextlib.contextmanager
def alone(*directories: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the upkeep of directories; false where another process holds one, unless we wait."""
    with contextlib.ExitStack() as held:
        for directory in directories:
            lock = directory / _LOCK
            lock.touch(mode=0o600)
            if not held.enter_context(locked(lock, wait=wait)):
                yield False
                return
        yield True


def _begins(directory: Path) -> Iterator[float]:
    """Give the instant of the first record of each writer."""
    for paths in segments(directory).values():
        first = next((found for path in paths if (found := _first(path))), None)
        if first is not None:
            yield _at(first)


def _cut(paths: Sequence[Path], before: float) -> _Cut | None:
    """Say what of a writer goes; None where all is left that ever was there."""
    ended = _ended(paths[-1])
    if ended is not None and _at(ended) < before:
        return _Cut(paths, Head(ended["seq"], ended["mac"]), is_left=False)
    goes = 0
    begins = Head()
    for index, path in enumerate(paths):
        first = _first(path)
        if first is None:
            continue
        if index and _at(first) >= before:
            break
        goes, begins = index, Head(first["seq"] - 1, first["prev"])
    return _Cut(paths[:goes], begins) if begins.seq else None


def _ended(path: Path) -> dict[str, Any] | None:
    """Give the last record of a writer that ended; None for one that lives, or died."""
    with locked(path) as ended:
        last = last_line(path) if ended else None
    return _read(path, last) if last is not None and CLOSED in last else None


def _first(path: Path) -> dict[str, Any] | None:
    """Give the first record of a segment; None where there is none."""
    line = next((line.raw for line in raw_lines([path]) if line.raw.endswith(b"\n")), None)
    return None if line is None else _read(path, line)


def _read(path: Path, line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
        _at(told), told["seq"] - 1, told["mac"], told["prev"]
    except (ValueError, LookupError, TypeError) as error:
        raise AuditError(f"{path} is damaged, so nothing is cut: verify the log") from error
    found: dict[str, Any] = told
    return found


def _at(record: dict[str, Any]) -> float:
    return float(record.get("logged", record["at"]))


def _told(cuts: dict[str, _Cut]) -> dict[str, dict[str, Any]]:
    return {
        writer: {"seq": cut.begins.seq, "mac": cut.begins.mac}
        | ({} if cut.is_left else {"left": False})
        for writer, cut in cuts.items()
    }
