"""The pool as an httpx transport: for our own reads, the command line and tests.

What the pool does not do, httpx does not do through it: no redirects by itself, no cookies, no
proxies, no retries. `request.extensions["target"]` is sent byte for byte where it is given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from gateway.errors import UpstreamError
from gateway.model import Outcome
from gateway.ports import UpstreamResponse
from gateway.proxy.upstream import Pool

_ERRORS: dict[str, type[httpx.TransportError]] = {
    "connect_timeout": httpx.ConnectTimeout,
    "first_byte_timeout": httpx.ReadTimeout,
    "malformed": httpx.RemoteProtocolError,
    "pool_exhausted": httpx.PoolTimeout,
    "total_timeout": httpx.ReadTimeout,
}


class PoolTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests through a pool, to its one origin whatever their host."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.TransportError: a `ConnectError` or `PoolTimeout` where nothing was sent.
        """
        target = request.extensions.get("target", request.url.raw_path)
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)
        stream = request.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            response = await self._pool.send(
                request.method, target, headers, aiter(stream) if framed else None
            )
        except UpstreamError as error:
            raise _translated(error, request) from error
        return httpx.Response(
            response.status,
            headers=list(response.headers),
            stream=_Body(response, request),
            request=request,
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """A response's body as httpx reads it."""

    def __init__(self, response: UpstreamResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while not self._response.complete:
                if chunk := await self._response.read():
                    yield chunk
        except UpstreamError as error:
            raise _translated(error, self._request) from error

    async def aclose(self) -> None:
        await self._response.aclose()


def _translated(error: UpstreamError, request: httpx.Request) -> httpx.TransportError:
    unsent = httpx.ConnectError if error.outcome is Outcome.NOT_SENT else httpx.ReadError
    return _ERRORS.get(error.code, unsent)(error.code, request=request)
