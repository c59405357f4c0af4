"""What the console's pages are tried with: an audit log that is followed, policies, and who looks."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.admin.followed import Followed
from gateway.admin.roles import Role, Who
from gateway.admin.visit import View, Visit
from gateway.errors import AuditError, RequestError
from gateway.pages.page import rendered
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.ports import Clock
from gateway.proxy.switches import Switches
from gateway.state.memory import MemoryStore
from gateway.state.switches import SwitchFile
from tests.audit.written import Writer
from tests.patience import PATIENCE
from tests.proxy.rig import Ticking

VIEWER = Who(name="max", role=Role.VIEWER)
OPERATOR = Who(name="jane", role=Role.OPERATOR)
TODAY = datetime.date(2026, 11, 26)


@dataclass
class Recorded:
    """An audit log that keeps what is told, or takes nothing."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    broken: bool = False

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        if self.broken:
            raise AuditError("full")
        self.events.append((event, facts | {"by": person}))


def switches(folder: Path, clock: Clock | None = None) -> Switches:
    """Switches of which nobody is off."""
    return Switches(
        SwitchFile(folder / "switches.jsonl"),
        MemoryStore(1.0),
        clock or Ticking(),
        tell=lambda _: None,
        fails=lambda *_: None,
    )


def shipped() -> PolicySet:
    """The policies that come with the gateway."""
    return load(None, today=TODAY)


@asynccontextmanager
async def following(folder: Path, *records: Mapping[str, Any]) -> AsyncIterator[Followed]:
    """Follow a log, all of which is read."""
    directory = folder / "audit"
    Writer(directory).write(*map(dict, records))
    followed = Followed(directory, folder / "index.db", shared=False)
    followed.start()
    try:
        writes = sum(each["kind"] == "decision" for each in records)
        deeds = sum(each["kind"] == "admin" for each in records)
        async with asyncio.timeout(PATIENCE):
            while await _read(followed) != (writes, deeds):
                await asyncio.sleep(0.005)
        yield followed
    finally:
        await followed.close()


async def _read(followed: Followed) -> tuple[int, int]:
    try:
        return await followed.ask(lambda index: (index.count(), len(index.deeds())))
    except RequestError:  # it is not opened yet
        return -1, -1


async def show(
    view: View, who: Who = OPERATOR, rest: str = "", query: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What a page tells."""
    return dict(await view.show(Visit(who=who, rest=rest, query=query)))


def drawn(template: str, told: Mapping[str, Any], who: Who = OPERATOR) -> str:
    """A page, filled with what it tells."""
    frame = {"root": "/console/", "who": who, "views": [], "here": "", "token": lambda _: ""}
    return rendered(template, package="gateway.admin", **told, **frame).decode()
