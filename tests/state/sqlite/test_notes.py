"""What the file and its processes add to notes and uses."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from gateway.errors import StoreError
from gateway.model import Outcome, Settlement
from gateway.state.sqlite import SqliteStore
from tests.contract.conftest import KEEP
from tests.contract.test_notes import HELD, put
from tests.contract.test_sharing import seen, use, uses
from tests.contract.test_stores import NOW, asks, write
from tests.patience import PATIENCE, eventually
from tests.state.sqlite.test_store import DAMAGES, opened, terms

_ROUNDS = 20
_COUNTS = "SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM uses)"


async def test_notes_and_uses_outlive_their_process(tmp_path: Path) -> None:
    """Also a use that was in flight: it goes when its write is released."""
    first = opened(tmp_path / "state.db")
    await put(first, "hold")
    await uses(first, 1, "a")
    await first.reserve(use(2, "b", 1))
    await first.close()
    second = opened(tmp_path / "state.db")
    note, before = await second.notes.get("hold", NOW), await seen(second, 2)
    await second.settle("w2", Settlement(outcome=Outcome.NOT_SENT))
    after = await seen(second, 2)
    await second.close()

    assert (note, before, after) == (HELD, ("b", "a"), ("a",))


def test_of_processes_that_put_at_once_one_does(tmp_path: Path) -> None:
    """Each time."""
    path = tmp_path / "state.db"
    asyncio.run(opened(path).close())
    context = multiprocessing.get_context("forkserver")
    with context.Pool(3) as pool, context.Manager() as manager:
        done = pool.starmap(_race, [(path, manager.Barrier(3))] * 3, chunksize=1)

    assert [sum(each) for each in zip(*done, strict=True)] == [1] * _ROUNDS


def _race(path: Path, at_once: Barrier) -> list[bool]:
    """Put so many notes when all do; give which were put."""

    async def race() -> list[bool]:
        store = opened(path)
        done = []
        for number in range(_ROUNDS):
            await asyncio.to_thread(at_once.wait, PATIENCE)
            done.append(await put(store, f"{number}"))
        await store.close()
        return done

    return asyncio.run(race())


async def test_what_has_ended_goes_from_the_file(tmp_path: Path) -> None:
    """Notes and uses alike, behind the writers."""
    store = opened(tmp_path / "state.db")
    for number in range(250):
        await put(store, f"{number}")
        await uses(store, number, f"m{number % 7}")
    await store.reserve(use(999, "late", 2 * KEEP))
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        await eventually(lambda: db.execute(_COUNTS).fetchone() == (0, 1))
    await store.close()


async def test_no_more_rows_than_sixteen_members_are_kept(tmp_path: Path) -> None:
    """However often each uses it."""
    store = opened(tmp_path / "state.db")
    for number in range(100):
        await uses(store, number, f"m{number % 20}", number)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        rows = db.execute("SELECT member, seq FROM uses").fetchall()
    await store.close()

    assert sorted(rows) == sorted((f"m{number}", 0) for number in range(4, 20))


async def test_a_lost_file_answers_no_note_until_that_is_accepted(tmp_path: Path) -> None:
    """Then there are none: a hold has to be asked for again."""
    told: list[str] = []
    path = tmp_path / "state.db"
    store = SqliteStore(path, terms(tmp_path, told))
    await put(store, "hold")
    await store.close()
    DAMAGES["gone"](path)
    store = SqliteStore(path, terms(tmp_path, told))
    notes = store.notes
    for call in (
        notes.get("hold", NOW), put(store, "hold"), notes.names("", 9, NOW), notes.drop("hold", NOW)
    ):  # fmt: skip
        with pytest.raises(StoreError, match="accept-loss"):
            await call
    await store.accept_loss()
    note = await notes.get("hold", NOW)
    await store.close()

    assert note is None


async def test_a_note_that_is_refused_stops_no_neighbour(tmp_path: Path) -> None:
    """What waits shares a transaction, and a full state is one caller's trouble."""
    store = opened(tmp_path / "state.db")
    await asyncio.gather(*(put(store, f"{n}", bytes(256 * 1024)) for n in range(256)))
    late, answered, reserved = await asyncio.gather(
        put(store, "late", b"x"),
        store.notes.get("7", NOW),
        store.reserve(asks(write(1), {})),
        return_exceptions=True,
    )
    await store.close()

    assert isinstance(late, StoreError)
    assert answered == bytes(256 * 1024)
    assert not isinstance(reserved, BaseException)
