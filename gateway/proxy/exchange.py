"""One HTTP exchange with a client over ASGI: the request as received, and the ways to answer it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.errors import GatewayError, RequestError
from gateway.model import ANONYMOUS, Headers, Reply
from gateway.ports import UpstreamResponse


class ClientGoneError(GatewayError):
    """The client left, before its request was whole or before it had its answer."""


class Receive(Protocol):
    """ASGI's receive."""

    async def __call__(self) -> Any: ...


class Send(Protocol):
    """ASGI's send."""

    async def __call__(self, message: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: a whole reply of ours, or SOE's with `rest` still streaming behind its body.

    `when_lost` is to be called where the client did not get all of it.
    """

    status: int
    headers: Headers
    body: bytes = field(default=b"", repr=False)
    rest: UpstreamResponse | None = None
    when_lost: Callable[[], Awaitable[None]] | None = None

    @classmethod
    def of(cls, reply: Reply) -> Response:
        """The gateway's own reply as an answer."""
        return cls(reply.status, reply.headers, reply.body)


class Exchange:
    """A request as the strict server received it: raw target, fields in order, body on demand.

    `certificate` has the names in the certificate of its handshake; `credential` is the field that
    goes to SOE in place of the credentials that it has none of. Beside the request it carries
    what became known of it on its way, for the one log line:
    `known_id`, `integration`, `operation`, `effect`, and the `code` of what stopped it.
    """

    __slots__ = (
        "_client_gone",
        "_new_id",
        "_receive",
        "_send",
        "certificate",
        "client",
        "code",
        "credential",
        "effect",
        "headers",
        "integration",
        "known_id",
        "method",
        "operation",
        "scheme",
        "target",
        "upstream_seconds",
    )

    def __init__(self, scope: Any, receive: Receive, send: Send, new_id: Callable[[], str]) -> None:
        self.known_id = ""
        self._new_id = new_id
        self.integration = ANONYMOUS
        self.operation = ""
        self.credential: tuple[bytes, bytes] | None = None
        self.effect = ""
        self.code = ""
        self.upstream_seconds = 0.0
        self.method: str = scope["method"]
        self.target: bytes = scope["raw_target"]
        self.headers: Headers = tuple(scope["headers"])
        self.client: str = scope["client"][0] if scope["client"] else ""
        self.scheme: str = scope["scheme"]
        self.certificate: tuple[str, ...] = scope.get("certificate", ())
        self._client_gone: Callable[[], bool] = scope.get("client_gone", bool)  # stays
        self._receive = receive
        self._send = send

    @property
    def decision_id(self) -> str:
        """The decision's id, made when somebody asks for it: a read that passes has none."""
        if not self.known_id:
            self.known_id = self._new_id()
        return self.known_id

    @property
    def client_gone(self) -> bool:
        """Whether the client is known to be gone; another may leave at any moment."""
        return self._client_gone()

    async def body(self, limit: int) -> bytes:
        """Read the whole body; what declares itself too long is refused before it is asked for.

        Raises:
            RequestError: `body_too_large` (413).
            ClientGoneError: the client left in the middle.
        """
        if int(one(self.headers, b"content-length") or 0) > limit:
            raise _too_large(limit)
        body = b""
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise _too_large(limit)
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Stream the body as it arrives."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if chunk := message.get("body"):
                yield chunk
            if not message.get("more_body"):
                return

    async def answer(self, response: Response) -> int:
        """Send an answer, streaming what is still to come; returns the bytes of its body.

        Raises:
            UpstreamError: SOE cut its body; the client's connection is left incomplete and closes.
            ClientGoneError: the client left before it had all.
        """
        try:
            await self._send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": response.headers,
                }
            )
            if response.rest is not None:
                return await self._stream(response.body, response.rest)
            await self._send({"type": "http.response.body", "body": response.body})
            return len(response.body)
        except OSError:
            raise ClientGoneError from None
        finally:
            if response.rest is not None:
                await response.rest.aclose()

    async def _stream(self, body: bytes, rest: UpstreamResponse) -> int:
        sent = 0
        chunk = body or await rest.read()
        while not rest.complete:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            sent += len(chunk)
            chunk = await rest.read()
        await self._send({"type": "http.response.body", "body": chunk})
        return sent + len(chunk)


def one(headers: Headers, name: bytes) -> bytes | None:
    """The value of a field that was checked to stand at most once."""
    for each, value in headers:
        if each == name:
            return value
    return None


def _too_large(limit: int) -> RequestError:
    return RequestError(413, "body_too_large", f"The body may have at most {limit} bytes.")
