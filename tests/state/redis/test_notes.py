"""What a server adds to notes and uses: its clock, its expiry, and its losses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import Outcome, Settlement
from gateway.ports import ANY, Administered
from gateway.state import Terms
from gateway.state.redis import RedisStore
from tests.contract.test_notes import HELD, put
from tests.contract.test_sharing import seen, use, uses
from tests.contract.test_stores import NOW
from tests.patience import PATIENCE, eventually
from tests.servers import Valkey
from tests.state.redis.impatience import impatient
from tests.state.redis.test_store import is_behind, ready, server, store, terms

__all__ = ["server", "store"]  # fixtures


def now(server: Valkey) -> float:
    """The server's clock."""
    seconds, micros = server.ask("TIME").split(b"\r\n")[2::2][:2]
    return float(seconds) + float(micros) / 1e6


async def test_a_note_ends_by_the_clock_of_the_server(server: Valkey, store: RedisStore) -> None:
    """Whatever the caller's says; its text is gone from memory, too."""
    ends = now(server) + 1
    await store.notes.put("soon", HELD, 5.0, until=ends, expected=None)
    await store.notes.put("later", HELD, 5.0, until=ends + 3600, expected=None)
    there = await store.notes.get("later", ends + 10_000)
    await eventually(lambda: server.ask("KEYS", "*:note:soon") == b"*0\r\n")

    assert there == HELD
    assert now(server) >= ends
    assert await store.notes.get("soon", 5.0) is None
    assert await store.notes.names("", 9, 5.0) == ["later"]


async def test_all_keys_of_notes_and_uses_end(server: Valkey, store: RedisStore) -> None:
    """A site that nobody writes to is empty some time later; `meta` alone stays."""
    later = now(server) + 600
    await store.notes.put("hold", HELD, 0.0, until=later, expected=None)
    await uses(store, 1, "a")
    await store.reserve(use(2, "b"))
    keys = server.ask("KEYS", "*").split(b"\r\n")[2::2]
    ends = {key: server.ask("TTL", key) for key in keys if b":note" in key or b":uses" in key}

    assert len(ends) == 6
    assert b":-1\r\n" not in ends.values()
    assert 600 < int(server.ask("TTL", "{soe-gateway}:notes")[1:]) <= 661


async def test_notes_that_have_ended_leave_the_indexes(server: Valkey) -> None:
    """As others are put; and the bytes are counted as they are."""
    stamped = RedisStore(server.url, Terms(keep=100.0, timeout=PATIENCE), stamped=True)
    for number in range(300):
        await put(stamped, f"{number}", b"12345", after=number)
    counts = [
        int(server.ask(verb, f"{{soe-gateway}}:notes{name}")[1:])
        for verb, name in (("ZCARD", ""), ("ZCARD", ":until"), ("HLEN", ":sizes"))
    ]
    size = int(server.ask("GET", "{soe-gateway}:notes:bytes").split(b"\r\n")[1])
    await stamped.close()

    assert counts == [60] * 3
    assert size == 300


async def test_a_server_that_lost_its_data_answers_no_note(server: Valkey, tmp_path: Path) -> None:
    """Until an operator accepts it; then there are none, but the uses that are known here."""
    store = RedisStore(server.url, terms(tmp_path, []))
    await store.notes.put("hold", HELD, NOW, until=now(server) + 600, expected=None)
    await uses(store, 1, "a")
    await store.reserve(use(2, "b", 1))
    await store.reserve(use(3, "c", 2))
    await store.settle("w3", Settlement(outcome=Outcome.REFUSED))
    await store.reserve(use(4, "d", 3))
    await store.settle("w4", Settlement(outcome=Outcome.NOT_SENT, template=True))
    server.kill()
    server.start()
    notes = store.notes

    async def again() -> bool:
        return await notes.put("hold", HELD, NOW, until=now(server) + 600, expected=None)

    async def get(name: str) -> bytes | None:
        return await notes.get(name, NOW)

    with pytest.raises(StoreError, match="accept-loss"):
        await ready(get, "hold")
    for call in (again(), notes.names("", 9, NOW), notes.drop("hold", NOW)):
        with pytest.raises(StoreError, match="accept-loss"):
            await call
    await store.accept_loss()
    note, known = await notes.get("hold", NOW), await seen(store)
    await store.settle("w2", Settlement(outcome=Outcome.NOT_SENT))
    released, is_put = await seen(store), await again()
    await store.close()

    assert (note, known, released, is_put) == (None, ("b", "a"), ("a",), True)


async def test_who_asks_for_a_note_has_a_loss_mended(server: Valkey, tmp_path: Path) -> None:
    """As a reservation does: a replica that was behind is brought up."""
    told: list[str] = []
    store = RedisStore(server.url, terms(tmp_path, told))
    await uses(store, 1, "a")
    is_behind(server)
    note = await store.notes.get("hold", NOW)
    known = await seen(store)
    await store.close()

    assert (note, known, told) == (None, ("a",), ["state.put_back"])


async def test_a_note_that_was_put_without_an_answer_can_be_looked_at(
    server: Valkey, store: RedisStore
) -> None:
    """It is put when the server goes on, and stays: somebody may have acted on it."""
    await store.notes.get("hold", NOW)
    ends = now(server) + 600
    server.pause()
    with impatient(store._redis), pytest.raises(StoreError):
        await store.notes.put("hold", HELD, NOW, until=ends, expected=None)
    server.resume()

    async def get(name: str) -> bytes | None:
        return await store.notes.get(name, NOW)

    seen_then = await ready(get, "hold")

    assert seen_then == HELD


async def test_calls_of_one_turn_go_out_together(server: Valkey, store: RedisStore) -> None:
    """Each in one script call, with no other command."""
    ends = now(server) + 600
    await store.notes.put("a", b"0", NOW, until=ends, expected=None)
    await store.reserve(use(1, "m"))
    server.ask("CONFIG", "RESETSTAT")
    await asyncio.gather(
        *(store.notes.put("a", b"0", NOW, until=ends, expected=ANY) for _ in range(5)),
        *(store.notes.get("a", NOW) for _ in range(5)),
        store.reserve(use(2, "n")),
    )
    stats = server.ask("INFO", "commandstats")

    assert b"cmdstat_evalsha:calls=11," in stats


async def test_no_more_uses_than_sixteen_members_are_kept(server: Valkey) -> None:
    """However often each uses it."""
    stamped: Administered = RedisStore(server.url, Terms(keep=1e6, timeout=PATIENCE), stamped=True)
    for number in range(100):
        await uses(stamped, number, f"m{number % 20}", number)
    kept = server.ask("ZCARD", "{soe-gateway}:uses:rule|token=t")
    await stamped.close()

    assert kept == b":16\r\n"
