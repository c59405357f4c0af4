"""The switches of integrations: how two sides become one, and what holds them.

Laws: the join of what two sides know is the same whatever came first and however often, so all that
are connected agree in the end; nothing is ever forgotten, so a side that lost all learns it again.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from gateway.model import Switch

Known = dict[str, Switch]
"""The newest switch of each integration, by its name."""


def joined(*sides: Iterable[Switch]) -> Known:
    """Give the newest switch of each integration that any side knows."""
    known: Known = {}
    for each in (switch for side in sides for switch in side):
        there = known.get(each.integration)
        if there is None or each.rank > there.rank:
            known[each.integration] = each
    return known


def as_json(switch: Switch) -> bytes:
    """Give the form in which a switch is kept."""
    return orjson.dumps(asdict(switch))


def from_json(kept: bytes | str) -> Switch:
    """Read a switch.

    Raises:
        ValueError: it is none.
    """
    try:
        return Switch(**orjson.loads(kept))
    except TypeError as error:
        raise ValueError(f"no switch of an integration: {error}") from error


class MemorySwitches:
    """Switches as a dictionary."""

    def __init__(self) -> None:
        self._known: Known = {}

    async def all(self) -> tuple[Switch, ...]:
        """As `ports.Switches.all`."""
        return tuple(self._known[name] for name in sorted(self._known))

    async def join(self, switches: Sequence[Switch]) -> None:
        """As `ports.Switches.join`."""
        self._known = joined(self._known.values(), switches)


class SwitchFile:
    """The switches that a machine knows, on its own disk; its processes share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> tuple[int, int] | None:
        """Give what differs when the file was written anew; None where there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def join(self, switches: Iterable[Switch]) -> tuple[Known, tuple[int, int] | None]:
        """Put in those that are newer, durably; gives all that stand there then, and the mark.

        Raises:
            OSError: the file can be neither read nor written.
            ValueError: it holds something else.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            there = self._read()
            known = joined(there or (), switches)
            if there is None or known != joined(there):
                self._write(known)
            return known, self.mark()
        finally:
            os.close(lock)

    def _read(self) -> list[Switch] | None:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return None
        return [from_json(line) for line in lines]

    def _write(self, known: Known) -> None:
        lines = b"".join(as_json(known[name]) + b"\n" for name in sorted(known))
        fd, unfinished = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(self._path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
