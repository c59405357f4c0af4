"""A listening server with an app that records, and a client that speaks in raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

from gateway.proxy.listener import Listener
from gateway.proxy.server import ServerLimits, strict
from tests.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole request, as it reached the app."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, as it reached the client."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> object:
        """The code of a refusal."""
        return json.loads(self.body)["code"]


class Recorder:
    """An app that reads a request to its end, waits while it is held, and answers with its target.

    `scopes` holds what was begun, `seen` what arrived whole, `finished` counts apps that ran to
    their end and `cancelled` those that did not; `left` tells that receive said so.
    """

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.seen: list[Seen] = []
        self.finished = 0
        self.cancelled = 0
        self.left = asyncio.Event()
        self.begun = asyncio.Event()
        self.arrived = asyncio.Event()
        self.ended = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self.scopes.append(scope)
            self.begun.set()
            with contextlib.suppress(ConnectionResetError):
                await self._serve(scope, receive, send)
            self.finished += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.ended.set()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message["body"]
            more = message["more_body"]
        self.seen.append(Seen(scope["method"], scope["raw_target"], tuple(scope["headers"]), body))
        self.arrived.set()
        await self.free.wait()
        await reply(send, 200, scope["raw_target"])


async def reply(send: Any, status: int, body: bytes) -> None:
    """Answer with a body of known length."""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """One connection, in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send each part in a packet of its own; parts that nobody takes are lost."""
        with suppress(ConnectionError):
            for part in parts:
                self._writer.write(part)
                await self._writer.drain()
                await asyncio.sleep(0)

    def leave(self) -> None:
        """Go away without a word."""
        self._writer.transport.abort()

    async def line(self) -> bytes:
        """Read one line, as it is."""
        return await asyncio.wait_for(self._reader.readline(), PATIENCE)

    async def answer(self, *, head: bool = False) -> Answer:
        """Read one response; `head` where it answers HEAD."""
        async with asyncio.timeout(PATIENCE):
            raw = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = raw.removesuffix("\r\n\r\n").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = 0 if head else int(headers.get("content-length", 0))
            body = await self._reader.readexactly(length)
        return Answer(int(status_line.split(" ")[1]), headers, body)

    async def rest(self) -> bytes:
        """Read until the server closes; a reset counts as closing."""
        read = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while piece := await self._reader.read(65_536):
                    read += piece
        return read

    async def aclose(self) -> None:
        """Close, whatever the server did."""
        self._writer.close()
        with suppress(ConnectionError, TimeoutError):
            await self._writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens, what its app saw and what it refused before the app."""

    listener: Listener
    url: str
    app: Any
    refused: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    @asynccontextmanager
    async def connect(
        self, first: bytes = b"", *, tls: SSLContext | None = None
    ) -> AsyncIterator[Client]:
        """Open a connection, on which some bytes wait already when the server accepts it."""
        connected = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        connected.sendall(first)
        connected.setblocking(False)
        reader, writer = await asyncio.open_connection(
            sock=connected, ssl=tls, server_hostname="localhost" if tls else None
        )
        client = Client(reader, writer)
        try:
            yield client
        finally:
            await client.aclose()


@asynccontextmanager
async def serving(
    app: Any = None,
    *,
    limits: ServerLimits | None = None,
    tls: tuple[Path, Path] | None = None,
) -> AsyncIterator[Served]:
    """Listen with the strict protocol on a free port; the app is a `Recorder` by default."""
    refused: list[str] = []
    app = app or Recorder()
    protocol = strict(limits or ServerLimits(), refused.append)
    listener = Listener(app, ("127.0.0.1", 0), protocol=protocol, tls=tls)
    url = await listener.start()
    try:
        yield Served(listener, url, app, refused)
    finally:
        if isinstance(app, Recorder):
            app.free.set()
        await listener.stop(PATIENCE)
