"""A TCP port before a server's socket, with TLS where wanted; it notes what clients write."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Relay:
    """What came through: each piece as it was read, and how many connections there were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.port = 0
        self.connections = 0
        self.written: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until one of its ends closes."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        there, server = await asyncio.open_unix_connection(str(self._path))
        pumps = (self._pump(reader, server, self.written), self._pump(there, writer, []))
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(*pumps)
        for each in (server, writer):
            each.transport.abort()
        self.tasks.discard(task)

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]
    ) -> None:
        while data := await reader.read(1 << 20):
            seen.append(data)
            writer.write(data)
        writer.close()


@asynccontextmanager
async def relay(path: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """Listen on a port of the loopback and pass on to a Unix socket."""
    made = Relay(path)
    server = await asyncio.start_server(made.run, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        tasks = list(made.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
