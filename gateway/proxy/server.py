"""HTTP in: uvicorn's connection handling behind a strict reader of our own.

Laws: what reaches the app is exactly one well-formed request; the bytes after it are looked at
only when its response has left, so no refusal overtakes a running request; nothing is waited for
without a deadline; a request that was not read to its end ends its connection.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from gateway.proxy.framing import Chunked, Counted
from gateway.proxy.head import Head, HeadError, check_beginning, read_head

_HIGH_WATER = 65_536
_LINGER_SECONDS = 1.0
"""How long what is left of a refused body is thrown away, so that its sender reads our answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a client may send, and how long it may take, in bytes and seconds.

    Attributes:
        body_pause: the longest silence within a body.
    """

    head_bytes: int = 32_768
    fields: int = 100
    target_bytes: int = 8_192
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_pause: float = 10.0
    idle_seconds: float = 60.0


class StrictProtocol(HttpToolsProtocol):
    """One client connection: one request at a time, read by our rules.

    Of uvicorn's protocol it keeps the connection, its flow control and the response side; the
    parser, and every leniency of it, is left out.
    """

    limits = ServerLimits()
    on_refused: Callable[[str], None] = staticmethod(lambda _: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffer = bytearray()
        self._body: Counted | Chunked | None = None
        self._busy = False
        self._discarding = False
        self._deadline: asyncio.TimerHandle | None = None
        self._body_ends_at = 0.0

    # ── the connection ───────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """A client connected; its first head is due."""
        super().connection_made(transport)
        self._set_deadline(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; a running request goes on without it."""
        self._clear_deadline()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio
        """Nothing more comes: keep the line open for a response that is under way."""
        answering = self._busy and self._body is None and not self.cycle.response_complete
        if answering:
            self.cycle.keep_alive = False
        return answering

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a head, of a body, or of what follows the running request."""
        if self._discarding:
            return
        self._buffer += data
        if self._busy and self._body is None:
            if len(self._buffer) > _HIGH_WATER:
                self.flow.pause_reading()
            return
        self._advance()

    def on_response_complete(self) -> None:
        """The response left: go on with what came meanwhile, or wait for the next head."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._body is not None:
            self._discard()
            return
        self._busy = False
        self._set_deadline(self.limits.head_seconds if self._buffer else self.limits.idle_seconds)
        if self._buffer:
            self.loop.call_soon(self._advance)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        if self.transport.is_closing() or (self._busy and self._body is None):
            return
        try:
            if self._body is None and not self._read_head():
                return
            self._read_body()
        except HeadError as error:
            self._refuse(error)

    def _read_head(self) -> bool:
        """Read a head if the whole of it is here, and start the app on it."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or end + 4 > self.limits.head_bytes:
            if buffer:
                check_beginning(bytes(buffer), self.limits.target_bytes)
            if len(buffer) > self.limits.head_bytes:
                raise HeadError(431, "head_too_large")
            if not self._busy and self._deadline is None:
                self._set_deadline(self.limits.head_seconds)
            return False
        data = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        head = read_head(data, fields=self.limits.fields, target_bytes=self.limits.target_bytes)
        self._body = Chunked() if head.length is None else Counted(head.length)
        self._busy = True
        self._start(head)
        self._body_ends_at = self.loop.time() + self.limits.body_seconds
        return True

    def _read_body(self) -> None:
        assert self._body is not None
        taken = self._body.take(self._buffer)
        cycle = self.cycle
        if taken:
            cycle.body += taken
            if len(cycle.body) > _HIGH_WATER:
                self.flow.pause_reading()
        if self._body.ended:
            self._body = None
            self._clear_deadline()
            cycle.more_body = False
            cycle.message_event.set()
            return
        if taken:
            cycle.message_event.set()
        left = self._body_ends_at - self.loop.time()
        self._set_deadline(max(0.0, min(self.limits.body_pause, left)))

    def _start(self, head: Head) -> None:
        self.scope = {  # type: ignore[typeddict-unknown-key]  # raw_target is ours
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "method": head.method,
            "path": "",
            "raw_path": head.target,
            "query_string": b"",
            "headers": head.headers,
            "raw_target": head.target,
        }
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
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

    # ── refusing ─────────────────────────────────────────────────────────────────────────────

    def _refuse(self, error: HeadError) -> None:
        """Answer what is no request, and close; a running app sees its client leave."""
        self.on_refused(error.code)
        if self._busy and not self.cycle.response_complete:
            started = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if started:
                self.transport.close()
                return
        self.transport.write(_answer(error))
        self._discard()

    def _discard(self) -> None:
        """Throw away what still comes, for a moment, then close."""
        self._discarding = True
        self._buffer.clear()
        self.flow.resume_reading()
        self._set_deadline(_LINGER_SECONDS, close=True)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _set_deadline(self, seconds: float, *, close: bool = False) -> None:
        self._clear_deadline()
        act = self.transport.close if close else self._late
        self._deadline = self.loop.call_later(seconds, act)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if not self._busy and not self._buffer:  # nothing was begun
            self.transport.close()
            return
        self._refuse(HeadError(408, "request_timeout"))


def strict(limits: ServerLimits, on_refused: Callable[[str], None]) -> type[StrictProtocol]:
    """Make the protocol with its limits, and whom to tell the code of what it refused."""
    return type(
        "Strict", (StrictProtocol,), {"limits": limits, "on_refused": staticmethod(on_refused)}
    )


def _answer(error: HeadError) -> bytes:
    body = orjson.dumps(
        {
            "type": f"/_gateway/problems/{error.code}",
            "title": "Not a request that is understood here",
            "status": error.status,
            "detail": "The bytes are not one well-formed HTTP/1.1 request; nothing was forwarded.",
            "code": error.code,
        }
    )
    return b"%scontent-type: application/problem+json\r\ncontent-length: %d\r\n%s\r\n%s" % (
        STATUS_LINE[error.status],
        len(body),
        b"x-content-type-options: nosniff\r\nconnection: close\r\n",
        body,
    )


class Listener:
    """A listening server in the running loop. It takes no signals and reads no settings."""

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
        """Bind and listen; returns the URL with the real port."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(
            lambda: self._protocol(self._config, self._state, {}), host, port, ssl=self._tls
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self, drain: float) -> None:
        """Accept nothing more, finish what is in flight, close; `drain` seconds at most."""
        assert self._server is not None
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain
        while self._state.tasks and loop.time() < deadline:
            await asyncio.wait(list(self._state.tasks), timeout=deadline - loop.time())
        for connection in list(self._state.connections):
            connection.transport.close()


def _server_context(tls: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(*tls)
    return context
