"""One process of the gateway, put together from the settings."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from gateway.audit.key import Keys, derived
from gateway.audit.recovery import Recovered, recover
from gateway.audit.segments import locked
from gateway.canary import CanaryRun
from gateway.cli.assembly import (
    audit_directories,
    audit_keys,
    open_pool,
    open_state,
    open_switches,
    serve_audit,
    state_terms,
    with_shipped,
)
from gateway.cli.serving import collector
from gateway.cli.serving.console import open_console
from gateway.cli.serving.fronts import Front
from gateway.cli.serving.opening import AGAIN_AFTER, LateAudit, LateStore, may_pass
from gateway.cli.serving.parts import open_holds, open_people, open_policies
from gateway.clock import SystemClock
from gateway.errors import AuditError, StoreError
from gateway.model import Settlement
from gateway.observe.caps import CapUse
from gateway.observe.levels import Levels
from gateway.observe.logs import Output
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.observe.state import WatchedStore
from gateway.pages.pages import Pages
from gateway.policy.load import Source, sources
from gateway.ports import Administered, AuditLog, Store
from gateway.proxy.app import ProxyApp
from gateway.proxy.forward import Forwarding
from gateway.proxy.holds import EXPIRE_EVERY, Holds
from gateway.proxy.identify import Identifier
from gateway.proxy.listener import Listener
from gateway.proxy.passthrough import Passthrough
from gateway.proxy.persons import SoePersons
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.reload import Policies
from gateway.proxy.server import ServerLimits, strict
from gateway.proxy.switches import Switches, watch
from gateway.proxy.titles import SoeTitles
from gateway.proxy.tokens import Tokens
from gateway.proxy.upstream import Pool
from gateway.proxy.waiting import Confirming
from gateway.seal import Seal
from gateway.settings import Settings


class Gateway:
    """One process of the gateway: its parts, put together from the settings."""

    def __init__(self, settings: Settings, front: Front) -> None:
        self._settings = settings
        self._front = front

    async def serve(self) -> None:
        """Start everything, wait for a signal, stop everything in order."""
        settings, front = self._settings, self._front
        metrics = Metrics()
        output = Output(_standard_output(shared=front.shares_port), metrics.log_dropped.inc)
        output.held = True
        observer = front.observer(settings, output, metrics)
        clock = SystemClock()
        policies = open_policies(settings, clock, observer, secrets=True)
        keys = audit_keys(settings)
        key = keys.first
        pool, caps = open_pool(settings), CapUse()
        levels = Levels(metrics, observer, caps, pool, audit_directories(settings))
        opened, audit, opening = await self._open(keys, clock, observer, levels)
        store = WatchedStore(opened, metrics, caps)
        policies.follow(lambda revision: _record_policies(audit, revision, observer))
        persons = SoePersons(
            upstream=pool,
            authority=pool.origin.authority,
            clock=clock,
            secret=derived(key, "tokens"),
            timeout=settings["identify.person_timeout"],
            tell=observer.person_looked_up,
        )
        holds = open_holds(settings, store, audit, key, clock, observer)
        switches = open_switches(
            settings, store, clock, tell=observer.switched, fails=observer.switches_failed
        )
        await switches.learn()
        app = self._app(
            policies, store, audit, pool, persons, key, clock, observer, holds, switches
        )
        tls = (settings["server.tls_cert"], settings["server.tls_key"])
        proxy = Listener(
            app,
            settings["server.listen"],
            protocol=strict(self._limits(), observer.refused_on_the_wire),
            tls=tls if all(tls) else None,
            client_ca=settings["server.tls_client_ca"],
        )
        stop = _signals(policies)
        canary = CanaryRun(app, observer, self._sources)
        background = [
            asyncio.create_task(policies.watch()),
            asyncio.create_task(canary.repeat(settings["policies.canary"])),
            asyncio.create_task(_expire(holds, observer)),
            asyncio.create_task(watch(switches, observer)),
            asyncio.create_task(levels.repeat()),
        ]
        url = await proxy.start(reuse_port=front.shares_port)
        collector.spare()  # what is there by now lives as long as the process
        await front.open(
            url,
            metrics,
            policies,
            lambda: open_console(
                settings,
                key,
                clock,
                observer,
                audit,
                switches,
                lambda: policies.current,
                opened,
                holds,
            ),
        )
        output.held = False
        output.flush()
        following = asyncio.create_task(front.follow(stop))
        await stop.wait()
        front.stopping()
        observer.event("server.stopping")
        for task in (*background, opening):
            task.cancel()
        await proxy.stop(settings["server.drain"])
        await persons.aclose()
        await pool.aclose()
        await store.close()
        await audit.close()
        following.cancel()
        await front.close()
        observer.event("server.stopped")

    async def _open(
        self, keys: Keys, clock: SystemClock, observer: Observer, levels: Levels
    ) -> tuple[Administered | LateStore, AuditLog, asyncio.Future[None]]:
        """Open state and audit log; where their disk is full, the future does when it is not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            return *await self._opened(keys, clock, observer, levels), done
        except (StoreError, AuditError) as error:
            if not may_pass(error):
                raise
            observer.event("start.waits", error=str(error))
        store, audit = LateStore(), LateAudit()

        async def later() -> None:
            while True:
                await asyncio.sleep(AGAIN_AFTER)
                with contextlib.suppress(StoreError, AuditError):
                    found = await self._opened(keys, clock, observer, levels)
                    store.opened(found[0])
                    audit.opened(found[1])
                    observer.event("start.completed")
                    return

        return store, audit, asyncio.create_task(later())

    async def _opened(
        self, keys: Keys, clock: SystemClock, observer: Observer, levels: Levels
    ) -> tuple[Administered, AuditLog]:
        settings = self._settings
        store = open_state(settings, state_terms(settings, observer.state_told, keys.first))
        try:
            with one_at_a_time(audit_directories(settings)):
                await self._recover(store, keys, clock, observer)
                told = observer.audit_synced, observer.audit_written
                tell = _from_any_thread(observer.event)
                levels.audit = audit = serve_audit(settings, keys, clock, *told, tell)
                return store, audit
        except AuditError:
            await store.close()
            raise

    def _app(
        self,
        policies: Policies,
        store: Store,
        audit: AuditLog,
        pool: Pool,
        persons: SoePersons,
        key: bytes,
        clock: SystemClock,
        observer: Observer,
        holds: Holds,
        switches: Switches,
    ) -> ProxyApp:
        settings = self._settings
        identifier = Identifier(
            secret=derived(key, "digests"),
            clock=clock,
            tokens=Tokens(store, clock, observer, derived(key, "digests")),
            trusted=settings["proxy.trusted"] or (),
            told_in=(settings["proxy.client_certificate"] or "").encode(),
        )
        public = settings["server.public_url"]
        forwarding = Forwarding(
            authority=pool.origin.authority,
            url=pool.origin.url,
            trusted=settings["proxy.trusted"] or (),
            private=identifier.told_in,
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
                identifier=identifier,
                secret=derived(key, "digests"),
                seal=Seal(derived(key, "answers")),
                persons=persons,
                always=settings["identify.person"] == "lookup",
                off=switches.off,
                confirming=Confirming(
                    holds=holds,
                    observer=observer,
                    persons=persons,
                    titles=SoeTitles(
                        upstream=pool,
                        authority=pool.origin.authority,
                        tell=observer.title_looked_up,
                    ),
                    public_url=public.url.decode() if public else "",
                ),
            ),
            passthrough=Passthrough(
                upstream=pool,
                forwarding=forwarding,
                anonymous=settings["identify.anonymous.read"],
                identifier=identifier,
            ),
            observer=observer,
            contact=settings.contact,
            new_id=_ids(clock),
            pages=Pages(
                store=store,
                people=open_people(settings, key, clock, observer, holds),
                clock=clock,
                contact=settings.contact,
                anonymous=settings["identify.anonymous.write"],
                identifier=identifier,
            ),
        )

    def _sources(self) -> tuple[Source, ...]:
        return sources(self._settings["policies.directory"], shipped=with_shipped(self._settings))

    async def _recover(
        self, store: Store, keys: Keys, clock: SystemClock, observer: Observer
    ) -> None:
        """Give the writes that a dead process left open their outcomes, in log and state.

        State also hears of those that ended just before: settling twice is settling once.
        """
        directories = audit_directories(self._settings)
        found = [each for folder in directories for each in recover(folder, keys, clock.now())]
        async with asyncio.TaskGroup() as group:  # a state that hangs costs one time-out, not each
            for each in found:
                group.create_task(self._end(store, each, observer))

    async def _end(self, store: Store, found: Recovered, observer: Observer) -> None:
        try:
            ended = Settlement(outcome=found.outcome, post=found.post, url=found.url)
            await store.settle(found.write_id, ended)
        except StoreError as error:  # it settles what it owes when it works again
            observer.store_failed("settle", error)
        if found.was_open:
            observer.recovered(found.write_id, found.outcome)

    def _limits(self) -> ServerLimits:
        return ServerLimits(
            head_seconds=self._settings["server.head_timeout"],
            body_seconds=self._settings["server.body_timeout"],
            idle_seconds=self._settings["server.idle_timeout"],
        )


