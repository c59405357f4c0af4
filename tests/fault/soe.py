"""An SOE that records what it got, when, and whether it executed it; it runs in the test's loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tests.fault.posts import SERIAL
from tests.fault.wire import Message, read_message


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A write as it reached SOE.

    Attributes:
        number: of the try that it is of.
        serial: of the text.
        at: when it was there whole, in Unix seconds.
        status: what SOE said; a 2xx means that it executed the write then and there.
        post: the id of the question that came of it.
        until: when SOE had answered.
    """

    number: int
    serial: str
    at: float
    status: int
    post: int | None
    until: float = float("inf")

    @property
    def executed(self) -> bool:
        """Whether SOE published it."""
        return self.status < 300


@dataclass
class Soe:
    """What listens in the place of SOE.

    Attributes:
        says: the status for the next write.
        takes: seconds that it takes over a write; it is executed at their beginning.
    """

    says: Callable[[], int] = lambda: 201
    takes: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)
    url: str = ""
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()

    def published(self, serial: str | None = None) -> int:
        """How many writes were executed, of a text or in all."""
        return sum(
            each.executed for each in self.arrivals if serial is None or each.serial == serial
        )

    def arrived(self, serial: str) -> int:
        """How many writes of a text came."""
        return sum(each.serial == serial for each in self.arrivals)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while (request := await read_message(reader)) is not None:
                if request.start.startswith(b"GET "):
                    writer.write(_answer(200, {"items": [], "id": 1}))
                else:
                    await self._write(request, writer)
                await writer.drain()

    async def _write(self, request: Message, writer: asyncio.StreamWriter) -> None:
        status = self.says()
        found = SERIAL.search(request.body)
        arrival = Arrival(
            number=int(request.fields[b"x-try"]),
            serial=found[1].decode() if found else "",
            at=time.time(),
            status=status,
            post=next(self._ids) if status < 300 else None,
        )
        self.arrivals.append(arrival)
        if self.takes:
            await asyncio.sleep(self.takes)
        arrival.until = time.time()  # before the answer: nobody can know of it earlier
        writer.write(_answer(*_told(arrival, old=b"/api/2." in request.start)))


def _told(arrival: Arrival, *, old: bool) -> tuple[int, object]:
    if not old:
        return arrival.status, {"id": arrival.post} if arrival.executed else {}
    if arrival.executed:
        return 200, {"items": [{"question_id": arrival.post}]}
    return 400, {"error_id": arrival.status, "error_name": "", "error_message": ""}


def _answer(status: int, document: object) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d Told\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )
