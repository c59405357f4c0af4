"""Our own small HTTP/1.1 pool: one call is at most one request, sent as it is given.

No redirects, no cookies, no proxies from the environment, no retries. A request goes out on an
idle connection that shows no sign of its end, or on a new one; once a byte of it was handed to a
socket, its failure is `unknown`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.errors import UpstreamError
from gateway.model import Outcome
from gateway.proxy.connection import Connection, Exchange, Owner

_MOMENT = 0.005
"""Seconds within which the event loop hears of what came on an idle connection."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where SOE is."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Read `https://host[:port]`; ValueError tells what is wrong with it."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("expected https://host")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("expected https://host, with nothing after the host")
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def authority(self) -> bytes:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == _DEFAULT_PORTS[self.scheme]
        return (host if default else f"{host}:{self.port}").encode()

    @property
    def url(self) -> bytes:
        """The origin as a URL, without a trailing slash."""
        return self.scheme.encode() + b"://" + self.authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, to wait for a free connection, for the head, and for everything."""

    connect: float = 5.0
    acquire: float = 5.0
    first_byte: float = 30.0
    total: float = 60.0


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Make the context that verifies SOE, by the system's authorities or a file of one's own."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Pool(Owner):
    """Connections to one origin: `ports.Upstream`."""

    def __init__(
        self,
        origin: Origin,
        *,
        ssl_context: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        connections: int = 100,
        idle: float = 30.0,
    ) -> None:
        self.origin = origin
        self.open = 0
        self._ssl = ssl_context
        self._timeouts = timeouts or Timeouts()
        self._most = connections
        self._idle_seconds = idle
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] | None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> Exchange:
        """As `ports.Upstream.send`."""
        connection = await self._acquire(look=before_first_byte is not None)
        if before_first_byte is not None:
            try:
                before_first_byte()
            except BaseException:
                self.take_back(connection)  # not a byte was written to it
                raise
        exchange = connection.begin(
            is_head=method == "HEAD",
            first_byte=self._timeouts.first_byte,
            total=self._timeouts.total,
        )
        head = [method.encode(), b" ", target, b" HTTP/1.1\r\n"]
        for name, value in headers:
            head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n")
        try:
            if body is None or isinstance(body, bytes):
                exchange.sent = True
                connection.write(b"".join((*head, body or b"")))
            else:
                connection.write(b"".join(head))
                chunked = (b"transfer-encoding", b"chunked") in headers
                await _stream(connection, exchange, body, chunked=chunked)
            await exchange.head()
        except BaseException:
            await exchange.aclose()
            raise
        return exchange

    @property
    def in_use(self) -> int:
        """Connections that a request has, or that are being made for one."""
        return self.open - len(self._idle)

    async def aclose(self) -> None:
        """Close every connection, and make no more."""
        self._closed = True
        for connection in list(self._all):
            connection.abort()
        await asyncio.sleep(0)

    # ── connections ──────────────────────────────────────────────────────────────────────────

    async def _acquire(self, *, look: bool) -> Connection:
        """Give a connection that no byte of this request has been written to.

        Args:
            look: ask the system whether an idle one was closed, however short its rest; the
                event loop learns it a moment later by itself.

        Raises:
            UpstreamError: `not_sent`.
        """
        loop = self._loop or asyncio.get_running_loop()
        self._loop = loop  # asking for it costs a system call
        now = loop.time()
        while self._idle:
            connection = self._idle.pop()
            rest = now - connection.idle_since
            usable = connection.alive if look or rest > _MOMENT else connection.open
            if usable and rest < self._idle_seconds:
                return connection
            connection.abort()
        if self.open >= self._most:
            return await self._wait(loop)
        self.open += 1
        return await self._connect(loop)

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Wait in the line for a connection or the place of one."""
        try:
            async with asyncio.timeout(self._timeouts.acquire):
                given = await self._turn(loop)
                while given is not None and not given.alive:
                    given.abort()
                    given = await self._turn(loop)
        except TimeoutError:
            raise UpstreamError("pool_exhausted", Outcome.NOT_SENT) from None
        return given or await self._connect(loop)

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.cancelled():
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            elif given := waiter.result():  # given in the moment of leaving
                self.take_back(given)
            else:
                self._free_place()
            raise

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Connect, in a place that is counted already."""
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, loop),
                    self.origin.host,
                    self.origin.port,
                    ssl=self._ssl,
                    server_hostname=self.origin.host if self._ssl else None,
                )
        except BaseException as error:
            self._free_place()
            if isinstance(error, TimeoutError):
                raise UpstreamError("connect_timeout", Outcome.NOT_SENT) from None
            if isinstance(error, ssl.SSLError):
                raise UpstreamError("tls_failed", Outcome.NOT_SENT) from error
            if isinstance(error, OSError):
                raise UpstreamError("connect_failed", Outcome.NOT_SENT) from error
            raise
        if self._closed or not connection.open:
            connection.abort()
            self._free_place()
            code = "pool_closed" if self._closed else "connect_failed"
            raise UpstreamError(code, Outcome.NOT_SENT)
        connection.idle_since = loop.time()
        self._all.add(connection)
        return connection

    def take_back(self, connection: Connection) -> None:
        """Give a free connection to who waits longest, or keep it."""
        if not self._give(connection):
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        if connection in self._all:
            self._all.discard(connection)
            self._free_place()
        if connection in self._idle:
            self._idle.remove(connection)

    def _free_place(self) -> None:
        if not self._give(None):
            self.open -= 1

    def _give(self, connection_or_place: Connection | None) -> bool:
        """Give it to who waits longest; whether anyone does."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection_or_place)
                return True
        return False


async def _stream(
    connection: Connection, exchange: Exchange, body: AsyncIterator[bytes], *, chunked: bool
) -> None:
    """Send a body as it comes; an answer that comes before its end ends the sending."""
    async for chunk in body:
        if exchange.headers_here or exchange.failed:
            return
        if not chunk:
            continue  # an empty chunk would be the last
        connection.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
        await connection.drain()
    exchange.sent = True
    if chunked:
        connection.write(b"0\r\n\r\n")
