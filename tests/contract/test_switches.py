"""What every engine does with the switches of integrations."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from gateway.errors import StoreError
from gateway.model import Switch
from gateway.ports import Administered
from gateway.state.switches import joined
from tests.contract.conftest import emptied
from tests.contract.test_stores import NOW, asks, cap, write
from tests.servers import Valkey


def switch(at: float, off: bool = True, by: str = "jane", **more: str) -> Switch:
    """A switch of `bot`, unless said otherwise."""
    usual = {"integration": "bot", "reason": "it floods"}
    return Switch(at=at, off=off, by=by, **(usual | more))


async def test_a_switch_comes_back_as_it_was(store: Administered) -> None:
    """One of each integration, by their names."""
    first = switch(NOW + 0.123456, integration='é "bot"\n', by="ünal", reason="\U0001f600 'x'")
    second = switch(NOW, off=False, integration="a-bot", reason="")
    await store.switches.join([first, second])

    assert await store.switches.all() == (second, first)


async def test_without_any_there_are_none(store: Administered) -> None:
    """And to put in none changes nothing."""
    await store.switches.join([])

    assert await store.switches.all() == ()


SAME = (
    switch(NOW),
    switch(NOW + 1e-3, off=False),
    switch(NOW + 1e-3),
    switch(NOW + 1e-3, by="jané"),
    switch(NOW + 1e-3, by="janz"),
    switch(NOW + 1e-3, by="janz", reason="it floods all"),
)
"""Switches of one integration, some at one instant."""


@pytest.mark.parametrize("order", list(permutations(range(len(SAME)), len(SAME)))[::97])
async def test_the_greatest_rank_stays_whatever_came_first(
    store: Administered, order: tuple[int, ...]
) -> None:
    """Later before earlier, off before on, then by the bytes of who and why: as any process ranks."""
    for place in order:
        await store.switches.join([SAME[place]])

    assert await store.switches.all() == tuple(joined(SAME).values())
    assert joined(SAME) == {"bot": SAME[3]}


async def test_many_at_once_lose_nothing(store: Administered) -> None:
    """Each integration has its newest, whoever put it in."""
    made = [switch(NOW + n % 7, integration=f"bot-{n % 3}", by=str(n)) for n in range(40)]
    await asyncio.gather(*(store.switches.join([each]) for each in made))

    assert {each.integration: each for each in await store.switches.all()} == joined(made)


async def test_they_outlast_every_other_entry(store: Administered) -> None:
    """Time that passes takes none away."""
    await store.switches.join([switch(NOW)])
    await store.reserve(asks(write(1, 1e7), {"cap": cap()}))

    assert await store.switches.all() == (switch(NOW),)


async def test_a_loss_of_data_stands_in_nobodys_way(valkey: Valkey) -> None:
    """While writes are refused because a server lost what it held, switches are put back."""
    store = await emptied(valkey)
    await store.reserve(asks(write(1), {"cap": cap()}))
    await store.switches.join([switch(NOW)])
    valkey.ask("FLUSHALL")
    with pytest.raises(StoreError):
        await store.reserve(asks(write(2), {"cap": cap()}))

    assert await store.switches.all() == ()
    await store.switches.join([switch(NOW)])
    assert await store.switches.all() == (switch(NOW),)
    await store.close()
