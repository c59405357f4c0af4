"""Messages of HTTP/1.1 as both ends of the fault suite read them: a head, and a counted body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its fields by lower-case name, its body."""

    start: bytes
    fields: Mapping[bytes, bytes]
    body: bytes

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(b" ", 2)[1])


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """Read one message; None where the other end left before it was whole."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head[:-4].split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(fields.get(b"content-length", 0)))
    except (asyncio.IncompleteReadError, OSError):
        return None
    return Message(start, fields, body)
