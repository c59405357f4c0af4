"""Whole records at their places in the log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from gateway.audit.index.entries import Place
from gateway.audit.index.following import open_segment
from gateway.audit.segments import PACKED, segment

_OPEN_AT_MOST = 8


class Lines:
    """Reads whole records at their places; quickest in the order in which they lie in the log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[tuple[str, int], BinaryIO] = {}

    def record(self, place: Place) -> Mapping[str, Any] | None:
        """Give a record; None where it is no longer there."""
        try:
            file = self._file(place)
            file.seek(place.offset)
            record = orjson.loads(file.readline())
        except (OSError, EOFError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            file.close()
        self._open = {}

    def _file(self, place: Place) -> BinaryIO:
        key = (place.writer, place.number)
        if key not in self._open:
            if len(self._open) >= _OPEN_AT_MOST:
                self._open.pop(next(iter(self._open))).close()
            plain = segment(self._directory, *key)
            packed = plain.with_name(plain.name + PACKED)
            self._open[key] = open_segment(plain if plain.exists() else packed)
        return self._open[key]
