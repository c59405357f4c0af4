"""The supervisor: starts workers that share the proxy's port, keeps them running, speaks for all.

It judges and forwards nothing, so hardly anything can make it fail. It owns the port, the admin
listener with the console, and the files in which the workers count; a worker tells it how it is
through a channel of its own, whose end tells the worker that it is alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.admin.app import admin_app
from gateway.admin.console import Console
from gateway.audit.key import Keys
from gateway.audit.writer import AuditWriter
from gateway.cli.assembly import (
    audit_directories,
    audit_keys,
    open_audit,
    open_state,
    open_switches,
    state_terms,
)
from gateway.cli.serving.console import RecordedWhenAsked, is_on, open_console
from gateway.cli.serving.nursery import Child, Nursery
from gateway.cli.serving.opening import AGAIN_AFTER, LateStore
from gateway.cli.serving.parts import open_holds, open_policies
from gateway.cli.serving.started import InForce, tell_started
from gateway.cli.serving.worker import one_at_a_time
from gateway.clock import SystemClock
from gateway.errors import GatewayError, StoreError
from gateway.observe.fate import FATE_FILE, FateMetrics
from gateway.observe.logs import Output, logger
from gateway.observe.metrics import Metrics, WorkersMetrics
from gateway.observe.observer import Observer
from gateway.proxy.listener import Listener
from gateway.proxy.switches import watch
from gateway.settings import Settings
from gateway.settings.readers import Address

_PATIENCE = 5.0
"""Seconds beyond the drain that workers have for settling, syncing and closing."""
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0
_STEADY_SECONDS = 10.0
"""A worker that lived so long did not die of its start."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A running worker, and what it told last."""

    process: Child
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ready: bool = False
    proxy: str = ""

    def let_log(self) -> None:
        """Let its log lines come out."""
        self.writer.write(b"\n")

    def end(self) -> None:
        """Let it finish what is in flight; saying it again changes nothing."""
        self.process.signal(signal.SIGTERM)
        if not self.writer.is_closing():
            self.writer.write_eof()  # also for one that waits for its leave to log


