"""What a process of the gateway does differently alone and as a worker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

import orjson

from gateway.admin.app import admin_app
from gateway.admin.console import Console
from gateway.cli.serving.started import InForce, tell_started
from gateway.observe.fate import FATE_FILE, FateMetrics
from gateway.observe.logs import Output, logger
from gateway.observe.metrics import Metrics
from gateway.observe.observer import InForce as Loaded
from gateway.observe.observer import Observer
from gateway.proxy.listener import Listener
from gateway.proxy.reload import Policies
from gateway.settings import Settings


class Front(Protocol):
    """What a process does differently alone and as a worker."""

    shares_port: bool

    def observer(self, settings: Settings, output: Output, metrics: Metrics) -> Observer:
        """Make what logs and counts."""

    async def open(
        self,
        proxy: str,
        metrics: Metrics,
        policies: Policies,
        console: Callable[[], Console | None],
    ) -> None:
        """Tell that the proxy listens; ends when logs may be written."""

    async def follow(self, stop: asyncio.Event) -> None:
        """Set `stop` when there is a reason but signals."""

    def stopping(self) -> None:
        """Tell that the proxy ceases to listen."""

    async def close(self) -> None:
        """Give back what is held open."""


class Alone:
    """The front of an only process: a listener for admins, and a line that says where it listens."""

    shares_port = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = False

    def observer(self, settings: Settings, output: Output, metrics: Metrics) -> Observer:
        """As `Front.observer`."""
        self._observer = Observer(logger(settings["log.level"], output), metrics)
        return self._observer

    async def open(
        self,
        proxy: str,
        metrics: Metrics,
        policies: Policies,
        console: Callable[[], Console | None],
    ) -> None:
        """As `Front.open`."""
        fate = FateMetrics(self._settings["data.directory"] / FATE_FILE)
        metrics.registry.register(fate)
        self._console = console()
        self._admin = Listener(
            admin_app(
                metrics, lambda: self._ready, lambda: policies.current.revision, self._console
            ),
            self._settings["server.admin_listen"],
        )
        admin = await self._admin.start()
        self._ready = True
        told = _in_force(policies.current)
        tell_started(self._settings, self._observer.event, proxy, admin, told)

    async def follow(self, stop: asyncio.Event) -> None:
        """As `Front.follow`: there is none."""

    def stopping(self) -> None:
        """As `Front.stopping`."""
        self._ready = False

    async def close(self) -> None:
        """As `Front.close`."""
        await self._admin.stop(0)
        if self._console is not None:
            await self._console.close()


class Member:
    """The front of a worker: it tells its supervisor how it is, and ends when that is gone.

    Args:
        channel: to the supervisor. The worker says how it is in JSON lines; the supervisor sends one
            line when logs may be written, and never closes its end while it lives.
    """

    shares_port = True

    def __init__(self, number: int, channel: socket.socket) -> None:
        self._number = number
        self._channel = channel
        self._writer: asyncio.StreamWriter | None = None
        self._how = {"ready": False, "proxy": "", "policies": asdict(InForce())}

    def observer(self, settings: Settings, output: Output, metrics: Metrics) -> Observer:
        """As `Front.observer`; every line says which worker speaks."""
        log = logger(settings["log.level"], output).bind(worker=self._number)
        return _Telling(log, metrics, lambda told: self._tell(policies=asdict(told)))

    async def open(
        self,
        proxy: str,
        metrics: Metrics,
        policies: Policies,
        console: Callable[[], Console | None],
    ) -> None:
        """As `Front.open`; the supervisor has the console."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._channel)
        self._tell(ready=True, proxy=proxy)
        with contextlib.suppress(OSError):
            await self._reader.readline()

    async def follow(self, stop: asyncio.Event) -> None:
        """As `Front.follow`: the supervisor is gone, or wants all to end."""
        with contextlib.suppress(OSError):
            await self._reader.read()
        stop.set()

    def stopping(self) -> None:
        """As `Front.stopping`."""
        self._tell(ready=False)

    async def close(self) -> None:
        """As `Front.close`."""
        if self._writer is not None:
            self._writer.close()

    def _tell(self, **changed: object) -> None:
        self._how |= changed
        if self._writer is not None:
            self._writer.write(orjson.dumps(self._how) + b"\n")


class _Telling(Observer):
    """Tells the supervisor, too, which policies are in force."""

    def __init__(self, log: Any, metrics: Metrics, tell: Callable[[InForce], None]) -> None:
        super().__init__(log, metrics)
        self._tell = tell

    def policies_loaded(self, policies: Loaded) -> None:
        super().policies_loaded(policies)
        self._tell(_in_force(policies))


def _in_force(policies: Loaded) -> InForce:
    return InForce(
        revision=policies.revision, enforcing=policies.enforcing, shipped=policies.shipped
    )
