"""Redis gone, slow, emptied: nobody waits, nothing is counted twice, nothing is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.errors import StoreError
from gateway.model import (
    Charge,
    Charged,
    Outcome,
    Repeated,
    Reservation,
    Reserved,
    Settlement,
    Window,
)
from gateway.state import Terms, open_store
from gateway.state.redis import RedisStore
from gateway.state.terms import PULSE_SECONDS
from tests.samples import a_write
from tests.servers import Valkey
from tests.state.redis.holding import holds

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")
CAP = Charge(cap="a", windows=(Window(limit=1, seconds=3600.0),))


def asks(number: int) -> Reservation:
    """One write out of a cap of one an hour."""
    write = a_write(id=f"w{number}", request=f"r{number}")
    return Reservation(write=write, groups=({"cap": CAP},))


def is_accepted(reserved: Reserved) -> bool:
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
    opened = RedisStore(server.url, Terms(keep=86_400.0, timeout=0.3))
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
    assert is_accepted(await store.reserve(asks(2)))


async def test_a_reservation_that_comes_after_its_release_is_turned_back(
    server: Valkey, store: RedisStore
) -> None:
    """The two went over different connections, and the order between those is nobody's."""
    await store._end("w1", Settlement(outcome=Outcome.NOT_SENT), late=True)
    with pytest.raises(StoreError, match="LATE"):
        await store.reserve(asks(1))

    assert is_accepted(await store.reserve(asks(2)))


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

    assert is_accepted(await store.reserve(asks(2)))


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

    assert is_accepted(await store.reserve(asks(2)))


async def test_an_answer_that_was_lost_is_kept_when_its_write_is_settled_later(
    server: Valkey, store: RedisStore
) -> None:
    """The server hung when the write ended; the repeat does not hear of a copy of its own."""
    await store.reserve(asks(1))
    server.pause()
    with pytest.raises(StoreError):
        await store.settle("w1", Settlement(outcome=Outcome.OK, lost=b"sealed"))
    server.resume()
    async with asyncio.timeout(5):
        while store._owed:
            await asyncio.sleep(0.05)

    again = replace(asks(2), write=replace(asks(2).write, request=asks(1).write.request))
    repeat = (await store.reserve(again)).repeat
    assert (repeat and repeat.answer) == b"sealed"


def terms(folder: Path, told: list[str], *, accept: bool = False) -> Terms:
    """Terms with a note of what was worked on."""
    return Terms(
        keep=86_400.0,
        timeout=0.5,
        accept_loss=accept,
        note=folder / "state.epoch",
        tell=lambda event, **_: told.append(event),
    )


async def test_a_server_that_lost_its_data_gives_no_cap_back(
    server: Valkey, tmp_path: Path
) -> None:
    """Until an operator accepts it; a restart does not, and what is known here is put back."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told))
    await store.reserve(asks(1))
    await store.settle("w1", Settlement(outcome=Outcome.OK))
    server.kill()
    server.start()
    restarted = RedisStore(server.url, terms(tmp_path, told))
    stranger = RedisStore(server.url, Terms(keep=86_400.0, timeout=0.5))
    for each in (store, store, restarted, stranger):
        with pytest.raises(StoreError, match="accept-loss"):
            await ready(each.reserve, asks(2))
    accepted = [await stranger.accept_loss() for _ in range(2)]
    taken = [is_accepted(await each.reserve(asks(3))) for each in (store, restarted, stranger)]
    for each in (store, restarted, stranger):
        await each.close()

    assert accepted == [True, False]
    assert taken == [False, False, False]
    assert told.count("state.put_back") == 2
    assert "state.lost" in told


async def test_a_loss_may_be_accepted_beforehand(server: Valkey, tmp_path: Path) -> None:
    """What is known here counts all the same; what is not is gone."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told, accept=True))
    await store.reserve(asks(1))
    await store.settle("w1", Settlement(outcome=Outcome.OK))
    server.kill()
    server.start()
    known = is_accepted(await ready(store.reserve, asks(2)))
    server.kill()
    server.start()
    restarted = RedisStore(server.url, terms(tmp_path, told, accept=True))
    unknown = is_accepted(await restarted.reserve(asks(3)))
    for each in (store, restarted):
        await each.close()

    assert (known, unknown) == (False, True)
    assert told == ["state.put_back", "state.lost", "state.put_back", "state.lost"]


