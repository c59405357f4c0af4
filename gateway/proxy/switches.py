"""Which integrations are switched off, and how every process comes to know it.

An operator's switch is kept in state, for all replicas, and in a file of the data directory, for a
machine whose state is away or came back empty. Each process looks at both again and again and lets
each have what the other knows better; a write asks a mapping that is swapped, never changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from gateway.errors import StoreError
from gateway.model import Decision, Effect, Finding, Mode, Result, Switch, Violation
from gateway.observe.observer import Observer
from gateway.ports import Clock, Recorder, Store
from gateway.state.switches import Known, SwitchFile, joined

RULE = "switched-off"
"""The rule of the gateway's own by which an integration that is switched off writes nothing."""
EVERY = 0.5
"""Seconds between two looks at what others switched."""
_SOON = 0.05
"""The same, while it is not known what is switched off: no write passes until then."""
_WAITS_AT_MOST = 2.0
"""Seconds that a start waits for that; reads need it not."""
REASON_AT_MOST = 300
"""Characters of a reason."""
_STEP = 0.001
"""Seconds by which a switch comes after the newest that is known of its integration."""


class Switches:
    """What is known of switches in this process.

    Args:
        file: where this machine keeps them.
        tell: is told of each switch that becomes known.
        fails: is told, once for each outage, that `store` or `file` cannot be had, and why.
    """

    def __init__(
        self,
        file: SwitchFile,
        store: Store,
        clock: Clock,
        *,
        tell: Callable[[Switch], None],
        fails: Callable[[str, Exception], None],
    ) -> None:
        self._file = file
        self._store = store
        self._clock = clock
        self._tell = tell
        self._fails = fails
        self._failing: frozenset[str] = frozenset()
        self._in_file: Known | None = None
        self._mark: tuple[int, int] | None = None
        self._is_known = False
        self.current: Mapping[str, Switch] = MappingProxyType({})

    def off(self, integration: str) -> Switch | None:
        """Give the switch that keeps an integration from writing; None where it may write.

        Raises:
            StoreError: this process could not learn yet what is switched off.
        """
        if not self._is_known:
            raise StoreError("it is not known yet which integrations are switched off")
        switch = self.current.get(integration)
        return switch if switch is not None and switch.off else None

    async def learn(self) -> None:
        """Look until it is known what is switched off, or a start cannot wait any longer."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + _WAITS_AT_MOST
        await self.look()
        while not self._is_known and loop.time() < ends:
            await asyncio.sleep(_SOON)
            await self.look()

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return EVERY if self._is_known else _SOON

    async def look(self) -> frozenset[str]:
        """Let state and file have what they lack, and learn the rest; gives which was out of reach."""
        failing: set[str] = set()
        # The file twice: it is what a start knows at once, and has to have what state knows.
        for name, meet in (
            ("file", self._meet_file),
            ("store", self._meet_store),
            ("file", self._meet_file),
        ):
            try:
                await meet()
            except (StoreError, OSError, ValueError) as error:
                if name not in self._failing | failing:
                    self._fails(name, error)
                failing.add(name)
        self._failing = frozenset(failing)
        return self._failing

    async def turn(self, integration: str, *, off: bool, by: str, reason: str = "") -> bool:
        """Switch an integration off or on; it holds here at once, elsewhere as soon as they look.

        Returns:
            Whether state has it. If not, it will when it answers again.

        Raises:
            StoreError: neither state nor file took it.
        """
        await self.look()
        known = self.current.get(integration)
        at = max(self._clock.now(), known.at + _STEP if known is not None else 0.0)
        self._learn((Switch(integration=integration, off=off, at=at, by=by, reason=reason),))
        failing = await self.look()
        if failing == {"file", "store"}:
            raise StoreError("neither the state nor the data directory took the switch")
        return "store" not in failing

    async def _meet_file(self) -> None:
        mark = self._file.mark()
        # A file that is not there says nothing, and is made by who knows what to put in.
        is_met = mark == self._mark and self._in_file == self.current
        if is_met or (mark is None and not self._is_known and not self.current):
            return
        there, mark = await asyncio.to_thread(self._file.join, self.current.values())
        self._in_file, self._mark, self._is_known = there, mark, True
        self._learn(there.values())

    async def _meet_store(self) -> None:
        there = await self._store.switches.all()
        self._is_known = True
        self._learn(there)
        if joined(there) != self.current:
            await self._store.switches.join(tuple(self.current.values()))

    def _learn(self, switches: Iterable[Switch]) -> None:
        # No await between reading and writing: a look and a switch may come together.
        before = self.current
        self.current = MappingProxyType(joined(before.values(), switches))
        for name, switch in self.current.items():
            if before.get(name) != switch:
                self._tell(switch)


async def switched(
    switches: Switches, audit: Recorder, integration: str, *, off: bool, by: str, reason: str = ""
) -> bool:
    """Switch an integration, on the record: it says who wants it before it is done, and what came.

    Raises:
        AuditError: it could not be recorded, and was not done.
        StoreError: as `Switches.turn`.
    """
    done = "disabled" if off else "enabled"
    audit.told(f"integration.{done}", person=by, integration=integration, reason=reason)
    everywhere = await switches.turn(integration, off=off, by=by, reason=reason)
    audit.told(
        f"integration.{done}_done", person=by, integration=integration, everywhere=everywhere
    )
    return everywhere


async def watch(switches: Switches, observer: Observer) -> None:
    """Look for ever; a fault of ours is told, and ends nothing."""
    while True:
        await asyncio.sleep(switches.pause)
        try:
            await switches.look()
        except Exception as error:  # noqa: BLE001  # nobody else would look again
            observer.crashed(error)


def nobody(_: str) -> Switch | None:
    """Nobody is switched off."""
    return None


def refused(switch: Switch, revision: str) -> Decision:
    """Refuse a write of an integration that is switched off, whatever the rules would say."""
    why = f": {switch.reason}" if switch.reason else ""
    violation = Violation(
        code="integration_disabled",
        status=403,
        message=f"An operator switched {switch.integration} off{why.rstrip('.')}.",
        fix="To send again changes nothing: it writes when it is switched on again.",
    )
    finding = Finding(
        rule=RULE, check=RULE, mode=Mode.ENFORCE, result=Result.FAIL, violation=violation
    )
    return Decision(effect=Effect.REFUSE, revision=revision, findings=(finding,))
