"""Where audit lines go. A new sink is a class here and a line in `SINKS`.

Laws: a line belongs to a `Segment`, and is durable when a `sync` that began after it ended and the
segment has not failed. A segment that failed is sealed: it is written and synced no more, for
nobody knows what of it is on the disk, and a second sync would say that all is well (PostgreSQL's
"fsyncgate"). Only `sync` opens, syncs and closes files; so only the thread that syncs ever waits
for a disk, and a failed sink works again as soon as it can.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

from gateway.audit.segments import number_of, segment, segments, sync_directory
from gateway.errors import AuditError

_STDOUT_LINES_AT_MOST = 10_000
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is followed by the next: at so many bytes, or after so many seconds."""

    size: int = 64 * 2**20
    age: float = 86_400.0


@dataclass(slots=True, eq=False)
class Segment:
    """A stretch of a sink's lines that lasts or fails together."""

    fd: int
    size: int = 0
    synced: int = 0
    failed: bool = False
    opened: float = 0.0


class NotTakenError(AuditError):
    """Not all lines were taken.

    Attributes:
        whole: how many, from the first, stand all the same.
    """

    def __init__(self, message: str, whole: int = 0) -> None:
        super().__init__(message)
        self.whole = whole


class Sink(Protocol):
    """Takes whole lines in order. `append` and `sync` may run in two threads."""

    def append(self, lines: Sequence[bytes]) -> Segment:
        """Hand lines to the operating system: they survive kill -9. Raises `NotTakenError`."""

    def sync(self) -> None:
        """Make what was appended before durable, or mark its segment as failed.

        Raises:
            AuditError: something failed, for those who count failures.
        """

    def free(self) -> int | None:
        """Give the bytes that are free where the lines go; None where nobody can tell."""

    def close(self) -> None:
        """Give back what is held open."""


def free_bytes(directory: Path) -> int:
    """Give the bytes of a disk that are free for this process."""
    told = os.statvfs(directory)
    return told.f_bavail * told.f_frsize


@dataclass(frozen=True, slots=True)
class Disk:
    """The calls that fail when a disk does, and the clock that files are rotated by."""

    write: Callable[[int, bytes], int] = os.write
    sync: Callable[[int], None] = os.fdatasync
    free: Callable[[Path], int] = free_bytes
    now: Callable[[], float] = monotonic


