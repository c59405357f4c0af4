"""Run the gateway before Stack Overflow Enterprise.

Settings come from flags, SOE_GATEWAY_… in the environment and gateway.yaml, in this order. One JSON
line says where it listens when it is ready. SIGTERM and SIGINT finish what is in flight; SIGHUP
looks at the policy files at once.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import gc
import itertools
import os
import secrets
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import orjson
import uvloop

from gateway.admin.app import admin_app
from gateway.audit.chain import Chain
from gateway.audit.key import derived, load_or_make_key
from gateway.audit.recovery import recover
from gateway.audit.sinks import open_sink
from gateway.audit.writer import AuditWriter
from gateway.clock import SystemClock
from gateway.errors import GatewayError, ProblemsError
from gateway.model import Settlement
from gateway.observe.logs import Output, logger
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.load import load
from gateway.ports import Store
from gateway.proxy.app import ProxyApp
from gateway.proxy.forward import Forwarding
from gateway.proxy.listener import Listener
from gateway.proxy.passthrough import Passthrough
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.reload import Policies
from gateway.proxy.server import ServerLimits, strict
from gateway.proxy.upstream import Pool, Timeouts, tls_context
from gateway.settings import Settings, load_settings
from gateway.state import open_store

_FLAGS: Mapping[str, tuple[str, str]] = {
    "--listen": ("server.listen", "HOST:PORT of the proxy (127.0.0.1:8080); port 0 takes a free one"),
    "--admin-listen": ("server.admin_listen", "HOST:PORT of health and metrics (127.0.0.1:9180)"),
    "--upstream": ("upstream.url", "Stack Overflow Enterprise, as https://host"),
    "--policies": ("policies.directory", "the site's own policy files; without it the shipped ones"),
    "--state": ("state.url", "sqlite:///path or memory:"),
    "--audit": ("audit.sinks", "file:///directory or stdout:; may be given again"),
    "--data": ("data.directory", "where the gateway keeps its files (data)"),
    "--workers": ("server.workers", "processes; this version has one"),
    "--tls-cert": ("server.tls_cert", "certificate chain for clients, PEM"),
    "--tls-key": ("server.tls_key", "its private key, PEM"),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that stand for settings."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    for flag, (_, meaning) in _FLAGS.items():
        parser.add_argument(flag, help=meaning, action="append" if flag == "--audit" else "store")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Serve until told to stop; 1 where the settings, policies or files are wrong."""
    flags = {}
    for flag, (name, _) in _FLAGS.items():
        given = getattr(args, flag[2:].replace("-", "_"))
        if given is not None:
            flags[name] = ",".join(given) if isinstance(given, list) else given
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config)
        uvloop.run(Gateway(settings).serve())
    except ProblemsError as error:
        for problem in error.problems:
            print(problem, file=out)
        return 1
    except (GatewayError, OSError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    return 0


class Gateway:
    """One process of the gateway: its parts, put together from the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data: Path = settings["data.directory"]
        self._ready = False

    async def serve(self) -> None:
        """Start everything, wait for a signal, stop everything in order."""
        settings = self._settings
        metrics = Metrics()
        output = Output(on_drop=metrics.log_dropped.inc)
        observer = Observer(logger(settings["log.level"], output), metrics)
        output.held = True
        for warning in settings.warnings:
            observer.event("settings.weak", setting=warning)
        policies = Policies(self._load, settings["policies.directory"], observer)
        clock = SystemClock()
        key, _ = load_or_make_key(settings["audit.key_file"] or self._data / "audit.key")
        store = open_store(
            settings["state.url"] or f"sqlite:///{(self._data / 'state.db').absolute()}",
            keep=settings["state.keep"],
            timeout=settings["state.timeout"],
        )
        await self._recover(store, key, clock, observer)
        audit = self._open_audit(key, clock, observer)
        pool = self._pool()
        app = self._app(policies, store, audit, pool, derived(key, "digests"), clock, observer)
        tls = (settings["server.tls_cert"], settings["server.tls_key"])
        proxy = Listener(
            app,
            settings["server.listen"],
            protocol=strict(self._limits(), observer.refused_on_the_wire),
            tls=tls if all(tls) else None,
        )
        admin = Listener(
            admin_app(metrics, lambda: self._ready, lambda: policies.current.revision),
            settings["server.admin_listen"],
        )
        stop = _signals(policies)
        watching = asyncio.create_task(policies.watch())
        proxy_url, admin_url = await proxy.start(), await admin.start()
        self._ready = True
        gc.freeze()  # what lives as long as the process is not looked at again
        print(
            orjson.dumps(
                {"event": "server.listening", "proxy": proxy_url, "admin": admin_url}
            ).decode(),
            flush=True,
        )
        output.held = False
        output.flush()
        await stop.wait()
        self._ready = False
        observer.event("server.stopping")
        watching.cancel()
        await proxy.stop(settings["server.drain"])
        await pool.aclose()
        await store.close()
        await audit.close()
        await admin.stop(0)
        observer.event("server.stopped")

    def _app(
        self,
        policies: Policies,
        store: Store,
        audit: AuditWriter,
        pool: Pool,
        secret: bytes,
        clock: SystemClock,
        observer: Observer,
    ) -> ProxyApp:
        settings = self._settings
        forwarding = Forwarding(
            authority=pool.origin.authority,
            url=pool.origin.url,
            trusted=settings["proxy.trusted"] or (),
        )
        return ProxyApp(
            policies=policies,
            pipeline=Pipeline(
                store=store,
                audit=audit,
                upstream=pool,
                forwarding=forwarding,
                clock=clock,
                observer=observer,
                contact=settings.contact,
                anonymous=settings["identify.anonymous.write"],
                secret=secret,
            ),
            passthrough=Passthrough(
                upstream=pool,
                forwarding=forwarding,
                anonymous=settings["identify.anonymous.read"],
                secret=secret,
            ),
            observer=observer,
            contact=settings.contact,
            new_id=_ids(clock),
        )

    def _load(self) -> Any:
        shipped = self._settings["policies.shipped"]
        return load(
            self._settings["policies.directory"],
            today=datetime.datetime.now(datetime.UTC).date(),
            shipped=None if shipped == "auto" else shipped == "true",
        )

    async def _recover(
        self, store: Any, key: bytes, clock: SystemClock, observer: Observer
    ) -> None:
        """Give the writes that a dead process left open their outcomes, in log and state."""
        for directory in self._audit_directories():
            for found in recover(directory, key, clock.now()):
                await store.settle(found.write_id, Settlement(outcome=found.outcome))
                observer.recovered(found.write_id, found.outcome)

    def _sinks(self) -> tuple[str, ...]:
        default = (f"file://{(self._data / 'audit').absolute()}",)
        return self._settings["audit.sinks"] or default

    def _audit_directories(self) -> list[Path]:
        return [Path(url.removeprefix("file://")) for url in self._sinks() if url[:5] == "file:"]

    def _open_audit(self, key: bytes, clock: SystemClock, observer: Observer) -> AuditWriter:
        writer = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        sinks = [open_sink(url, writer) for url in self._sinks()]
        return AuditWriter(sinks, Chain(key, writer), clock, observer.audit_synced)

    def _pool(self) -> Pool:
        settings = self._settings
        origin = settings["upstream.url"]
        ca_file = settings["upstream.ca_file"]
        return Pool(
            origin,
            ssl_context=tls_context(str(ca_file) if ca_file else None)
            if origin.scheme == "https"
            else None,
            timeouts=Timeouts(
                connect=settings["upstream.connect_timeout"],
                first_byte=settings["upstream.first_byte_timeout"],
                total=settings["upstream.total_timeout"],
            ),
            connections=settings["upstream.connections"],
        )

    def _limits(self) -> ServerLimits:
        return ServerLimits(
            head_seconds=self._settings["server.head_timeout"],
            body_seconds=self._settings["server.body_timeout"],
            idle_seconds=self._settings["server.idle_timeout"],
        )


def _signals(policies: Policies) -> asyncio.Event:
    """Give the event that SIGTERM and SIGINT set."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reloading: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(policies.reload())
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    return stop


def _ids(clock: SystemClock) -> Callable[[], str]:
    """Give what makes decision ids: the instant, so that they sort, this process, and a number."""
    process, numbers = secrets.token_hex(6), itertools.count()

    def new_id() -> str:
        return f"{int(clock.now() * 1000):012x}{process}{next(numbers):08x}"

    return new_id
