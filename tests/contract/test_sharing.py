"""What every engine tells about who else used the same thing."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model import Outcome, Reservation, Reserved, Settlement, Shared, Sharers
from gateway.ports import Administered
from tests.contract.conftest import KEEP
from tests.contract.test_stores import asks, cap, charged, look, write

HOUR = 3600.0


def sharers(member: str, name: str = "rule|token=t", within: float = HOUR) -> Sharers:
    """Who else used the token."""
    return Sharers(name=name, member=member, within=within)


def use(number: int, member: str, after: float = 0.0, name: str = "rule|token=t") -> Reservation:
    """A write of a member's."""
    return asks(write(number, after), {"shared": sharers(member, name)})


def others(reserved: Reserved) -> tuple[str, ...]:
    """The others that were told."""
    answer = reserved.answers["shared"]
    assert isinstance(answer, Shared)
    return answer.others


async def uses(store: Administered, number: int, member: str, after: float = 0.0) -> Reserved:
    """Reserve a write of a member's, which SOE takes."""
    reserved = await store.reserve(use(number, member, after))
    await store.settle(f"w{number}", Settlement(outcome=Outcome.OK))
    return reserved


async def seen(
    store: Administered, after: float = 0.0, member: str = "nobody", within: float = HOUR
) -> tuple[str, ...]:
    """Who used it, but a member."""
    asked = asks(write(999, after), {"shared": sharers(member, within=within)})
    return others(await store.peek(asked))


async def test_who_used_it_before_is_told(store: Administered) -> None:
    """Who used it last first; oneself is no other."""
    told = [
        others(await uses(store, number, member, number))
        for number, member in enumerate(["a", "b", "a", "c"])
    ]

    assert told == [(), ("a",), ("b",), ("a", "b")]
    assert await seen(store, 9) == ("c", "a", "b")


async def test_a_use_in_flight_is_one(store: Administered) -> None:
    """Of many at once, each sees all before it."""
    answers = await asyncio.gather(
        *(store.reserve(use(number, f"m{number:02}")) for number in range(10))
    )

    assert sorted(len(others(each)) for each in answers) == list(range(10))


async def test_a_use_counts_for_as_long_as_is_asked(store: Administered) -> None:
    """Until just before so many seconds are over; each use of a member renews it."""
    await uses(store, 1, "a")
    await uses(store, 2, "b", 5)
    await uses(store, 3, "a", 10)

    assert await seen(store, 14.5, within=10) == ("a", "b")
    assert await seen(store, 15, within=10) == ("a",)
    assert await seen(store, 20, within=10) == ()


async def test_each_thing_has_its_own_users(store: Administered) -> None:
    """Also where one write uses two."""
    needs = {"one": sharers("a", "one"), "two": sharers("b", "two")}
    await store.reserve(asks(write(1), needs))
    await store.reserve(use(2, "c", name="three"))
    told = {
        name: others(await store.peek(use(3, "x", name=name)))
        for name in ("one", "two", "three", "on")
    }

    assert told == {"one": ("a",), "two": ("b",), "three": ("c",), "on": ()}


@pytest.mark.parametrize("outcome", Outcome)
async def test_a_use_goes_the_way_of_its_write(store: Administered, outcome: Outcome) -> None:
    """What SOE refused, or was not sent, was no use; an earlier one of the same member stays."""
    await uses(store, 1, "a", 0)
    for number, member in ((2, "a"), (3, "b")):
        await store.reserve(use(number, member, 10))
        await store.settle(f"w{number}", Settlement(outcome=outcome))

    assert await seen(store, 10) == (("b", "a") if outcome.keeps else ("a",))
    assert await seen(store, 10, within=5) == (("b", "a") if outcome.keeps else ())


async def test_a_text_that_was_refused_for_its_likeness_was_no_use(store: Administered) -> None:
    """It is remembered, but nothing was sent."""
    await store.reserve(use(1, "a"))
    await store.settle("w1", Settlement(outcome=Outcome.NOT_SENT, template=True))

    assert await seen(store) == ()


async def test_a_use_that_nobody_settles_stays(store: Administered) -> None:
    """As its write keeps itself."""
    await store.reserve(use(1, "a"))

    assert await seen(store, 61) == ("a",)


