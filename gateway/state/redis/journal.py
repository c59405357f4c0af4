"""What a process knows of its own writes, to put it back where Redis lost it.

Redis may come back empty, or a replica may take over that had not heard of the newest writes. The
processes that live know what they reserved: the newest of it, and what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from gateway.model import Outcome, Settlement
from gateway.state.redis.records import place_of
from gateway.state.sharing import Use

_ENTRIES_AT_MOST = 10_000
"""Some 15 MiB; what is older is not put back."""


@dataclass(slots=True)
class Entry:
    """A write as `put_back.lua` takes it: `core` and `key` are as records.py writes them."""

    core: bytes = field(repr=False)
    key: bytes
    at: float
    caps: list[str]
    attempts: list[str]
    uses: list[Use]
    outcome: str = ""
    place: bytes = b""


class Journal:
    """The newest writes of this process that were not released, oldest first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def reserved(self, write_id: str, entry: Entry) -> None:
        """Note a write that was remembered."""
        if len(self._entries) >= _ENTRIES_AT_MOST:
            del self._entries[next(iter(self._entries))]
        self._entries[write_id] = entry

    def settled(self, write_id: str, settlement: Settlement) -> None:
        """Note what became of one; the first word stands."""
        entry = self._entries.get(write_id)
        if entry is None or entry.outcome:
            return
        if settlement.outcome.keeps:
            entry.outcome = settlement.outcome.value
            entry.place = place_of(settlement.post, settlement.url)
        elif settlement.template and settlement.outcome is Outcome.NOT_SENT:
            entry.outcome, entry.key = Outcome.REFUSED.value, b""
            entry.caps, entry.uses = [], []
        else:
            del self._entries[write_id]

    def batches(self, size: int) -> Iterator[list[Entry]]:
        """Give all that is known, some at a time."""
        entries = iter(list(self._entries.values()))
        while batch := list(islice(entries, size)):
            yield batch