async def test_an_idle_process_puts_back_what_it_knows(server: Valkey, tmp_path: Path) -> None:
    """Nobody asks it; who does ask is answered when it has looked."""
    told: list[str] = []
    waiting = replace(terms(tmp_path, told, accept=True), mending=2 * PULSE_SECONDS)
    idle, busy = (RedisStore(server.url, waiting) for _ in range(2))
    await idle.reserve(asks(1))
    await idle.settle("w1", Settlement(outcome=Outcome.OK))
    await busy.peek(asks(2))
    server.kill()
    server.start()
    codes = set()
    async with asyncio.timeout(6):
        for number in count(3):
            try:
                answer = await busy.reserve(asks(number))
            except StoreError as error:
                codes.add(error.code)
                await asyncio.sleep(0.05)
            else:
                break
    for each in (idle, busy):
        await each.close()

    assert not is_accepted(answer)
    assert "MENDING" in codes


async def test_a_server_that_evicts_is_refused(server: Valkey, store: RedisStore) -> None:
    """It would throw caps away without a word; put right, it is taken within a moment."""
    server.ask("CONFIG", "SET", "maxmemory", "100mb")
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreError, match="noeviction"):
        await store.reserve(asks(1))
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    async with asyncio.timeout(5):
        while store._losses._evicts:
            await asyncio.sleep(0.05)

    assert is_accepted(await store.reserve(asks(2)))


