"""How full caps are is what state said, and falls by itself."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Charge, Charged, Outcome, Reservation, Settlement, Window
from gateway.observe import caps
from gateway.observe.caps import CapUse
from gateway.state.memory import MemoryStore
from tests.samples import a_write

AT = 1_795_000_000.0
RELEASED = Settlement(outcome=Outcome.REFUSED)
KEPT = Settlement(outcome=Outcome.OK)


def charge(cap: str = "cap|integration=help-bot", limit: int = 4, attempts: bool = False) -> Charge:
    """A cap of so many an hour."""
    return Charge(cap=cap, windows=(Window(limit=limit, seconds=3600.0),), attempts=attempts)


class Charging:
    """A store with somebody who follows it, as the gateway asks it."""

    def __init__(self) -> None:
        self.caps = CapUse()
        self.store = MemoryStore(86_400.0)
        self._count = 0

    async def reserve(
        self, *groups: dict[str, Charge], after: float = 0.0, preview: bool = False
    ) -> str:
        """Ask for a write; gives its id."""
        self._count += 1
        write = a_write(
            id=f"w{self._count}", request=f"r{self._count}", at=AT + after, preview=preview
        )
        asked = Reservation(write=write, groups=groups)
        self.caps.reserved(asked, await self.store.reserve(asked), after)
        return write.id

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """End a write."""
        self.caps.settled(write_id, settlement)
        await self.store.settle(write_id, settlement)

    def share(self, after: float = 0.0, rule: str = "cap") -> float | None:
        """How full a rule's cap is; None where nothing is known of it any more."""
        return self.caps.shares(after).get((rule, "help-bot"))


async def test_a_cap_is_as_full_as_state_says() -> None:
    """Three of four are three quarters; what was refused adds nothing."""
    charging, seen = Charging(), []
    for _ in range(6):
        await charging.reserve({"cap": charge()})
        seen.append(charging.share())

    assert seen == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


async def test_it_falls_when_nobody_writes() -> None:
    """It stays until the oldest leaves, then falls, and is forgotten at the window's end."""
    charging = Charging()
    await charging.reserve({"cap": charge()}, after=0)
    await charging.reserve({"cap": charge()}, after=1800)

    assert charging.share(3599) == 0.5
    assert charging.share(4500) == 0.25
    assert charging.share(5400) == 0.0
    assert charging.share(5401) is None


async def test_what_did_not_happen_is_given_back() -> None:
    """SOE refused one and took the other; settling again changes nothing."""
    charging = Charging()
    first, second = [await charging.reserve({"cap": charge()}) for _ in range(2)]
    await charging.settle(first, RELEASED)
    await charging.settle(first, RELEASED)
    await charging.settle(second, KEPT)

    assert charging.share() == 0.25


async def test_the_fullest_counter_is_shown() -> None:
    """A cap per person has many; the newest is not always the one to look at."""
    charging = Charging()
    for _ in range(3):
        await charging.reserve({"cap": charge("cap|person=jane")})
    await charging.reserve({"cap": charge("cap|person=joe")})

    assert charging.share() == 0.75


async def test_a_group_is_charged_whole_or_not_at_all() -> None:
    """The room that one cap had is still there when the other had none."""
    charging = Charging()
    for _ in range(2):
        await charging.reserve({"narrow": charge("narrow|", limit=1), "cap": charge()})

    assert charging.share() == 0.25
    assert charging.share(rule="narrow") == 1.0


async def test_an_attempt_stays_charged() -> None:
    """Who counts tries counts those that were released, too."""
    charging = Charging()
    write_id = await charging.reserve({"cap": charge(attempts=True)})
    await charging.settle(write_id, RELEASED)

    assert charging.share() == 0.25


async def test_a_preview_fills_nothing() -> None:
    """It is judged, and nothing is charged for it."""
    charging = Charging()
    await charging.reserve({"cap": charge()}, preview=True)

    assert charging.share() is None


async def test_counters_and_writes_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many people write, the process remembers some thousands, the newest."""
    monkeypatch.setattr(caps, "_COUNTERS_AT_MOST", 3)
    monkeypatch.setattr(caps, "_IN_FLIGHT_AT_MOST", 2)
    charging = Charging()
    for number in range(5):
        await charging.reserve({"cap": charge(f"cap|person={number}")})

    assert [each[-1] for each in charging.caps._counters] == ["2", "3", "4"]
    assert list(charging.caps._in_flight) == ["w4", "w5"]


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "keep", "release"]), st.integers(0, 20)), max_size=30
)


@given(steps=STEPS, limit=st.integers(1, 6), later=st.lists(st.floats(0, 4000), max_size=5))
def test_the_share_is_what_state_would_say_and_never_rises_by_itself(
    steps: list[Step], limit: int, later: list[float]
) -> None:
    """After every call it is what a look at state tells; without calls it only falls, from 1 to 0."""

    async def play() -> None:
        charging, writes = Charging(), list[str]()
        for what, which in steps:
            if what == "reserve":
                writes.append(await charging.reserve({"cap": charge(limit=limit)}))
            elif writes:
                settlement = KEPT if what == "keep" else RELEASED
                await charging.settle(writes[which % len(writes)], settlement)
            assert (charging.share() or 0.0) == pytest.approx(await told(charging, limit) / limit)
        falling = [charging.share(after) or 0.0 for after in sorted(later)]
        assert falling == sorted(falling, reverse=True)
        assert all(0.0 <= share <= 1.0 for share in falling)
        assert charging.share(3601) in (None, 0.0)

    asyncio.run(play())


async def told(charging: Charging, limit: int) -> int:
    """How many a cap holds, from a look at state that changes nothing."""
    write = a_write(id="look", request="look", at=AT)
    asked = Reservation(write=write, groups=({"cap": charge(limit=limit)},))
    answer = (await charging.store.peek(asked)).answers["cap"]
    assert isinstance(answer, Charged)
    return answer.used - int(answer.accepted)
