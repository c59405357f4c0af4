"""A listening server in the running loop, of the strict protocol or of uvicorn's own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_BACKLOG = 2048
_HANDSHAKE_SECONDS = 10.0
_DRAIN_TICK = 0.02
_ARRIVING_TICKS = 12
"""For how long a stop waits for the first request of a connection that was just made.

Ticks tell it better than the clock, which goes on while the process stands still: what arrived
meanwhile is read before the next.
"""


class Listener:
    """A listening server in the running loop. It takes no signals and reads no settings.

    Args:
        app: an ASGI app. It is never cancelled; `scope["raw_target"]` holds the request target
            byte for byte where `protocol` is strict.
        address: host and port; port 0 takes a free one.
        protocol: `strict(…)`, or uvicorn's own for what only friends reach.
        tls: certificate chain and private key, PEM.
        client_ca: authorities by which the certificates of clients are checked, PEM. A client may
            come without one; with one that is not right it does not come in.
    """

    def __init__(
        self,
        app: Any,
        address: tuple[str, int],
        *,
        protocol: type[HttpToolsProtocol] = HttpToolsProtocol,
        tls: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
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
        self._tls = _server_context(tls, client_ca) if tls else None
        self._state = ServerState()
        self._accepted: WeakSet[HttpToolsProtocol] = WeakSet()
        self._server: asyncio.Server | None = None

    async def start(self, *, reuse_port: bool = False) -> str:
        """Bind and listen; returns the URL with the real port.

        Args:
            reuse_port: others of this user may listen there too, and the kernel deals the
                connections out (Linux, `SO_REUSEPORT`).

        Raises:
            OSError: the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(
            self._connection,
            host,
            port,
            backlog=_BACKLOG,
            reuse_port=reuse_port,
            ssl=self._tls,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self, drain: float) -> None:
        """Accept nothing more, finish what is in flight, close; `drain` seconds at most.

        What the kernel has connected already is accepted first, since it gives such connections to
        no other listener of the port; only one whose handshake ends while the socket closes is
        lost (Linux, ip-sysctl, `tcp_migrate_req`). Apps that are not done by then lose their
        clients, and go on.
        """
        assert self._server is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain
        listening = [os.dup(each.fileno()) for each in self._server.sockets]
        self._server.close()
        taking = self._take(tuple(_queued(listening)))
        told: set[Any] = set()
        ticks = 0
        while loop.time() < deadline:
            arriving = ticks < _ARRIVING_TICKS
            self._shut_down(told, spare_new=arriving)
            is_taken = taking.done() or not arriving
            if is_taken and not self._is_in_use(coming=arriving):
                break
            await asyncio.sleep(_DRAIN_TICK)
            ticks += 1
        taking.cancel()
        await asyncio.wait([taking])
        if not taking.cancelled():
            taking.exception()  # a gathering that was cancelled has one, too
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _connection(self) -> HttpToolsProtocol:
        protocol = self._protocol(self._config, self._state, {})
        self._accepted.add(protocol)
        return protocol

    def _is_in_use(self, *, coming: bool) -> bool:
        """Whether there are connections; `coming`: also such as had no turn of the loop yet.

        uvicorn's state learns of a connection when it is made, which is a turn after it was
        accepted, and after the handshake of TLS.
        """
        made = bool(self._state.tasks or self._state.connections)
        return made or (coming and any(each.transport is None for each in self._accepted))

    def _take(self, accepted: tuple[socket.socket, ...]) -> asyncio.Future[Any]:
        """Begin to serve connections that the closed listener had in its queue."""
        loop = asyncio.get_running_loop()
        handshake = _HANDSHAKE_SECONDS if self._tls else None
        taking = [
            loop.connect_accepted_socket(
                self._connection, each, ssl=self._tls, ssl_handshake_timeout=handshake
            )
            for each in accepted
        ]
        return asyncio.gather(*taking, return_exceptions=True)

    def _shut_down(self, told: set[Any], *, spare_new: bool) -> None:
        """Tell each once: close what is idle, and what runs after its answer."""
        connections: set[Any] = self._state.connections - told
        for connection in connections:
            if connection.cycle is not None or not spare_new:
                told.add(connection)
                connection.shutdown()


def _queued(listening: list[int]) -> Iterator[socket.socket]:
    """Accept what waits, and close."""
    for fd in listening:
        with socket.socket(fileno=fd) as listener, contextlib.suppress(OSError):
            listener.settimeout(0)
            while True:
                accepted, _ = listener.accept()
                accepted.settimeout(0)
                yield accepted


def _server_context(tls: tuple[Path, Path], client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(*tls)
    return context