async def test_so_many_answers_are_kept(
    server: Valkey, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one is not given again, and its post is not written again either."""
    monkeypatch.setattr("gateway.state.redis.store.ANSWERS_AT_MOST", 2)
    kinds = []
    for number in (1, 2, 3):
        await store.reserve(keyed(number))
        await store.settle(f"w{number}", Settlement(outcome=Outcome.OK, answer=b"sealed"))
    for number in (1, 2, 3):
        repeat = (await store.reserve(keyed(number))).repeat
        kinds.append(repeat and repeat.kind)

    assert kinds == [Repeated.UNKEPT, Repeated.ANSWERED, Repeated.ANSWERED]


def keyed(number: int) -> Reservation:
    """A write under a key of its own."""
    write = a_write(id=f"w{number}", request=f"r{number}", key=f"k{number}")
    return Reservation(write=write, groups=({},))


async def test_a_replica_that_was_behind_is_brought_up(server: Valkey, tmp_path: Path) -> None:
    """It has the epoch, but not the newest writes: who made them puts them back."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told))
    before = await store.reserve(asks(1))
    is_behind(server)
    after = await store.reserve(asks(2))
    await store.close()

    assert (is_accepted(before), is_accepted(after)) == (True, False)
    assert told == ["state.put_back"]


def elsewhere(number: int) -> Reservation:
    """A write that asks another cap."""
    write = a_write(id=f"e{number}", request=f"e{number}")
    return Reservation(write=write, groups=({"cap": Charge(cap="b", windows=CAP.windows)},))


def is_behind(server: Valkey) -> None:
    """Let it be as a replica that had heard of no write, only of the epoch."""
    epoch = server.ask("HGET", "{soe-gateway}:meta", "epoch").split(b"\r\n")[1].decode()
    server.ask("FLUSHALL")
    server.ask("HSET", "{soe-gateway}:meta", "epoch", epoch)


async def test_whoever_meets_a_replica_that_is_behind_all_put_back(
    server: Valkey, tmp_path: Path
) -> None:
    """The first who notices does not hide it from the others; and nothing was lost."""
    told: list[str] = []
    one, other = (RedisStore(server.url, terms(tmp_path, told)) for _ in range(2))
    await one.reserve(asks(1))
    await other.reserve(elsewhere(1))
    is_behind(server)
    taken = [
        is_accepted(await each.reserve(asked))
        for each, asked in ((other, elsewhere(2)), (one, asks(2)))
    ]
    for each in (one, other):
        await each.close()

    assert taken == [False, False]
    assert told == ["state.put_back", "state.put_back"]


async def test_who_has_nothing_to_put_back_goes_on(server: Valkey, tmp_path: Path) -> None:
    """It knew of the writes of others, which the new data does not count."""
    store, idle = (RedisStore(server.url, terms(tmp_path, [], accept=True)) for _ in range(2))
    await store.reserve(asks(1))
    await idle.peek(asks(2))
    server.kill()
    server.start()
    taken = is_accepted(await ready(idle.reserve, elsewhere(1)))
    for each in (store, idle):
        await each.close()

    assert taken


async def test_what_is_lost_again_is_put_back_again(server: Valkey, tmp_path: Path) -> None:
    """Also before anybody accepted the first loss."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told))
    await store.reserve(asks(1))
    await store.settle("w1", Settlement(outcome=Outcome.OK))
    for _ in range(2):
        server.kill()
        server.start()
        with pytest.raises(StoreError, match="accept-loss"):
            await ready(store.reserve, asks(2))
    kept = holds(server, "w1")
    await store.close()

    assert kept
    assert told == ["state.put_back", "state.lost"] * 2


async def test_what_is_lost_again_to_the_same_replica_is_put_back_when_that_is_accepted(
    server: Valkey, tmp_path: Path
) -> None:
    """Its data has the same epoch both times, so nobody can tell before."""
    store = RedisStore(server.url, terms(tmp_path, []))
    stranger = RedisStore(server.url, Terms(keep=86_400.0, timeout=0.5))
    await stranger.reserve(elsewhere(1))
    server.copy(0, 1)
    server.ask("FLUSHDB")
    await store.reserve(asks(1))
    for _ in range(2):
        server.copy(1, 0)
        with pytest.raises(StoreError, match="accept-loss"):
            await store.reserve(asks(2))
    await stranger.accept_loss()
    taken = is_accepted(await store.reserve(asks(3)))
    for each in (store, stranger):
        await each.close()

    assert not taken


async def test_many_who_wait_after_a_loss_put_back_once(server: Valkey, tmp_path: Path) -> None:
    """Else each would do for itself what all wait for."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told, accept=True))
    await store.reserve(asks(1))
    server.ask("FLUSHALL")
    await asyncio.gather(*(store.reserve(asks(number)) for number in range(2, 20)))
    await store.close()

    assert told == ["state.put_back", "state.lost"]


async def test_nobody_waits_long_for_what_is_put_back(
    server: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on without them, and then writes pass."""
    store = RedisStore(server.url, terms(tmp_path, [], accept=True))
    may_go_on = asyncio.Event()
    put_back = store._losses._put_back

    async def slowly() -> int:
        await may_go_on.wait()
        return await put_back()

    monkeypatch.setattr(store._losses, "_put_back", slowly)
    await store.reserve(asks(1))
    server.ask("FLUSHALL")
    with pytest.raises(StoreError, match="being put back"):
        await store.reserve(asks(2))
    may_go_on.set()
    async with asyncio.timeout(5):
        taken = is_accepted(await store.reserve(asks(3)))
    await store.close()

    assert not taken


async def test_a_settlement_is_not_overtaken_by_what_is_put_back(
    server: Valkey, tmp_path: Path
) -> None:
    """SOE refused it meanwhile: it must not come back as one of which nobody knows."""
    store = RedisStore(server.url, terms(tmp_path, [], accept=True))
    await store.reserve(asks(1))
    server.ask("FLUSHALL")
    server.ask("SCRIPT", "FLUSH")
    server.ask("SCRIPT", "LOAD", store._scripts.text("settle"))  # as another replica had
    refused = store.settle("w1", Settlement(outcome=Outcome.REFUSED))
    await asyncio.gather(store._losses._put_back(), refused)
    kept = holds(server, "w1")
    await store.close()

    assert not kept


async def test_how_a_write_ended_is_put_back_too(server: Valkey, tmp_path: Path) -> None:
    """A replica that knew the write but not that SOE took it would let the same pass again."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told))
    asked, again = (
        Reservation(write=a_write(id=name, request="r", key="k"), groups=({"cap": CAP},))
        for name in ("w1", "w2")
    )
    await store.reserve(asked)
    server.copy(0, 1)
    await store.settle("w1", Settlement(outcome=Outcome.OK))
    server.copy(1, 0)
    repeat = (await store.reserve(again)).repeat
    released = await store.release("w1")
    await store.close()

    assert repeat is not None
    assert (repeat.kind, released, told) == (Repeated.UNKEPT, False, ["state.put_back"])


async def test_of_two_words_the_first_is_put_back(server: Valkey, tmp_path: Path) -> None:
    """Settling twice is settling once, also for what a process knows."""
    store = RedisStore(server.url, terms(tmp_path, [], accept=True))
    await store.reserve(asks(1))
    for outcome in (Outcome.OK, Outcome.REFUSED):
        await store.settle("w1", Settlement(outcome=outcome))
    server.ask("FLUSHALL")
    taken = is_accepted(await store.reserve(asks(2)))
    await store.close()

    assert not taken


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [(None, Repeated.IN_FLIGHT), (Settlement(outcome=Outcome.OK, answer=b"x"), Repeated.UNKEPT)],
)
async def test_idempotency_keys_are_put_back(
    server: Valkey, tmp_path: Path, settlement: Settlement | None, expected: Repeated
) -> None:
    """Without the answer, which no process keeps; but nothing is published twice."""
    store = RedisStore(server.url, terms(tmp_path, [], accept=True))
    first, again, other = (
        Reservation(write=a_write(id=name, request=request, key="k"), groups=({},))
        for name, request in (("w1", "r"), ("w2", "r"), ("w3", "other"))
    )
    await store.reserve(first)
    if settlement is not None:
        await store.settle("w1", settlement)
    server.ask("FLUSHALL")
    repeats = [(await store.reserve(asked)).repeat for asked in (again, other)]
    await store.close()

    assert [repeat and repeat.kind for repeat in repeats] == [expected, Repeated.MISMATCH]


async def test_a_loss_that_was_accepted_leaves_the_key_that_is_shared(server: Valkey) -> None:
    """The first who writes then says which it is."""
    one, other = (
        RedisStore(server.url, Terms(keep=1.0, timeout=1.0, identity=key)) for key in "ab"
    )
    await one.reserve(asks(1))
    await one.accept_loss()
    await one.reserve(asks(2))
    with pytest.raises(StoreError, match=r"shares one audit\.key"):
        await other.reserve(asks(3))
    for each in (one, other):
        await each.close()


async def test_who_has_another_key_may_not_share_a_state(server: Valkey) -> None:
    """One caller would be two for it; the message says what to do."""
    one, other = (
        RedisStore(server.url, Terms(keep=1.0, timeout=1.0, identity=key)) for key in "ab"
    )
    await one.reserve(asks(1))
    with pytest.raises(StoreError, match=r"shares one audit\.key"):
        await other.reserve(asks(2))
    for each in (one, other):
        await each.close()


async def ready(call: Callable[[_Asked], Awaitable[_Told]], asked: _Asked) -> _Told:
    """Call when the connection is there again; what the state says then counts."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await call(asked)
            except StoreError as error:
                if error.code:
                    raise
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("lost", ["SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_scripts_and_connections_come_back_by_themselves(
    server: Valkey, store: RedisStore, lost: str
) -> None:
    """Nobody sees that they were gone."""
    await store.reserve(asks(1))
    server.ask(*lost.split())
    await asyncio.sleep(0.05)

    assert not is_accepted(await store.reserve(asks(2)))


async def test_a_full_server_is_an_error(server: Valkey, store: RedisStore) -> None:
    """Nothing half: a script begins with room or not at all."""
    await store.peek(asks(1))
    server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreError):
        await store.reserve(asks(1))
    server.ask("CONFIG", "SET", "maxmemory", "0")

    assert is_accepted(await store.reserve(asks(2)))


async def test_all_keys_lie_together_and_go_away(server: Valkey, store: RedisStore) -> None:
    """One hash tag, for a cluster; whatever belongs to a write has an expiry."""
    await store.reserve(asks(1))
    keys = [line for line in server.ask("KEYS", "*").split(b"\r\n") if b"soe-gateway" in line]
    lasting = {b"{soe-gateway}:meta"}

    assert len(keys) > len(lasting)
    assert all(key.startswith(b"{soe-gateway}:") for key in keys)
    assert all(b":-1" not in server.ask("TTL", key) for key in keys if key not in lasting)


async def test_replicas_share_one_count(server: Valkey) -> None:
    """Two stores, two hundred tries at once: one write passes."""
    stores = [RedisStore(server.url, Terms(keep=86_400.0, timeout=10.0)) for _ in range(2)]
    tries = [stores[number % 2].reserve(asks(number)) for number in range(200)]
    taken = [reserved.taken for reserved in await asyncio.gather(*tries)]
    for each in stores:
        await each.close()

    assert taken.count(True) == 1


def test_a_wrong_url_is_told() -> None:
    """At the start, not at the first write."""
    with pytest.raises(StoreError, match=r"state\.url"):
        open_store("redis://localhost:port", Terms(keep=1.0, timeout=1.0))
