"""How far a site was read: one small file, replaced as a whole after each batch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.offline.seed.posts import Position

_VERSION = 1


class Progress:
    """The positions of all sources, and when the first of them began.

    Args:
        path: the file, there or not.
        about: which site was read into which state; what was kept about another counts for nothing.
            What is empty, now or then, is not compared.
        at: the instant of this run.
        keep: seconds after which state forgets. Once half of them have passed, everything is read
            again, before the first posts are forgotten.

    Attributes:
        begun: when this reading of everything began.
        goes_on: whether there is anything to go on from.
    """

    def __init__(self, path: Path, about: Mapping[str, str], at: float, keep: float) -> None:
        self._path = path
        self._about = dict(about)
        self._positions: dict[str, Position] = {}
        self.begun = at
        kept = _read(path)
        if kept is not None and _is_same(kept["about"], about) and at - kept["begun"] < keep / 2:
            self.begun = kept["begun"]
            self._positions = kept["positions"]
        self.goes_on = bool(self._positions)

    def restart(self, at: float) -> None:
        """Begin anew."""
        self.begun = at
        self._positions = {}
        self.goes_on = False

    def position(self, source: str) -> Position:
        """Give how far a source was read."""
        return self._positions.get(source, {})

    def put(self, source: str, position: Position) -> None:
        """Keep how far a source was read; whole or not at all, whatever happens meanwhile."""
        if self._positions.get(source) == position:
            return
        self._positions[source] = position
        kept = {
            "version": _VERSION,
            "about": self._about,
            "begun": self.begun,
            "positions": self._positions,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(kept, indent=1))
        unfinished.replace(self._path)


def _read(path: Path) -> dict[str, Any] | None:
    """Read the file; None where it is not there, or none of ours."""
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    is_ours = isinstance(kept, dict) and kept.get("version") == _VERSION
    parts = {"about": dict, "begun": float, "positions": dict}
    if not is_ours or not all(isinstance(kept.get(name), kind) for name, kind in parts.items()):
        return None
    return kept


def _is_same(kept: Mapping[str, str], about: Mapping[str, str]) -> bool:
    both = {name for name in kept if kept[name] and about.get(name)}
    return all(kept[name] == about[name] for name in both)
