"""How far a command has come: a bar on a terminal, else a line now and then, or nothing."""

from __future__ import annotations

import sys
import time
from typing import NoReturn, TextIO

from tqdm import tqdm

_LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
_BAR_AFTER = 1.0
"""Seconds after which a bar is drawn: what is over sooner needs none."""


def progress(out: TextIO | None, unit: str = "") -> Bar | Lines:
    """Give what tells how it goes; without a terminal in lines to `out`, or nowhere."""
    return Bar(unit) if sys.stderr.isatty() else Lines(out)


class Bar:
    """A bar for each source, on a terminal."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: tqdm[NoReturn] | None = None

    def begins(self, source: str, count: int | None) -> None:
        """As `Watcher.begins`."""
        self._bar = tqdm(
            total=count,
            desc=source,
            unit=self._unit,
            unit_scale=bool(self._unit),
            delay=_BAR_AFTER,
            file=sys.stderr,
        )

    def advances(self, done: int) -> None:
        """As `Watcher.advances`."""
        if self._bar is not None:
            self._bar.update(done)

    def ends(self, source: str) -> None:
        """As `Watcher.ends`."""
        self.close()

    def close(self) -> None:
        """End the bar where it is."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def note(self, text: str) -> None:
        """As `Watcher.note`."""
        tqdm.write(text, file=sys.stderr)


class Lines:
    """A line now and then, or none."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self._count: int | None = None
        self._done = 0
        self._next = 0.0

    def begins(self, source: str, count: int | None) -> None:
        """As `Watcher.begins`."""
        self._count, self._done = count, 0
        self._source = source
        self._next = time.monotonic() + _LINE_EVERY

    def advances(self, done: int) -> None:
        """As `Watcher.advances`."""
        self._done += done
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY
            self.note(f"{self._source}: {self._done} of {self._count or 'an unknown number'}")

    def ends(self, source: str) -> None:
        """As `Watcher.ends`."""
        self.note(f"{source}: {self._done}")

    def close(self) -> None:
        """Nothing is open."""

    def note(self, text: str) -> None:
        """As `Watcher.note`."""
        if self._out is not None:
            print(text, file=self._out, flush=True)
