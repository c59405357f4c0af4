"""Redis gone, slow, emptied: nobody waits, nothing is counted twice, nothing is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import StoreError
from gateway.model import Charge, Charged, Outcome, Reservation, Reserved, Settlement, Window
from gateway.state import open_store
from gateway.state.redis import RedisStore
from tests.samples import a_write
from tests.servers import Valkey

CAP = Charge(cap="a", windows=(Window(limit=1, seconds=3600.0),))


def asks(number: int) -> Reservation:
    """One write out of a cap of one an hour."""
    write = a_write(id=f"w{number}", request=f"r{number}")
    return Reservation(write=write, groups=({"cap": CAP},))


def accepted(reserved: Reserved) -> bool:
    """Whether the cap had room."""
    answer = reserved.answers["cap"]
    assert isinstance(answer, Charged)
    return answer.accepted


@pytest.fixture
async def server() -> AsyncIterator[Valkey]:
    """A server that a test may break."""
    started = Valkey()
    yield started
    started.resume()
    started.close()


@pytest.fixture
async def store(server: Valkey) -> AsyncIterator[RedisStore]:
    """A store in it, of little patience."""
    opened = RedisStore(server.url, 86_400.0, 0.3)
    yield opened
    await opened.close()


async def answers(store: RedisStore) -> None:
    """Wait until it answers again; five seconds are too long."""
    async with asyncio.timeout(5):
        while True:
            try:
                await store.peek(asks(99))
            except StoreError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_server_that_hangs_is_an_error_in_time(server: Valkey, store: RedisStore) -> None:
    """And what it does when it goes on is undone: nobody waited for it."""
    await store.peek(asks(1))
    server.pause()
    begun = asyncio.get_running_loop().time()
    with pytest.raises(StoreError):
        await store.reserve(asks(1))
    took = asyncio.get_running_loop().time() - begun
    server.resume()
    await answers(store)
    async with asyncio.timeout(5):
        while store._owed:
            await asyncio.sleep(0.05)

    assert took < 1
    assert accepted(await store.reserve(asks(2)))


async def test_a_reservation_that_comes_after_its_release_is_turned_back(
    server: Valkey, store: RedisStore
) -> None:
    """The two went over different connections, and the order between those is nobody's."""
    await store._end("w1", Settlement(outcome=Outcome.NOT_SENT), late=True)
    with pytest.raises(StoreError, match="LATE"):
        await store.reserve(asks(1))

    assert accepted(await store.reserve(asks(2)))


async def test_a_caller_who_leaves_charges_nothing(server: Valkey, store: RedisStore) -> None:
    """Its reservation is made when the server goes on, and released."""
    await store.peek(asks(1))
    server.pause()
    task = asyncio.create_task(store.reserve(asks(1)))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.resume()
    async with asyncio.timeout(5):
        while store._owed:
            await asyncio.sleep(0.05)

    assert accepted(await store.reserve(asks(2)))


async def test_what_could_not_be_settled_is_settled_later(
    server: Valkey, store: RedisStore
) -> None:
    """SOE's refusal gives the place back, though the server hung when it came."""
    await store.reserve(asks(1))
    server.pause()
    with pytest.raises(StoreError):
        await store.settle("w1", Settlement(outcome=Outcome.REFUSED))
    server.resume()
    async with asyncio.timeout(5):
        while store._owed:
            await asyncio.sleep(0.05)

    assert accepted(await store.reserve(asks(2)))


async def test_a_server_that_lost_its_data_gives_no_cap_back(
    server: Valkey, store: RedisStore
) -> None:
    """It comes back empty: whoever knew it before refuses."""
    await store.reserve(asks(1))
    server.kill()
    with pytest.raises(StoreError):
        await store.reserve(asks(2))
    server.start()
    for number in (3, 4):
        with pytest.raises(StoreError, match="LOST"):
            await store.reserve(asks(number))


@pytest.mark.parametrize("lost", ["SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_scripts_and_connections_come_back_by_themselves(
    server: Valkey, store: RedisStore, lost: str
) -> None:
    """Nobody sees that they were gone."""
    await store.reserve(asks(1))
    server.ask(*lost.split())
    await asyncio.sleep(0.05)

    assert not accepted(await store.reserve(asks(2)))


async def test_a_full_server_is_an_error(server: Valkey, store: RedisStore) -> None:
    """Nothing half: a script begins with room or not at all."""
    await store.peek(asks(1))
    server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreError):
        await store.reserve(asks(1))
    server.ask("CONFIG", "SET", "maxmemory", "0")

    assert accepted(await store.reserve(asks(2)))


async def test_all_keys_lie_together_and_go_away(server: Valkey, store: RedisStore) -> None:
    """One hash tag, for a cluster; whatever belongs to a write has an expiry."""
    await store.reserve(asks(1))
    keys = [
        line for line in server.ask("KEYS", "*").decode().split("\r\n") if "soe-gateway" in line
    ]
    lasting = {"{soe-gateway}:last", "{soe-gateway}:seq", "{soe-gateway}:epoch"}

    assert len(keys) > len(lasting)
    assert all(key.startswith("{soe-gateway}:") for key in keys)
    assert all(b":-1" not in server.ask("TTL", key) for key in keys if key not in lasting)


async def test_replicas_share_one_count(server: Valkey) -> None:
    """Two stores, two hundred tries at once: one write passes."""
    stores = [RedisStore(server.url, 86_400.0, 10.0) for _ in range(2)]
    tries = [stores[number % 2].reserve(asks(number)) for number in range(200)]
    taken = [reserved.taken for reserved in await asyncio.gather(*tries)]
    for each in stores:
        await each.close()

    assert taken.count(True) == 1


def test_a_wrong_url_is_told() -> None:
    """At the start, not at the first write."""
    with pytest.raises(StoreError, match=r"state\.url"):
        open_store("redis://localhost:port", keep=1.0, timeout=1.0)
