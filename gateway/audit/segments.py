"""The files of a directory sink: their names, and how they are read, packed by gzip or not.

A line that does not end is torn: what a crash or a full disk left of it. Nobody was told that it
was recorded.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import re
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from gateway.errors import AuditError

_NAME = re.compile(r"audit-(.+)-(\d{6,})\.jsonl(?:\.gz)?")
PACKED = ".gz"
_MAGIC = b"\x1f\x8b"
_REACH = 8192
"""Bytes at the end of a file that are looked at first for its last line."""
_TOLD_EVERY = 500
"""Lines between two words on how far reading has come."""


class Line(NamedTuple):
    """A line as it lies in a file, with its line break unless it is torn."""

    path: Path
    number: int
    raw: bytes


def segment(directory: Path, writer: str, number: int) -> Path:
    """Give the path of a writer's segment, counted from 1."""
    return directory / f"audit-{writer}-{number:06d}.jsonl"


def named(path: Path) -> tuple[str, int] | None:
    """Give the writer and the number of a segment, packed or not; None for other files."""
    found = _NAME.fullmatch(path.name)
    return (found[1], int(found[2])) if found else None


def number_of(path: Path) -> int:
    """Give the number of a segment."""
    found = named(path)
    assert found is not None, path
    return found[1]


def segments(directory: Path) -> Mapping[str, tuple[Path, ...]]:
    """Find the segments of a directory, by writer, oldest first.

    Where one lies there packed and as it was written, packing it was cut short: the latter counts.
    """
    return of_writers(sorted(directory.iterdir(), key=lambda path: path.name))


def of_writers(paths: Iterable[Path]) -> Mapping[str, tuple[Path, ...]]:
    """Sort segments by writer and number; what else is among the paths is left out."""
    found: defaultdict[str, dict[int, Path]] = defaultdict(dict)
    for path in paths:
        if name := named(path):
            other = found[name[0]].get(name[1])
            if other is None or other.suffix == PACKED:
                found[name[0]][name[1]] = path
    return {
        writer: tuple(path for _, path in sorted(found[writer].items())) for writer in sorted(found)
    }


def raw_lines(
    paths: Iterable[Path], advanced: Callable[[int], None] = lambda _: None
) -> Iterator[Line]:
    """Read the lines of files one after the other, what is torn among them.

    Args:
        advanced: is told of bytes that were read, as they lie on the disk.

    Raises:
        AuditError: a file cannot be read on; its message names the file and the line.
    """
    for path in paths:
        number = 0
        try:
            with _opened(path) as file:
                told = 0
                for number, raw in enumerate(_unpacked(file), 1):
                    yield Line(path, number, raw)
                    if number % _TOLD_EVERY == 0:
                        # Of a buffered file that is iterated it is late by a buffer at most.
                        now = file.tell()
                        advanced(now - told)
                        told = now
                advanced(file.tell() - told)
        except (EOFError, OSError, zlib.error) as error:
            told_why = getattr(error, "strerror", None) or error
            raise AuditError(f"{path}:{number + 1}: cannot be read on: {told_why}") from error


def lines(paths: Iterable[Path]) -> Iterator[bytes]:
    """Read the whole lines of segments, in order, leaving out what is torn."""
    return (line.raw for line in raw_lines(paths) if line.raw.endswith(b"\n"))


def last_line(path: Path) -> bytes | None:
    """Give the last whole line of a segment without reading all of it; None where there is none."""
    if path.suffix == PACKED:
        return next(iter(deque(lines([path]), maxlen=1)), None)
    with path.open("rb") as file:
        end = reach = file.seek(0, os.SEEK_END)
        tail = b""
        while reach and tail.count(b"\n", 0, tail.rfind(b"\n")) < 1:
            reach = max(0, reach - max(_REACH, len(tail)))
            file.seek(reach)
            tail = file.read(end - reach)
    whole = tail[: tail.rfind(b"\n") + 1]
    return whole[whole.rfind(b"\n", 0, -1) + 1 :] or None


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a segment or a directory; false where somebody else holds it.

    A writer holds that of its segment while it lives, a start that of the directory.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _opened(path: Path) -> BinaryIO:
    """Open a segment, also one that was packed since its directory was listed."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if path.suffix == PACKED:
            raise
        return path.with_name(path.name + PACKED).open("rb")


def _unpacked(file: BinaryIO) -> BinaryIO:
    packed = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
