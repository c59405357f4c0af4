"""What is done for a log beside writing it: checkpoints, packing, and what is too old to be kept.

A thread of its own, since each of these may wait for a disk. Nothing of it stops a write: what
fails is told, and tried again at the next turn.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import checkpoints, retention
from gateway.audit.chain import Head
from gateway.audit.checkpoints import Checkpoint, signed
from gateway.audit.key import Keys
from gateway.audit.packing import complete, pack
from gateway.audit.people import Pseudonyms
from gateway.audit.segments import PACKED, last_line, segments
from gateway.audit.sinks import directory_of
from gateway.audit.writer import AuditWriter
from gateway.errors import AuditError
from gateway.ports import Clock

_OTHERS_AT_MOST = 100
"""Other writers in one record."""
_PATIENCE = 5.0
"""Seconds that an end waits for what is being done."""


class Upkeep:
    """As `writer.Upkeep`, over the directories of a log.

    Each writer tells of itself elsewhere, and records in its own chain how far the other writers of
    its directory had come a turn ago, when what is read of them now was durable for sure: what is
    cut from one of their files, or a whole file that is gone, shows there.

    Args:
        tell: takes an event for the log, from any thread.
        checkpoints: where this writer's are told: `stdout:` and `file:///directory`.
        every: seconds from turn to turn.
        compress: whether complete segments are.
        retention: seconds after which records go; None for never.
        people: the file from which those go of whom no record is left; None where there is none.
            Not the one that records are made with, which must not wait for this.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        keys: Keys,
        clock: Clock,
        tell: Callable[..., None],
        *,
        checkpoints: Sequence[str],
        every: float,
        compress: bool = False,
        retention: float | None = None,
        people: Pseudonyms | None = None,
    ) -> None:
        self._directories = directories
        self._keys = keys
        self._clock = clock
        self._tell = tell
        self._checkpoints = checkpoints
        self._every = every
        self._compress = compress
        self._retention = retention
        self._people = people
        self._told = Head()
        self._seen: dict[str, tuple[Path, int, bytes]] = {}
        self._recorded: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="audit-upkeep", daemon=True)

    def start(self, log: AuditWriter) -> None:
        """As `writer.Upkeep.start`."""
        self._log = log
        self._thread.start()

    def stop(self) -> None:
        """As `writer.Upkeep.stop`."""
        self._stopping.set()
        self._thread.join(_PATIENCE)

    def checkpoint(self, head: Head) -> None:
        """As `writer.Upkeep.checkpoint`; nothing where it has come no further."""
        if head == self._told:
            return
        at = self._clock.now()
        told = signed(Checkpoint(writer=self._log.writer, head=head, at=at), self._keys)
        for place in self._checkpoints:
            try:
                if place == "stdout:":
                    self._tell("audit.checkpoint", **told)
                else:
                    checkpoints.append(directory_of(place), told)
            except OSError as error:
                self._failed(f"a checkpoint cannot be written to {place}: {error.strerror}")
                return
        self._told = head

    def turn(self) -> None:
        """Do once what is due."""
        self.checkpoint(self._log.durable)
        for directory in self._directories:
            with self._telling(directory):
                self._record_others(directory)
                with retention.alone(directory) as alone:
                    if alone:
                        self._clean(directory)
        if self._retention is not None and self._people is not None and self._directories:
            with self._telling(self._directories[0]), retention.alone(*self._directories) as alone:
                if alone:
                    self._erase(self._people, self._clock.now() - self._retention)

    @contextlib.contextmanager
    def _telling(self, directory: Path) -> Iterator[None]:
        try:
            yield
        except AuditError as error:
            self._failed(str(error))
        except OSError as error:
            self._failed(f"{error.filename or directory}: {error.strerror}")

    def _go_on(self) -> None:
        while not self._stopping.wait(self._every):
            self.turn()

    def _failed(self, why: str) -> None:
        self._tell("audit.upkeep_failed", error=why)

    # ── the other writers ────────────────────────────────────────────────────────────────────

    def _record_others(self, directory: Path) -> None:
        others = list(self._others(directory))
        for begin in range(0, len(others), _OTHERS_AT_MOST):
            some = dict(others[begin : begin + _OTHERS_AT_MOST])
            self._log.told("audit.checkpoint", writers=some)
            self._recorded |= {writer: told["seq"] for writer, told in some.items()}

    def _others(self, directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the writers that have come further, and where they were at the turn before."""
        for writer, paths in segments(directory).items():
            path = next((path for path in reversed(paths) if path.stat().st_size), None)
            if writer == self._log.writer or path is None or path.suffix == PACKED:
                continue
            *seen, line = self._seen.get(writer, (path, 0, b""))
            if told := self._further(writer, line):
                yield writer, told
            now = [path, path.stat().st_size]
            if now != seen:
                self._seen[writer] = (path, path.stat().st_size, last_line(path) or b"")

    def _further(self, writer: str, line: bytes) -> dict[str, Any] | None:
        if not line:
            return None
        try:
            told = orjson.loads(line)
            head = {"seq": told["seq"], "mac": told["mac"], "at": told.get("logged", told["at"])}
        except (ValueError, LookupError, TypeError):
            return None  # damaged, which verifying shows
        before = self._recorded.get(writer, 0)
        # That it recorded us alone is no news: two that are idle would go on for ever.
        is_answer = told.get("event") == checkpoints.EVENT and head["seq"] == before + 1
        return None if head["seq"] <= before or is_answer else head

    # ── complete segments, and people ───────────────────────────────────────────────────────────────────

    def _clean(self, directory: Path) -> None:
        if self._retention is not None:
            before = self._clock.now() - self._retention
            if gone := retention.cut(directory, before, self._log.told_durably):
                self._tell("audit.cut", segments=gone, before=before)
        for path in complete(directory) if self._compress else ():
            pack(path, self._stopping.is_set)

    def _erase(self, people: Pseudonyms, before: float) -> None:
        tell = self._log.told_durably
        if gone := retention.erase_people(self._directories, before, people, tell):
            self._tell("people.erased", count=gone)