def _record_policies(audit: AuditLog, revision: str, observer: Observer) -> None:
    try:
        audit.told("policies.loaded", revision=revision)
    except AuditError as error:  # the line is owed; every decision names its revision as well
        observer.audit_failed(error)


async def _expire(holds: Holds, observer: Observer) -> None:
    """Let holds expire, for ever."""
    while True:
        await asyncio.sleep(EXPIRE_EVERY)
        try:
            observer.holds_open(await holds.expire())
        except StoreError as error:
            observer.store_failed("holds.expire", error)


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


def _from_any_thread(tell: Callable[..., None]) -> Callable[..., None]:
    """Let other threads log: logs belong to the loop."""
    loop = asyncio.get_running_loop()

    def told(event: str, **facts: object) -> None:
        loop.call_soon_threadsafe(partial(tell, event, **facts))

    return told


def _ids(clock: SystemClock) -> Callable[[], str]:
    """Give what makes decision ids: the instant, so that they sort, this process, and a number."""
    process, numbers = secrets.token_hex(6), itertools.count()

    def new_id() -> str:
        return f"{int(clock.now() * 1000):012x}{process}{next(numbers):08x}"

    return new_id


def _standard_output(*, shared: bool) -> int:
    """Give where logs go.

    Of several that write to one pipe, each could find that another took the room it saw, and would
    wait for the reader: so each opens the pipe anew, for writes that never wait.
    """
    if shared and stat.S_ISFIFO(os.fstat(1).st_mode):
        with contextlib.suppress(OSError):
            return os.open("/proc/self/fd/1", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return 1


@contextlib.contextmanager
def one_at_a_time(directories: list[Path]) -> Iterator[None]:
    """Let no other start look at these directories meanwhile.

    A segment is locked a moment after it was made: another start that looked in between would take
    its writer for dead.
    """
    with contextlib.ExitStack() as held:
        for directory in filter(Path.is_dir, directories):
            held.enter_context(locked(directory, wait=True))
        yield
