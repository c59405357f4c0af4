"""A listening server in the running loop, of the strict protocol or of uvicorn's own."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_BACKLOG = 2048
_HANDSHAKE_SECONDS = 10.0
_DRAIN_TICK = 0.02


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
