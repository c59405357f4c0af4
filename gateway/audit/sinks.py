"""Where audit lines go. A new sink is a class here and a line in `SINKS`."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from gateway.errors import AuditError

SEGMENT_BYTES = 64 * 2**20
REOPEN_SECONDS = 0.5
"""After a failure the next file is tried no sooner."""


class Sink(Protocol):
    """Takes whole lines in order. `append` and `sync` may run in two threads."""

    def append(self, line: bytes) -> None:
        """Hand a line to the operating system: it survives kill -9. Raises `AuditError`."""

    def sync(self) -> None:
        """Make what was appended before durable. Raises `AuditError`."""

    def close(self) -> None:
        """Give back what is held open."""


class FileSink:
    """Segments `audit-<writer>-<n>.jsonl` in a directory, each locked while it is written.

    A segment whose write or sync failed is sealed: nobody knows what of it is on the disk, and a
    second sync would say that all is well (PostgreSQL's "fsyncgate"). The next line opens the
    next segment.
    """

    def __init__(self, directory: Path, writer: str, first: int = 1) -> None:
        self._directory = directory
        self._writer = writer
        self._next = first
        self._fd: int | None = None
        self._size = 0
        self._retired: list[int] = []
        self._sealed = False
        self._not_before = 0.0
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open()
        except OSError as error:
            raise AuditError(f"{directory} cannot be written: {error.strerror}") from error

    def append(self, line: bytes) -> None:
        """Write one line; on any doubt the segment is sealed."""
        with self._lock:
            if self._fd is not None and self._size + len(line) > SEGMENT_BYTES:
                self._retired.append(self._fd)
                self._fd = None
            if self._fd is None:
                self._reopen()
            assert self._fd is not None
            try:
                written = os.write(self._fd, line)
            except OSError as error:
                self._seal()
                raise AuditError(f"the audit log cannot be written: {error.strerror}") from error
            self._size += written
            if written != len(line):
                self._seal()
                raise AuditError("the audit log took a part of a line only")

    def sync(self) -> None:
        """Sync what is open and what was rotated away; fails once for what was sealed."""
        with self._lock:
            sealed, self._sealed = self._sealed, False
            retired, self._retired = self._retired, []
            # A descriptor of our own: the segment may be sealed, and closed, while we sync.
            current = [os.dup(self._fd)] if self._fd is not None else []
        try:
            for fd in (*retired, *current):
                os.fdatasync(fd)
        except OSError as error:
            with self._lock:
                self._seal()
                self._sealed = False
            raise AuditError(f"the audit log cannot be synced: {error.strerror}") from error
        finally:
            for fd in (*retired, *current):
                os.close(fd)
        if sealed:
            raise AuditError("a segment of the audit log failed before it was synced")

    def close(self) -> None:
        """Close every segment."""
        for fd in (*self._retired, *([self._fd] if self._fd is not None else [])):
            os.close(fd)
        self._retired = []
        self._fd = None

    def _open(self) -> None:
        path = self._directory / f"audit-{self._writer}-{self._next:06d}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(path, flags, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells a start that this writer lives
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)  # the name of a new file is durable with its directory alone
        finally:
            os.close(directory)
        self._fd, self._size = fd, 0
        self._next += 1

    def _reopen(self) -> None:
        if time.monotonic() < self._not_before:
            raise AuditError("the audit log failed a moment ago")
        try:
            self._open()
        except OSError as error:
            self._not_before = time.monotonic() + REOPEN_SECONDS
            raise AuditError(f"the audit log cannot be opened: {error.strerror}") from error

    def _seal(self) -> None:
        """Leave the segment as it is, for good. What of it waits for a sync has failed."""
        self._sealed = True
        self._not_before = time.monotonic() + REOPEN_SECONDS
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class StdoutSink:
    """Lines on standard output: as durable as whoever reads them, which nobody here can tell."""

    def append(self, line: bytes) -> None:
        """Write one line whole."""
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(1, view) :]
        except OSError as error:
            raise AuditError(f"standard output cannot be written: {error.strerror}") from error

    def sync(self) -> None:
        """Nothing more can be done for a pipe."""

    def close(self) -> None:
        """Standard output stays open."""


def _file(url: str, writer: str) -> Sink:
    return FileSink(Path(url.removeprefix("file://")), writer)


SINKS: Mapping[str, Callable[[str, str], Sink]] = {
    "file": _file,
    "stdout": lambda _url, _writer: StdoutSink(),
}


def open_sink(url: str, writer: str) -> Sink:
    """Open the sink that a URL names: `file:///directory` or `stdout:`.

    Raises:
        AuditError: it cannot be opened.
    """
    return SINKS[url.partition(":")[0]](url, writer)
