"""Notes in Redis or Valkey: one script call each."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.errors import StoreError
from gateway.ports import ANY
from gateway.state.notes import (
    BYTES_AT_MOST,
    NOTES_AT_MOST,
    Wanted,
    bounded,
    check_name,
    check_value,
    full,
)
from gateway.state.redis.losses import Losses
from gateway.state.redis.scripts import Scripts


class RedisNotes:
    """The notes of a site; `stamped` as of the store."""

    def __init__(self, scripts: Scripts, losses: Losses, *, stamped: bool) -> None:
        self._scripts = scripts
        self._losses = losses
        self._stamped = stamped

    async def get(self, name: str, at: float) -> bytes | None:
        """As `ports.Notes.get`."""
        check_name(name)
        found: bytes | None = await self._ask("get", name.encode(), at)
        return found

    async def put(
        self, name: str, value: bytes, at: float, *, until: float, expected: Wanted
    ) -> bool:
        """As `ports.Notes.put`."""
        check_name(name)
        check_value(value)
        asked: dict[str, Any] = {"ends": until, "notes": NOTES_AT_MOST, "bytes": BYTES_AT_MOST}
        asked["expects"] = "any" if expected is ANY else "none" if expected is None else "value"
        values = [value, expected] if isinstance(expected, bytes) else [value]
        try:
            return bool(await self._ask("put", name.encode(), at, *values, **asked))
        except StoreError as error:
            raise full() if error.code == "FULL" else error from None

    async def names(self, prefix: str, limit: int, at: float) -> list[str]:
        """As `ports.Notes.names`."""
        begins = prefix.encode("utf-8", "surrogatepass")  # as no name does, where it is no Unicode
        found: list[bytes] = await self._ask("names", begins, at, limit=bounded(limit))
        return [name.decode() for name in found]

    async def drop(self, name: str, at: float) -> bool:
        """As `ports.Notes.drop`."""
        check_name(name)
        return bool(await self._ask("drop", name.encode(), at))

    async def _ask(self, verb: str, name: bytes, at: float, *values: bytes, **more: Any) -> Any:
        stamp = at if self._stamped else None

        async def ask() -> Any:
            asked = {"verb": verb, "at": stamp, **self._losses.introduced(), **more}
            return await self._scripts.run("notes", orjson.dumps(asked), name, *values)

        told = await self._losses.asked(ask)
        self._losses.adopt(told[0].decode(), told[1])
        # A script's answer ends where there is nothing.
        return told[2] if len(told) > 2 else None