class Supervisor:
    """Runs `server.workers` workers.

    Args:
        nursery: forks them.
    """

    def __init__(self, settings: Settings, nursery: Nursery) -> None:
        self._settings = settings
        self._nursery = nursery
        self._workers: dict[int, _Worker] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._policies = InForce()
        self._failed = ""
        self._listening = False
        self._stopping = asyncio.Event()

    async def serve(self) -> None:
        """Run workers until a signal comes.

        Raises:
            GatewayError: they do not start; the one that failed has said why.
            OSError: an address cannot be had.
        """
        settings = self._settings
        output = Output()
        output.held = True
        self._log = logger(settings["log.level"], output)
        with tempfile.TemporaryDirectory(prefix="soe-gateway-") as files:
            self._files = files
            self._metrics = WorkersMetrics(Path(files), self._processes)
            self._metrics.registry.register(FateMetrics(settings["data.directory"] / FATE_FILE))
            with _reserved(*settings["server.listen"]) as self._listen:
                async with self._console() as console:
                    admin = Listener(
                        admin_app(
                            self._metrics, self._is_ready, lambda: self._policies.revision, console
                        ),
                        settings["server.admin_listen"],
                    )
                    url = await admin.start()
                    self._take_signals()
                    self._nursery.listen(self._lost)
                    await self._run(url, output)
                    self._nursery.close()
                    await admin.stop(0)
        if self._failed:
            raise GatewayError(self._failed)
        self._log.warning("server.stopped")

    @contextlib.asynccontextmanager
    async def _console(self) -> AsyncIterator[Console | None]:
        """Give the console, with a way to state of its own; None where the settings let nobody in.

        Raises:
            GatewayError: policies or key are wrong, as the workers would find, too.
        """
        settings, clock = self._settings, SystemClock()
        if not is_on(settings):
            yield None
            return
        observer = Observer(self._log, Metrics())  # of which nobody asks the metrics
        policies = open_policies(settings, clock, observer, secrets=False)
        keys = audit_keys(settings)
        key = keys.first
        store = LateStore()
        audit = RecordedWhenAsked(lambda: self._audit(keys, clock))
        switches = open_switches(
            settings, store, clock, tell=lambda _: None, fails=observer.switches_failed
        )
        holds = open_holds(settings, store, audit, key, clock, observer)
        background = [
            asyncio.create_task(self._open_state(store, key, observer)),
            asyncio.create_task(policies.watch()),
            asyncio.create_task(watch(switches, observer)),
        ]
        console = open_console(
            settings, key, clock, observer, audit, switches, lambda: policies.current, store, holds
        )
        try:
            yield console
        finally:
            if console is not None:
                await console.close()
            for task in background:
                task.cancel()
            await store.close()
            await audit.close()

    def _audit(self, keys: Keys, clock: SystemClock) -> AuditWriter:
        with one_at_a_time(audit_directories(self._settings)):
            return open_audit(self._settings, keys, clock)

    async def _open_state(self, store: LateStore, key: bytes, observer: Observer) -> None:
        """Open state for the console, when that can be."""
        terms = state_terms(self._settings, observer.event, key)
        while True:
            with contextlib.suppress(StoreError):
                store.opened(open_state(self._settings, terms))
                return
            await asyncio.sleep(AGAIN_AFTER)

    async def _run(self, admin: str, output: Output) -> None:
        async with asyncio.TaskGroup() as group:
            numbers = range(1, self._settings["server.workers"] + 1)
            # The first alone: it makes what is missing, and says what is wrong, once.
            proxies = [await self._start(group, number) for number in numbers[:1]]
            if all(proxies):
                others = [self._start(group, number) for number in numbers[1:]]
                proxies += await asyncio.gather(*others)
            if not self._failed and not self._stopping.is_set():
                tell_started(self._settings, self._log.warning, proxies[0], admin, self._policies)
                self._listening = True
                for worker in self._workers.values():
                    worker.let_log()
                output.held = False
                output.flush()
                await self._stopping.wait()
            self._end_workers()
            late = group.create_task(self._kill_the_late())
            await asyncio.gather(*self._keeping)
            late.cancel()

    async def _start(self, group: asyncio.TaskGroup, number: int) -> str:
        """Keep a worker from now on; gives its URL when it is ready, or nothing if it fails."""
        up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._keeping.append(group.create_task(self._keep(number, up)))
        return await up

    async def _keep(self, number: int, up: asyncio.Future[str]) -> None:
        """Run a worker, and another when it died, for ever; but for a first that never comes up."""
        loop = asyncio.get_running_loop()
        delay = _FIRST_DELAY
        while True:
            began = loop.time()
            try:
                pid, status = await self._run_once(number, up)
            except OSError as error:  # no process or no file is to be had
                pid, status = 0, str(error)
            if self._stopping.is_set():
                break
            if not up.done():
                self._failed = f"worker {number} ended before it was ready: {status}"
                break
            self._log.error("worker.died", worker=number, pid=pid, status=status)
            steady = loop.time() - began > _STEADY_SECONDS
            delay = _FIRST_DELAY if steady else min(_LONGEST_DELAY, delay * 2)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay * random.uniform(0.5, 1)):  # noqa: S311  # no secret
                    await self._stopping.wait()
                    break
            self._metrics.restarts.inc()
        if not up.done():
            up.set_result("")

    async def _run_once(self, number: int, up: asyncio.Future[str]) -> tuple[int, int | str]:
        """Run a worker until it ends; gives its process id and exit status."""
        worker = await self._spawn(number)
        await self._listen_to(worker, up)
        status = await worker.process.wait()
        worker.writer.close()
        del self._workers[number]
        self._metrics.ended(number)
        self._count_ready()
        return worker.process.pid, status

    async def _spawn(self, number: int) -> _Worker:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as unused, theirs:
            unused.callback(ours.close)
            process = await self._nursery.fork(number, self._listen, self._files, theirs)
            unused.pop_all()
        reader, writer = await asyncio.open_connection(sock=ours)
        worker = self._workers[number] = _Worker(process, reader, writer)
        if self._listening:
            worker.let_log()
        if self._stopping.is_set():
            worker.end()
        return worker

    async def _listen_to(self, worker: _Worker, up: asyncio.Future[str]) -> None:
        """Take what a worker tells, until it ends."""
        with contextlib.suppress(OSError):
            while line := await worker.reader.readline():
                told = orjson.loads(line)
                worker.ready = told["ready"]
                self._policies = InForce(**told["policies"])
                self._count_ready()
                if worker.ready and not up.done():
                    up.set_result(told["proxy"])
        worker.ready = False

    def _processes(self) -> dict[int, int]:
        return {number: worker.process.pid for number, worker in self._workers.copy().items()}

    def _count_ready(self) -> None:
        self._metrics.ready.set(sum(worker.ready for worker in self._workers.values()))

    def _is_ready(self) -> bool:
        ready = any(worker.ready for worker in self._workers.values())
        return ready and not self._stopping.is_set()

    # ── signals ──────────────────────────────────────────────────────────────────────────────

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._log.warning("server.stopping")
            self._end_workers()

    def _lost(self) -> None:
        """End all in order when no worker can be begun any more."""
        if not self._stopping.is_set():
            self._failed = "the process that starts workers ended"
            self._stop()

    def _end_workers(self) -> None:
        """Let all workers finish what is in flight, and start none any more."""
        self._stopping.set()
        for worker in self._workers.values():
            worker.end()

    def _reload(self) -> None:
        for worker in self._workers.values():
            if worker.ready:  # one that starts reads the files anyway, and takes no signal yet
                worker.process.signal(signal.SIGHUP)

    async def _kill_the_late(self) -> None:
        await asyncio.sleep(self._settings["server.drain"] + _PATIENCE)
        for worker in self._workers.values():
            worker.process.signal(signal.SIGKILL)


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[Address]:
    """Hold the proxy's addresses without listening; gives where the workers listen.

    Raises:
        OSError: an address cannot be had.
    """
    with contextlib.ExitStack() as held:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            if port:
                _refuse_taken(family, (address[0], port, *address[2:]))
            holder = held.enter_context(socket.socket(family, kind, protocol))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            holder.bind((address[0], port, *address[2:]))
            port = holder.getsockname()[1]
        yield host, port


def _refuse_taken(family: int, address: tuple[object, ...]) -> None:
    """Raise where somebody listens: another gateway of this user would share its port with us."""
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)
