"""What bounds notes in every engine, and notes in this process alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import islice
from typing import Literal

from gateway.errors import StoreError
from gateway.ports import ANY, Expected

NOTES_AT_MOST = 10_000
BYTES_AT_MOST = 64 * 2**20
"""Of all values."""
NAMED_AT_MOST = 1_000
"""Names that are given at once."""
_NAME_BYTES = 200
_VALUE_BYTES = 256 * 2**10
_PRUNED_AT_ONCE = 4

Wanted = bytes | Literal[Expected.ANY] | None
"""What may be there when a note is put."""


def check_name(name: str) -> None:
    """See that a name is one.

    Raises:
        StoreError: it is empty, longer than 200 bytes, or no Unicode.
    """
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise StoreError("the name of a note is no Unicode") from None
    if not 0 < length <= _NAME_BYTES:
        raise StoreError(f"the name of a note has {length} bytes: 1 to {_NAME_BYTES} are possible")


def check_value(value: bytes) -> None:
    """See that a value is not too long.

    Raises:
        StoreError: it is.
    """
    if len(value) > _VALUE_BYTES:
        size = f"{len(value)} bytes: {_VALUE_BYTES} are possible"
        raise StoreError(f"the value of a note has {size}")


def full() -> StoreError:
    """Say that there is no room for one more."""
    bounds = f"{NOTES_AT_MOST} notes or {BYTES_AT_MOST} bytes"
    return StoreError(f"the state has no room for another note: {bounds} are there", code="FULL")


def is_full(notes: int, size: int) -> bool:
    """Whether so many notes, of so many bytes in all, are too many."""
    return notes > NOTES_AT_MOST or size > BYTES_AT_MOST


def is_wanted(there: bytes | None, expected: Wanted) -> bool:
    """Whether what is there is what was expected."""
    return expected is ANY or there == expected


def bounded(limit: int) -> int:
    """Give how many names are given where so many are asked for."""
    return max(0, min(limit, NAMED_AT_MOST))


@dataclass(frozen=True, slots=True)
class _Note:
    value: bytes = field(repr=False)
    at: float
    until: float


class MemoryNotes:
    """Notes as a dictionary. No method awaits between reading and writing, so each is atomic."""

    def __init__(self, now: Callable[[float], float], advance: Callable[[float], float]) -> None:
        """Make it, empty.

        Args:
            now: gives the engine's time at an instant.
            advance: the same, and stamps with it.
        """
        self._now = now
        self._advance = advance
        self._notes: dict[str, _Note] = {}
        self._bytes = 0

    async def get(self, name: str, at: float) -> bytes | None:
        """As `ports.Notes.get`."""
        check_name(name)
        return self._there(name, self._now(at))

    async def put(
        self, name: str, value: bytes, at: float, *, until: float, expected: Wanted
    ) -> bool:
        """As `ports.Notes.put`."""
        check_name(name)
        check_value(value)
        now = self._advance(at)
        for each in list(islice(self._notes, _PRUNED_AT_ONCE)):
            self._look_at(each, now)
        there = self._there(name, now)
        if not is_wanted(there, expected):
            return False
        if self._is_full_with(name, value):
            for each in list(self._notes):
                self._look_at(each, now)
        if self._is_full_with(name, value):
            raise full()
        self._take(name)
        self._notes[name] = _Note(value, now, until)
        self._bytes += len(value)
        return True

    async def names(self, prefix: str, limit: int, at: float) -> list[str]:
        """As `ports.Notes.names`."""
        now = self._now(at)
        found = (
            (note.at, name)
            for name, note in self._notes.items()
            if name.startswith(prefix) and note.until > now
        )
        return [name for _, name in nlargest(bounded(limit), found)]

    async def drop(self, name: str, at: float) -> bool:
        """As `ports.Notes.drop`."""
        check_name(name)
        there = self._there(name, self._advance(at))
        self._take(name)
        return there is not None

    def _there(self, name: str, now: float) -> bytes | None:
        note = self._notes.get(name)
        return note.value if note is not None and note.until > now else None

    def _look_at(self, name: str, now: float) -> None:
        """Forget a note that has ended; another is looked at again when all others were."""
        if self._notes[name].until > now:
            self._notes[name] = self._notes.pop(name)
        else:
            self._take(name)

    def _take(self, name: str) -> None:
        note = self._notes.pop(name, None)
        self._bytes -= len(note.value) if note is not None else 0

    def _is_full_with(self, name: str, value: bytes) -> bool:
        there = self._notes.get(name)
        size = len(value) - (len(there.value) if there is not None else 0)
        return is_full(len(self._notes) + (there is None), self._bytes + size)
