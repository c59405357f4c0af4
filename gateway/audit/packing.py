"""Segments that are complete are compressed, so that a crash at any moment loses nothing.

The packed file is written beside, made durable and named; only then the other goes. Where both are
there, readers take the one that was written first.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.audit.segments import PACKED, locked, segments, sync_directory

_PIECE = 256 * 1024


def complete(directory: Path) -> Iterator[Path]:
    """Give the segments that are not packed, and after which their writer began another."""
    for paths in segments(directory).values():
        yield from (path for path in paths[:-1] if path.suffix != PACKED)


def pack(path: Path, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Compress a complete segment; false where its writer still has it, or we are to stop.

    Raises:
        OSError: it cannot be read or written; the segment is as it was.
    """
    packed = path.with_name(path.name + PACKED)
    unfinished = path.with_name(f".{packed.name}.part")
    with locked(path) as ours:
        if not ours:
            return False
        try:
            if not _compress(path, unfinished, is_stopping):
                return False
            unfinished.replace(packed)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_directory(path.parent)
        path.unlink()
        sync_directory(path.parent)
    return True


def _compress(path: Path, into: Path, is_stopping: Callable[[], bool]) -> bool:
    fd = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with path.open("rb") as source, os.fdopen(fd, "wb") as file:
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packing:
            while piece := source.read(_PIECE):
                if is_stopping():
                    return False
                packing.write(piece)
        file.flush()
        os.fsync(fd)
    return True
