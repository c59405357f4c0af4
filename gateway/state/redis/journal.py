"""What a process knows of its own writes, to put it back where Redis lost it.

Redis may come back empty, or a replica may take over that had not heard of the newest writes. The
processes that live know what they reserved: the newest of it, and what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from gateway.model import Settlement

_ENTRIES_AT_MOST = 10_000
"""Some 10 MiB; what is older is not put back."""

Record = dict[str, Any]
"""A write as `prelude.lua` describes it."""


class Journal:
    """The newest writes of this process that were not released, oldest first."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def reserved(self, record: Mapping[str, Any]) -> None:
        """Note a write that was remembered."""
        if len(self._records) >= _ENTRIES_AT_MOST:
            del self._records[next(iter(self._records))]
        self._records[record["id"]] = {"outcome": "", "post": "", "url": "", **record}

    def settled(self, write_id: str, settlement: Settlement) -> None:
        """Note what became of one; the first word stands."""
        record = self._records.get(write_id)
        if record is None or record["outcome"]:
            return
        if not settlement.outcome.keeps:
            del self._records[write_id]
            return
        record["outcome"] = settlement.outcome.value
        record["post"], record["url"] = settlement.post or "", settlement.url or ""

    def batches(self, size: int) -> Iterator[list[Record]]:
        """Give all that is known, some at a time."""
        records = iter(list(self._records.values()))
        while batch := list(islice(records, size)):
            yield batch