class FileSink:
    """Segments `audit-<writer>-<n>.jsonl` in a directory, each locked while it is written.

    They go on after those of this writer that are there already.
    """

    def __init__(
        self,
        directory: Path,
        writer: str,
        *,
        rotation: Rotation | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._rotation = rotation or Rotation()
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._retired: list[Segment] = []
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            there = segments(directory).get(writer)
            self._next = number_of(there[-1]) + 1 if there else 1
            self._current: Segment | None = self._open()
        except OSError as error:
            raise AuditError(f"{directory} cannot be written: {error.strerror}") from error

    def append(self, lines: Sequence[bytes]) -> Segment:
        """As `Sink.append`. A line that is written in part seals the segment, torn at its end."""
        together = b"".join(lines)
        with self._lock:
            current = self._current
            if current is None:
                raise NotTakenError("the audit log failed and cannot be reopened yet")
            try:
                written = self._disk.write(current.fd, together)
            except OSError as error:
                # A full disk took nothing: the segment is as it was, and goes on when there is
                # room. Opening another would leave one empty file after the other.
                if error.errno not in _NO_SPACE:
                    self._seal(current)
                raise NotTakenError(f"the audit log cannot be written: {error.strerror}") from error
            current.size += written
            if written != len(together):
                self._seal(current)
                whole = together.count(b"\n", 0, written)
                raise NotTakenError("the audit log took a part of a line only", whole)
            return current

    def sync(self) -> None:
        """As `Sink.sync`; opens the next segment where this one failed before, or is full."""
        failures = [self._open_next() if self._wants_next() else None]
        with self._lock:
            due, self._retired = self._retired, []
            current = [self._current] if self._current else []
        failures += [self._sync(each) for each in (*due, *current)]
        for each in due:
            os.close(each.fd)
        failure = next(filter(None, failures), None)
        if failure is not None:
            raise AuditError(f"the audit log cannot be synced: {failure.strerror}") from failure

    def free(self) -> int | None:
        """As `Sink.free`."""
        try:
            return self._disk.free(self._directory)
        except OSError:
            return None

    def close(self) -> None:
        """Close what is open; nothing is written any more."""
        for each in (*self._retired, *([self._current] if self._current else [])):
            os.close(each.fd)
        self._retired, self._current = [], None

    def _sync(self, due: Segment) -> OSError | None:
        size = due.size  # before the sync: what is appended meanwhile waits for the next one
        if due.failed or due.synced == size:
            return None
        try:
            self._disk.sync(due.fd)
        except OSError as error:
            with self._lock:
                self._seal(due)
            return error
        due.synced = size
        return None

    def _wants_next(self) -> bool:
        current = self._current
        if current is None or current.size >= self._rotation.size:
            return True
        return current.size > 0 and self._disk.now() - current.opened >= self._rotation.age

    def _open_next(self) -> OSError | None:
        try:
            opened = self._open()
        except OSError as error:
            return error
        with self._lock:  # lines go on without a gap: the new segment is there already
            if self._current is not None:
                self._retire(self._current)
            self._current = opened
        return None

    def _open(self) -> Segment:
        number, self._next = self._next, self._next + 1  # a name that failed is not tried again
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(segment(self._directory, self._writer, number), flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells a start that this writer lives
            sync_directory(self._directory)  # the name of a file is durable with its directory
        except OSError:
            os.close(fd)
            raise
        return Segment(fd, opened=self._disk.now())

    def _seal(self, failed: Segment) -> None:
        failed.failed = True
        self._retire(failed)

    def _retire(self, full: Segment) -> None:
        if full is self._current:
            self._current = None
            self._retired.append(full)


class StdoutSink:
    """Lines on standard output: as durable as whoever reads them, which nobody here can tell.

    Written by the thread that syncs, since a pipe that nobody reads stops its writer; so unlike a
    file, a killed process may not have written its last lines.
    """

    def __init__(self, fd: int = 1, write: Callable[[int, bytes], int] = os.write) -> None:
        self._write = write
        self._lines: deque[tuple[bytes, Segment]] = deque()
        self._current = Segment(fd)

    def append(self, lines: Sequence[bytes]) -> Segment:
        """As `Sink.append`, for as long as there is room before a slow reader."""
        if len(self._lines) + len(lines) > _STDOUT_LINES_AT_MOST:
            raise NotTakenError("nobody reads standard output")
        current = self._current
        self._lines.extend((line, current) for line in lines)
        return current

    def sync(self) -> None:
        """Write what waits, each line whole."""
        failed: OSError | None = None
        for _ in range(len(self._lines)):
            line, belongs = self._lines.popleft()
            try:
                self._write_whole(line)
            except OSError as error:
                belongs.failed, failed = True, error
                self._current = Segment(belongs.fd)
        if failed is not None:
            raise AuditError(f"standard output cannot be written: {failed.strerror}") from failed

    def free(self) -> int | None:
        """As `Sink.free`: nobody can tell."""
        return None

    def close(self) -> None:
        """Standard output stays open."""

    def _write_whole(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[self._write(self._current.fd, bytes(view)) :]


def _file(url: str, writer: str, rotation: Rotation) -> Sink:
    return FileSink(directory_of(url), writer, rotation=rotation)


SINKS: Mapping[str, Callable[[str, str, Rotation], Sink]] = {
    "file": _file,
    "stdout": lambda _url, _writer, _rotation: StdoutSink(),
}
"""By scheme, what opens a sink from a URL, a writer's name and when its files are rotated."""


def directory_of(url: str) -> Path:
    """Give the directory that `file:///directory` names."""
    return Path(url.removeprefix("file://"))


def open_sink(url: str, writer: str, rotation: Rotation | None = None) -> Sink:
    """Open the sink that a URL names: `file:///directory` or `stdout:`.

    Raises:
        AuditError: nothing is known by this name, or it cannot be opened.
    """
    scheme = url.partition(":")[0]
    if scheme not in SINKS:
        raise AuditError(f"{scheme}: is no audit sink; there are {', '.join(SINKS)}")
    return SINKS[scheme](url, writer, rotation or Rotation())
