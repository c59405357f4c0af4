"""The response side of a client's connection: uvicorn's exchange, its bytes put together by us."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle


class Cycle(RequestResponseCycle):
    """uvicorn's exchange with the app; the response's bytes are put together here.

    The head waits for the first bytes of the body, so that a small response is one write.
    """

    _head = b""

    async def send(self, message: Any) -> None:
        """Send a part of the response.

        Raises:
            ConnectionResetError: the client is gone (ASGI 2.4).
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            raise ConnectionResetError("the client is gone")
        if self.response_complete:  # or its bytes would answer the next request
            raise RuntimeError("the response is complete")
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
        else:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))

    async def send_500_response(self) -> None:
        """Tell a client that is still there that its app broke down."""
        with contextlib.suppress(ConnectionResetError):
            await super().send_500_response()

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
