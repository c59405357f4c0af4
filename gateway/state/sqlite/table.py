"""The table of prints in a file beside the database, which every process of the machine maps.

Its place on the disk is taken when it is made: a mapped file that finds no room ends its process. It
is never cut or grown; another one takes its name, and whoever has the old one goes on with that, as
with a database that was replaced.

Whoever has it open holds a shared lock on it. So a process that gets the lock for itself knows that
nobody else has it.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from pathlib import Path
from struct import Struct

from gateway.state.print_rows import HEAD
from gateway.state.prints import PrintTable, rows_for, table_size

_KIND = b"prints 1"
_HEAD = Struct("=8sIII16s")  # kind, rows, kept for alignment, synced, epoch
_SYNCED = Struct("=I")
_SYNCED_AT = 16
_MAPPED = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
"""Where the kernel can, pages are mapped at the start and not by the first writes."""


class MappedTable:
    """A table, mapped; `alone` tells that no other process had it open."""

    def __init__(self, path: Path, posts: int, epoch: str) -> None:
        """Map the file, or a new one where there is none for this data and size.

        Args:
            path: of the file.
            posts: that it remembers. Where others have it open it stays as it is.
            epoch: of the database that its numbers are of.

        Raises:
            OSError: there is no room for it, or it cannot be opened.
        """
        self._descriptor, rows, self.alone = _opened(path, rows_for(posts), epoch)
        try:
            self._memory = mmap.mmap(self._descriptor, table_size(rows), flags=_MAPPED)
        except OSError:
            os.close(self._descriptor)
            raise
        self.prints = PrintTable(self._memory)

    @property
    def synced(self) -> int:
        """The number up to which all posts are on the disk."""
        return int(_SYNCED.unpack_from(self._memory, _SYNCED_AT)[0])

    def sync(self, last: int) -> None:
        """Put it on the disk; `last` was the newest number before. Others may go on meanwhile."""
        os.fsync(self._descriptor)
        _SYNCED.pack_into(self._memory, _SYNCED_AT, last)

    def close(self) -> None:
        """Let it go; closing again is nothing."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self._descriptor)


def _opened(path: Path, rows: int, epoch: str) -> tuple[int, int, bool]:
    """Give a descriptor that holds the shared lock, its rows, and whether nobody else has it."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        found, alone = _rows(descriptor, epoch), _is_alone(descriptor)
        if found and (found == rows or not alone):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            return descriptor, found, alone
        os.close(descriptor)
    return _made(path, rows, epoch), rows, True


def _rows(descriptor: int, epoch: str) -> int:
    """Give the rows of a file; 0 where it is no table of this data."""
    head = os.pread(descriptor, _HEAD.size, 0).ljust(_HEAD.size, b"\0")
    kind, rows, _, _, of = _HEAD.unpack(head)
    if kind != _KIND or of != epoch.encode():
        return 0
    return int(rows) if os.fstat(descriptor).st_size == table_size(rows) else 0


def _is_alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _made(path: Path, rows: int, epoch: str) -> int:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, table_size(rows))
        os.pwrite(descriptor, _HEAD.pack(_KIND, rows, 0, 0, epoch.encode()), 0)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        unfinished.replace(path)
    except OSError:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)
        raise
    return descriptor


assert _HEAD.size <= HEAD