async def test_settlements_in_any_order_leave_the_newest_use(store: Administered) -> None:
    """Of those that were kept."""
    for number, after in enumerate([0, 10, 20]):
        await store.reserve(use(number, "a", after))
    endings = {"w1": Outcome.OK, "w0": Outcome.OK, "w2": Outcome.NOT_SENT}
    for write_id, outcome in endings.items():
        await store.settle(write_id, Settlement(outcome=outcome))

    assert await seen(store, 20, within=10.5) == ("a",)
    assert await seen(store, 20, within=10) == ()


@pytest.mark.parametrize(
    ("outcome", "expected"), [(None, ()), (Outcome.UNKNOWN, ("a",)), (Outcome.FAILED, ("a",))]
)
async def test_an_operator_takes_back_a_use_in_flight(
    store: Administered, outcome: Outcome | None, expected: tuple[str, ...]
) -> None:
    """One that was kept stays: it was sent, whoever released the write."""
    await store.reserve(use(1, "a"))
    if outcome is not None:
        await store.settle("w1", Settlement(outcome=outcome))

    assert await store.release("w1")
    assert await seen(store) == expected


async def test_a_write_that_is_not_taken_uses_nothing(store: Administered) -> None:
    """Nor a dry run, a preview, what may not be remembered, or a repeat of what is known."""
    full = {"cap": cap("a", (1, HOUR))}
    await store.reserve(asks(write(1, key="k"), full))
    await store.reserve(asks(write(2), full, {"shared": sharers("untaken")}))
    await store.reserve(asks(write(3), full | {"shared": sharers("untaken")}))
    await store.peek(use(4, "peek"))
    await store.reserve(asks(write(5, preview=True), {"shared": sharers("preview")}))
    await store.reserve(asks(write(6), {"shared": sharers("refused")}, remember=False))
    await store.reserve(asks(write(7, key="k"), {"shared": sharers("repeat")}))

    assert await seen(store) == ()


async def test_an_observed_rule_records_its_own(store: Administered) -> None:
    """In a group of its own, if the write is taken; it is full never, so it stops nothing."""
    observed = {"shared": sharers("a")}
    first = await store.reserve(asks(write(1), {"cap": cap()}, observed))
    second = await store.reserve(asks(write(2), {}, {"shared": sharers("b")}))

    assert (first.taken, second.taken, others(second)) == (True, True, ("a",))


async def test_who_shares_takes_no_room_from_caps(store: Administered) -> None:
    """Beside a cap and a look-up, each answers for itself."""
    await uses(store, 1, "a")
    needs = {"cap": cap(), "copies": look(), "shared": sharers("b")}
    answer = await store.reserve(asks(write(2), needs))

    assert (charged(answer).accepted, others(answer)) == (True, ("a",))


async def test_sixteen_others_are_told_and_kept(store: Administered) -> None:
    """The oldest go; one that comes again is the newest."""
    for number in range(20):
        await uses(store, number, f"m{number}", number)
    await uses(store, 20, "m5", 20)

    newest = ["m5", *(f"m{number}" for number in range(19, 5, -1))]
    assert await seen(store, 20, within=HOUR) == (*newest, "m4")
    await store.reserve(use(21, "open", 21))
    assert await seen(store, 21) == ("open", *newest)
    await store.settle("w21", Settlement(outcome=Outcome.REFUSED))
    assert await seen(store, 21) == (*newest, "m4")


async def test_any_text_is_a_name_and_a_member(store: Administered) -> None:
    """Whatever it holds, it is told as it is."""
    odd = ["0:", ":", "1:a", "a\0b", "é", "\U0001f600"]
    for number, member in enumerate(odd):
        await uses(store, number, member, number)

    assert await seen(store, 9) == tuple(reversed(odd))
    for number, name in enumerate(odd, 10):
        await store.reserve(use(number, "m", name=name))
        assert others(await store.peek(use(99, "x", name=name))) == ("m",)


async def test_uses_are_forgotten_with_all_that_is_old(store: Administered) -> None:
    """However far back is asked."""
    await uses(store, 1, "a")
    await uses(store, 2, "b", KEEP)

    assert await seen(store, KEEP, within=10 * KEEP) == ("b",)
