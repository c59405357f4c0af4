"""HTTP in: uvicorn's connection handling behind a strict reader of our own.

Laws: what reaches the app is exactly one well-formed request; the bytes after it are looked at
only when its response has left, so no refusal overtakes a running request; nothing is waited for
without a deadline; a request that was not read to its end ends its connection; no app is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf
from types import SimpleNamespace
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.proxy.certificates import names_in_handshake
from gateway.proxy.framing import Chunked, Counted
from gateway.proxy.head import Head, check_beginning, read_head
from gateway.proxy.refusals import ANSWERS, WireError
from gateway.proxy.response import Cycle

_HIGH_WATER = 65_536


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
        self._certificate: tuple[str, ...] = ()
        self._due = inf
        self._act = self._late
        self._timer: asyncio.TimerHandle | None = None
        self._rings = inf
        self._unread: asyncio.TimerHandle | None = None

    # ── the connection ───────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """A client connected; its first head is due."""
        super().connection_made(transport)
        self._certificate = names_in_handshake(transport.get_extra_info("peercert"))
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
            "certificate": self._certificate,
            "client_gone": self.transport.is_closing,
        }
        self.cycle = Cycle(
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
        if self._timer is None or self._rings > self._due:
            self._clear_timer()
            self._set_timer()

    def _ring(self) -> None:
        self._timer = None
        if self._due == inf:
            return
        if self._due > self.loop.time():
            self._set_timer()
            return
        self._due = inf
        self._act()

    def _set_timer(self) -> None:
        # Kept here: of what is due at once, uvloop gives a handle that does not know when it is.
        self._rings = self._due
        self._timer = self.loop.call_at(self._due, self._ring)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def strict(limits: ServerLimits, on_refused: Callable[[str], None]) -> type[StrictProtocol]:
    """Make the protocol with its limits, and whom to tell the code of what it refused."""
    return type(
        "Strict", (StrictProtocol,), {"limits": limits, "on_refused": staticmethod(on_refused)}
    )
