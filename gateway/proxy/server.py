"""HTTP in: uvicorn's connection handling behind a strict reader of our own.

Laws: what reaches the app is exactly one well-formed request; the bytes after it are looked at
only when its response has left, so no refusal overtakes a running request; nothing is waited for
without a deadline; a request that was not read to its end ends its connection; no app is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from gateway.proxy.framing import Chunked, Counted
from gateway.proxy.head import Head, check_beginning, read_head
from gateway.proxy.refusals import ANSWERS, WireError

_HIGH_WATER = 65_536
_BACKLOG = 2048
_HANDSHAKE_SECONDS = 10.0
_DRAIN_TICK = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a client may send, and how long it may take, in bytes and seconds.

    Attributes:
        head_bytes: of the request line and all header fields.
        head_seconds: from the connection, later from a head's first byte, to the head's end.
        body_seconds: from the head's end to the body's end.
        body_pause: the longest silence within a body.
        idle_seconds: between an answer and the next request.
        answer_pause: how long a client may leave our answer unread.
        linger_seconds: how long the rest of a refused request is thrown away, so that its sender
            comes to read the answer.
    """

    head_bytes: int = 32_768
    fields: int = 100
    target_bytes: int = 8_192
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_pause: float = 10.0
    idle_seconds: float = 60.0
    answer_pause: float = 30.0
    linger_seconds: float = 2.0


class _Next(Enum):
    """What the bytes are that come next."""

    HEAD = "a request's head"
    BODY = "the body of the running request"
    LATER = "another request, which waits until the running one is answered"
    WASTE = "nothing: the connection is closing"


