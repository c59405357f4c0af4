"""One HTTP/1.1 connection to SOE, and the exchange that has it.

Laws: an exchange gets its own response's bytes and no others; bytes that nobody asked for close
the connection; how far a request got is known exactly.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from math import inf

import httptools

from gateway.errors import UpstreamError
from gateway.model import Headers, Outcome

MAX_HEAD = 65_536
MAX_FIELDS = 200
MAX_INTERIM = 8
"""1xx answers before the real one."""
BUFFERED = 65_536
"""Body bytes that wait for their reader before the socket is left alone."""

_BODILESS = (204, 304)
_FRAMING = (b"content-length", b"transfer-encoding")
_VERSIONS = ("1.1", "1.0")


class Exchange:
    """A request that was sent, and its response: `ports.UpstreamResponse`.

    The parser calls the `on_…` methods. The body's bytes wait here, not in the connection, which
    may serve the next request as soon as this response has ended.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_error",
        "_fields",
        "_fields_bytes",
        "_head_bytes",
        "_interim",
        "_is_head",
        "_loop",
        "_parser",
        "_paused",
        "_size",
        "_total_at",
        "_until_close",
        "_waiter",
        "ended",
        "headers",
        "sent",
        "status",
        "surplus",
    )

    def __init__(
        self, connection: Connection, *, is_head: bool, first_byte: float, total: float
    ) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.ended = False
        self.sent = False
        self.surplus = False
        self._connection: Connection | None = connection
        self._is_head = is_head
        self._fields: list[tuple[bytes, bytes]] = []
        self._fields_bytes = 0
        self._body: list[bytes] = []
        self._size = 0
        self._paused = False
        self._head_bytes = 0
        self._interim = 0
        self._until_close = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._loop = connection.loop
        now = self._loop.time()
        self._total_at = now + total
        connection.due_at(now + min(first_byte, total))

    # ── for the one who asked ────────────────────────────────────────────────────────────────

    @property
    def complete(self) -> bool:
        """Whether the whole body was read."""
        return self.ended and not self._body

    async def read(self) -> bytes:
        """Give the bytes that are here, waiting for the next; empty at the end.

        Raises:
            UpstreamError: the body was cut, or took too long.
        """
        while not self._body and not self.ended:
            await self._wait()
        chunk = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._size = 0
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume()
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body, chunk by chunk."""
        while not self.complete:
            if chunk := await self.read():
                yield chunk

    async def aclose(self) -> None:
        """Give the connection up; one whose response was not read to its end is closed."""
        if not self.ended:
            self.fail(UpstreamError("abandoned", Outcome.UNKNOWN))

    async def head(self) -> None:
        """Wait for the response's head."""
        while not self.headers_here:
            await self._wait()

    @property
    def headers_here(self) -> bool:
        """Whether the response's head is here."""
        return self.status != 0

    @property
    def failed(self) -> bool:
        """Whether nothing more will come."""
        return self._error is not None

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # ── for the connection ───────────────────────────────────────────────────────────────────

    def feed(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.ended:
                self.surplus = True
            else:
                self.fail(UpstreamError("malformed", Outcome.UNKNOWN))
            return
        if not self.status and self._head_bytes > MAX_HEAD:
            self.fail(UpstreamError("malformed", Outcome.UNKNOWN))

    def lost(self) -> None:
        """Take note that the connection is gone: an end for a body that has no other."""
        if self.status and self._until_close and self._error is None:
            self._end()
        else:
            self.fail(UpstreamError("cut" if self.status else "closed", Outcome.UNKNOWN))

    def fail(self, error: UpstreamError) -> None:
        """End the exchange and close its connection."""
        if self.ended or self._error is not None:
            return
        self._error = error
        self._wake()
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def _end(self) -> None:
        self.ended = True
        self._wake()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._paused:
            connection.resume()
        # The rest of a request that was answered early would be read out of the next one.
        whole = self.sent and not self._until_close
        connection.finished(reusable=whole and self._parser.should_keep_alive())

    def late(self, now: float) -> float | None:
        """Fail if a deadline has passed; else give the next one."""
        if self.status and now < self._total_at:
            return self._total_at
        code = "first_byte_timeout" if not self.status else "total_timeout"
        self.fail(UpstreamError(code, Outcome.UNKNOWN))
        return None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ── for the parser ───────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """A message begins; a second one after the end is surplus."""
        if self.ended:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one field of the head, or drop a trailer."""
        if self.status:
            return
        self._fields.append((name.lower(), value))
        self._fields_bytes += len(name) + len(value)
        if len(self._fields) > MAX_FIELDS or self._fields_bytes > MAX_HEAD:
            raise ValueError

    def on_headers_complete(self) -> None:
        """The head is here."""
        if self.ended:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > MAX_INTERIM:
                raise ValueError
            self._fields.clear()
            return
        version = self._parser.get_http_version()
        framing = [field for field in self._fields if field[0] in _FRAMING]
        if version not in _VERSIONS or len(framing) > 1:
            raise ValueError  # two framings: whose body would it be?
        name, value = framing[0] if framing else (b"", b"")
        if name == b"transfer-encoding" and (version, value.lower()) != ("1.1", b"chunked"):
            raise ValueError
        self.headers = tuple(self._fields)
        self.status = status
        bodiless = self._is_head or status in _BODILESS
        self._until_close = not bodiless and not framing
        self._wake()
        if self._is_head:
            self._end()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self.ended:
            self.surplus = True
            return
        self._body.append(body)
        self._size += len(body)
        if self._size > BUFFERED and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause()
        self._wake()

    def on_message_complete(self) -> None:
        """The response is whole."""
        if self.status and not self.ended:
            self._end()


class Connection(asyncio.Protocol):
    """A connection that serves one exchange after the other."""

    __slots__ = (
        "_due",
        "_ended",
        "_exchange",
        "_poll",
        "_pool",
        "_timer",
        "_transport",
        "_writable",
        "idle_since",
        "loop",
    )

    def __init__(self, pool: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.idle_since = 0.0
        self._pool = pool
        self._exchange: Exchange | None = None
        self._ended: Exchange | None = None
        self._due = inf
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None
        self._poll = select.poll()

    def begin(self, *, is_head: bool, first_byte: float, total: float) -> Exchange:
        """Give this connection to a request that is about to be written."""
        self._exchange = Exchange(self, is_head=is_head, first_byte=first_byte, total=total)
        return self._exchange

    def due_at(self, instant: float) -> None:
        """Look at the exchange's deadlines then.

        The timer stays where it is not too late: exchanges end more often than it rings.
        """
        self._due = instant
        if self._timer is None or self._timer.when() > instant:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(instant, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._exchange is None:
            return
        now = self.loop.time()
        due = self._due if now < self._due else self._exchange.late(now)
        if due is not None:
            self.due_at(due)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        if self._writable is not None:
            await self._writable

    @property
    def open(self) -> bool:
        """Whether neither side is known to have closed it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def alive(self) -> bool:
        """Whether an idle connection can be written to: nothing came, not even its end."""
        return self.open and not self._poll.poll(0)

    def pause(self) -> None:
        """Leave the socket alone until the reader has caught up."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self.open:
            self._transport.resume_reading()

    def finished(self, *, reusable: bool) -> None:
        """Take the connection back from an exchange that has ended."""
        self._ended, self._exchange = self._exchange, None
        if not reusable:
            self.abort()

    def _give_back(self, ended: Exchange) -> None:
        """Go back to the pool, now that it is known whether surplus came in the same packet."""
        self._ended = None
        if ended.surplus or not self.open:
            self.abort()
            return
        self.idle_since = self.loop.time()
        self._pool.take_back(self)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # ── asyncio's ────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is called
        """The socket is connected."""
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Bytes came; if nobody asked for them, the connection cannot be trusted any more."""
        if self._exchange is None:
            self.abort()
            return
        self._exchange.feed(data)
        if self._ended is not None:
            self._give_back(self._ended)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.lost()
        self._pool.lost(self)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """The socket takes more."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None


class Owner:
    """Whom a connection tells that it is free, or gone."""

    def take_back(self, connection: Connection) -> None:
        """A connection is free for the next request."""
        raise NotImplementedError

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        raise NotImplementedError
