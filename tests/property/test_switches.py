"""Whatever is switched where, lost, cut off and started anew: what was switched off stays off."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.model import Switch
from gateway.ports import Switches as Port
from gateway.proxy.switches import Switches
from gateway.state.memory import MemoryStore
from gateway.state.switches import Known, SwitchFile, joined
from tests.proxy.rig import Broken

NAMES = ("bot", "other")
PROCESSES = 3


class Way(Broken):
    """A way to the shared state, where the switches are; it can be cut."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cut = False

    @property
    def switches(self) -> Port:
        if self.cut:
            raise StoreError("away")
        return self._world.store.switches


@dataclass
class Process:
    """A replica with a disk of its own, and a clock that goes wrong."""

    disk: Path
    way: Way
    skew: float
    clock: float = 0.0
    seen: list[Switch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        file = SwitchFile(self.disk / "switches.jsonl")
        self.switches = Switches(file, self.way, self, tell=self.seen.append, fails=lambda *_: None)

    def now(self) -> float:
        return self.clock + self.skew

    def known(self) -> Known:
        return dict(self.switches.current)


class World:
    """Replicas around one state."""

    def __init__(self, folder: Path, skews: Sequence[float]) -> None:
        self.store = MemoryStore(1.0)
        self.processes = []
        for number, skew in enumerate(skews):
            (folder / str(number)).mkdir()
            self.processes.append(Process(folder / str(number), Way(self), skew))

    def tick(self) -> None:
        for each in self.processes:
            each.clock += 0.0004


numbers = st.integers(0, PROCESSES - 1)
names = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(st.sampled_from(["off", "on"]), numbers, names),
    st.tuples(st.sampled_from(["look", "cut", "join", "restart"]), numbers, st.just("")),
    st.tuples(st.just("lose"), st.just(0), st.just("")),
)
skews = st.lists(st.floats(-5, 5), min_size=PROCESSES, max_size=PROCESSES)


async def do(world: World, step: tuple[str, int, str]) -> None:
    """Let something happen; what a process knew to be off is off for it until somebody said on."""
    what, number, name = step
    process = world.processes[number]
    before = process.known()
    if what in ("off", "on"):
        await process.switches.turn(name, off=what == "off", by=f"{number}")
        assert process.known()[name].off is (what == "off")
    elif what == "look":
        await process.switches.look()
    elif what in ("cut", "join"):
        process.way.cut = what == "cut"
    elif what == "restart":
        process.start()
        await process.switches.look()
    else:
        world.store = MemoryStore(1.0)
    after = process.known()
    assert joined(before.values(), after.values()) == after, "it went back on what it knew"


@settings(max_examples=80, deadline=None)
@given(made=st.lists(steps, max_size=14), skews=skews)
async def test_all_agree_in_the_end_and_nobody_forgets(
    made: list[tuple[str, int, str]], skews: list[float]
) -> None:
    """Off and on, by any replica, with any loss of the state, any restart and any cut.

    A replica that knew of a switch never goes back behind it; connected again, all know the newest.
    """
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        world = World(Path(folder), skews)
        for step in made:
            world.tick()
            await do(world, step)
        everything = joined(*(each.seen for each in world.processes))
        for _ in range(2):  # the first has what the last knows in the second
            for each in world.processes:
                each.way.cut = False
                await each.switches.look()

        stored = {each.integration: each for each in await world.store.switches.all()}
        assert [each.known() for each in world.processes] == [everything] * PROCESSES
        assert stored == everything
        for each in world.processes:
            each.start()
            each.way.cut = True
            await each.switches.look()
        assert [each.known() for each in world.processes] == [everything] * PROCESSES


@settings(max_examples=40, deadline=None)
@given(made=st.lists(st.tuples(st.booleans(), numbers), min_size=1, max_size=6), skews=skews)
async def test_connected_replicas_do_what_was_said_last(
    made: list[tuple[bool, int]], skews: list[float]
) -> None:
    """However far their clocks are apart: who switches knows of what was switched before."""
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        world = World(Path(folder), skews)
        for off, number in made:
            world.tick()
            await world.processes[number].switches.turn("bot", off=off, by=f"{number}")
        for each in world.processes:
            await each.switches.look()

        expected = made[-1][0]
        assert [each.switches.off("bot") is not None for each in world.processes] == (
            [expected] * PROCESSES
        )


def _fast() -> str | None:
    """Memory, where there is a folder of it: files are synced here."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
