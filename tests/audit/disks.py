"""A disk that fails when told, a clock that stands, and what a log holds."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter, deque
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.chain import Chain
from gateway.audit.key import only
from gateway.audit.segments import lines, segments
from gateway.audit.sinks import Disk, FileSink, Sink
from gateway.audit.writer import AuditWriter
from gateway.model import Decision, Effect, Finding, Mode, Result, Violation
from tests.patience import PATIENCE

KEY = b"k" * 64
KEYS = only(KEY)
NOW = 1_795_000_000.0
ALLOW = Decision(effect=Effect.ALLOW, revision="rev-1", findings=())
REFUSE = Decision(
    effect=Effect.REFUSE,
    revision="rev-1",
    findings=(
        Finding(
            rule="cap",
            check="rate_cap",
            mode=Mode.ENFORCE,
            result=Result.FAIL,
            violation=Violation(code="rate_cap", status=429, message="Used up."),
        ),
    ),
)


class StoppedClock:
    """Always the same instant."""

    def now(self) -> float:
        """As `ports.Clock.now`."""
        return NOW


class Faulty:
    """The disk's calls, with faults for the next of each.

    `writes` are errors, or the numbers of bytes that a write takes, or None; `syncs` are errors. `synced`
    counts the syncs of each file. A sync announces itself with `syncing` and waits for `may_sync`.
    """

    def __init__(self) -> None:
        self.writes: deque[OSError | int | None] = deque()
        self.syncs: deque[OSError] = deque()
        self.synced: Counter[str] = Counter()
        self.lines = 0
        self.written = threading.Semaphore(0)
        self.syncing = threading.Semaphore(0)
        self.may_sync = threading.Event()
        self.may_sync.set()

    @property
    def disk(self) -> Disk:
        """As a sink takes it."""
        return Disk(write=self._write, sync=self._sync)

    def _write(self, fd: int, line: bytes) -> int:
        fault = self.writes.popleft() if self.writes else None
        if isinstance(fault, OSError):
            raise fault
        taken = os.write(fd, line if fault is None else line[:fault])
        self.lines += fault is None
        self.written.release()
        return taken

    def _sync(self, fd: int) -> None:
        self.syncing.release()
        assert self.may_sync.wait(PATIENCE)
        self.synced[Path(f"/proc/self/fd/{fd}").readlink().name] += 1
        if self.syncs:
            raise self.syncs.popleft()
        os.fdatasync(fd)


def io_error() -> OSError:
    """What a broken disk says."""
    return OSError(errno.EIO, "Input/output error")


def no_space() -> OSError:
    """What a full disk says."""
    return OSError(errno.ENOSPC, "No space left on device")


def a_sink(folder: Path, faulty: Faulty | None = None, **changes: Any) -> FileSink:
    """A file sink of writer `w`."""
    return FileSink(folder, "w", disk=faulty.disk if faulty else None, **changes)


def a_log(*sinks: Sink, durable_within: float = PATIENCE) -> AuditWriter:
    """A log of writer `w` over sinks."""
    return AuditWriter(sinks, Chain(KEY, "w"), StoppedClock(), durable_within=durable_within)


def raw(folder: Path) -> list[bytes]:
    """The whole lines of writer `w`."""
    return list(lines(segments(folder)["w"]))


def told(folder: Path) -> list[dict[str, Any]]:
    """The records of writer `w`."""
    return [orjson.loads(line) for line in raw(folder)]


def kinds(folder: Path) -> list[str]:
    """What the records of writer `w` are about, in order."""
    return [each.get("event") or each["kind"] for each in told(folder)]