class _Cycle(RequestResponseCycle):
    """uvicorn's exchange with the app; the response's bytes are put together here.

    The head waits for the first bytes of the body, so that a small response is one write.
    """

    _head = b""

    async def send(self, message: Any) -> None:
        """Send a part of the response."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_complete:  # or its bytes would answer the next request
            raise RuntimeError("the response is complete")
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
        else:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.waiting_for_100_continue = False
        if self.more_body:  # the rest of the request will not be read
            self.keep_alive = False
        bodiless = self.scope["method"] == "HEAD" or status in (204, 304)
        lines = [STATUS_LINE[status]]
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            lines.append(b"%s: %s\r\n" % (name, value))
        self.chunked_encoding = length is None and not bodiless
        # A 304 may tell the length of what it does not send (RFC 9110 section 8.6).
        self.expected_content_length = 0 if bodiless or length is None else length
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
            raise RuntimeError("a field of the response would begin another one")
        self._head = head + b"\r\n"
        self.response_started = True

    def _go_on(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (not more and self.expected_content_length):
                raise RuntimeError("the response's body has not the length that was told")
        head, self._head = self._head, b""
        if head or body:
            self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


class StrictProtocol(HttpToolsProtocol):
    """One client connection: one request at a time, read by our rules.

    Of uvicorn's protocol it keeps the connection, its flow control and the response side; the
    parser, and every leniency of it, is left out.
    """

    limits = ServerLimits()
    on_refused: Callable[[str], None] = staticmethod(lambda _: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._next = _Next.HEAD
        self._buffer = bytearray()
        self._checked = 0  # bytes of the buffer that may begin a head
        self._body: Counted | Chunked = Counted(0)
        self._body_due = 0.0
        self._idle = False
        self._due = inf
        self._act = self._late
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    # ── the connection ───────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """A client connected; its first head is due."""
        super().connection_made(transport)
        # When the response side closes, bytes may still come in: that is ours to do.
        self._outlet = cast(
            "asyncio.Transport",
            SimpleNamespace(
                write=transport.write, is_closing=transport.is_closing, close=self._end
            ),
        )
        self._set_deadline(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; a running request goes on without it."""
        self._next = _Next.WASTE
        self._clear_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read: the app waits for it, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.answer_pause, self.transport.abort)

    def resume_writing(self) -> None:
        """The client read."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._next is _Next.WASTE:
            return
        self._buffer += data
        if self._next is not _Next.LATER:
            self._read()
        elif len(self._buffer) > _HIGH_WATER:
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """The response left: go on with what came meanwhile, or wait for the next head."""
        self.server_state.total_requests += 1
        if self._next is _Next.WASTE or self.transport.is_closing():
            return
        self._next = _Next.HEAD
        self._idle = not self._buffer
        self._set_deadline(self.limits.idle_seconds if self._idle else self.limits.head_seconds)
        self.flow.resume_reading()
        if self._buffer:
            self.loop.call_soon(self._read)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        if self.transport.is_closing():
            return
        try:
            if self._next is _Next.HEAD:
                self._read_head()
            if self._next is _Next.BODY:
                self._read_body()
        except WireError as error:
            self._refuse(error.code)

    def _read_head(self) -> None:
        """Read a head if the whole of it is here, and start the app on it."""
        buffer, limits = self._buffer, self.limits
        end = buffer.find(b"\r\n\r\n", max(0, self._checked - 3)) + 4
        if end < 4 or end > limits.head_bytes:
            self._await_head()
            return
        data = bytes(buffer[:end])
        del buffer[:end]
        self._checked = 0
        head = read_head(data, fields=limits.fields, target_bytes=limits.target_bytes)
        self._start(head)
        self._next = _Next.BODY
        self._body = Chunked() if head.length is None else Counted(head.length)
        self._body_due = self.loop.time() + limits.body_seconds

    def _await_head(self) -> None:
        buffer, limits = self._buffer, self.limits
        if buffer:
            check_beginning(
                bytes(buffer[: limits.head_bytes]),
                since=self._checked,
                target_bytes=limits.target_bytes,
            )
        if len(buffer) > limits.head_bytes:
            raise WireError("head_too_large")
        self._checked = len(buffer)
        if self._idle:
            self._idle = False
            self._set_deadline(limits.head_seconds)

    def _read_body(self) -> None:
        cycle, body = self.cycle, self._body
        taken = body.take(self._buffer)
        cycle.body += taken
        if body.ended:
            self._next = _Next.LATER
            self._due = inf
            cycle.more_body = False
        else:
            left = self._body_due - self.loop.time()
            self._set_deadline(max(0.0, min(self.limits.body_pause, left)))
            if len(cycle.body) > _HIGH_WATER:
                self.flow.pause_reading()
        if taken or body.ended:
            cycle.message_event.set()

    def _start(self, head: Head) -> None:
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "method": head.method,
            "path": "",  # nobody reads what was decoded
            "raw_path": head.target,
            "query_string": b"",
            "headers": head.headers,
            "raw_target": head.target,  # type: ignore[typeddict-unknown-key]  # ours
        }
        self.cycle = _Cycle(
            scope=self.scope,
            transport=self._outlet,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=head.keep_alive,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    # ── closing ──────────────────────────────────────────────────────────────────────────────

    def _refuse(self, code: str) -> None:
        """Answer what is no request, and close; a running app sees its client leave."""
        self.on_refused(code)
        answered = False
        if self._next is _Next.BODY:
            answered = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        if not answered:
            self.transport.write(ANSWERS[code])
        self._discard()

    def _late(self) -> None:
        if self._next is _Next.BODY and self.flow.read_paused:  # the client waits for the app
            self._body_due += self.limits.body_pause
            self._set_deadline(self.limits.body_pause)
        elif self._next is _Next.HEAD and not self._buffer:  # nothing was begun
            self.transport.close()
        else:
            self._refuse("request_timeout")

    def _end(self) -> None:
        """Close behind a response. What was not read must not cut it off."""
        if self.transport.is_closing():
            return
        if self._next is _Next.LATER and not self._buffer:
            self._close()
        else:
            self._discard()

    def _discard(self) -> None:
        """Throw away what still comes, for a moment, then close."""
        self._next = _Next.WASTE
        self._buffer.clear()
        self.flow.resume_reading()
        if not self.transport.can_write_eof():
            self._close()
            return
        self.transport.write_eof()
        self._set_deadline(self.limits.linger_seconds, self._close)

    def _close(self) -> None:
        """Close when what was written is read, or nobody reads it."""
        self._next = _Next.WASTE
        self._set_deadline(self.limits.answer_pause, self.transport.abort)
        self.transport.close()

    # ── deadlines ────────────────────────────────────────────────────────────────────────────

    def _set_deadline(self, seconds: float, act: Callable[[], None] | None = None) -> None:
        """Let `act` happen then, in place of what was to happen before.

        The timer stays where it is not too late: requests come and go more often than it rings.
        """
        self._due = self.loop.time() + seconds
        self._act = act or self._late
        if self._timer is None or self._timer.when() > self._due:
            self._clear_timer()
            self._timer = self.loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._due == inf:
            return
        if self._due > self.loop.time():
            self._timer = self.loop.call_at(self._due, self._ring)
            return
        self._due = inf
        self._act()

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def strict(limits: ServerLimits, on_refused: Callable[[str], None]) -> type[StrictProtocol]:
    """Make the protocol with its limits, and whom to tell the code of what it refused."""
    return type(
        "Strict", (StrictProtocol,), {"limits": limits, "on_refused": staticmethod(on_refused)}
    )


class Listener:
    """A listening server in the running loop. It takes no signals and reads no settings.

    Args:
        app: an ASGI app. It is never cancelled; `scope["raw_target"]` holds the request target
            byte for byte where `protocol` is strict.
        address: host and port; port 0 takes a free one.
        protocol: `strict(…)`, or uvicorn's own for what only friends reach.
        tls: certificate chain and private key, PEM.
    """

    def __init__(
        self,
        app: Any,
        address: tuple[str, int],
        *,
        protocol: type[HttpToolsProtocol] = HttpToolsProtocol,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._config = uvicorn.Config(
            app,
            access_log=False,
            date_header=False,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            ws="none",
        )
        self._config.load()
        # It logs tracebacks of what the app let through; the app lets nothing through but a
        # response that SOE cut, which is told by the app itself.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._address = address
        self._protocol = protocol
        self._tls = _server_context(tls) if tls else None
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Bind and listen; returns the URL with the real port.

        Raises:
            OSError: the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(
            lambda: self._protocol(self._config, self._state, {}),
            host,
            port,
            backlog=_BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self, drain: float) -> None:
        """Accept nothing more, finish what is in flight, close; `drain` seconds at most.

        Apps that are not done by then lose their clients, and go on.
        """
        assert self._server is not None
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain
        while (self._state.tasks or self._state.connections) and loop.time() < deadline:  # noqa: ASYNC110  # both sets are uvicorn's, and tell nobody
            await asyncio.sleep(_DRAIN_TICK)
        for connection in list(self._state.connections):
            connection.transport.abort()


def _server_context(tls: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(*tls)
    return context
