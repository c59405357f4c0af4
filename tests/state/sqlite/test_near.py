"""Near-copies over the file and its table: processes that meet, and tables that are lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Barrier

import pytest

from gateway.errors import StoreError
from gateway.model import Outcome, Settlement
from gateway.state import Terms
from gateway.state.prints import rows_for, table_size
from gateway.state.sqlite import SqliteStore
from tests.contract.conftest import KEEP
from tests.contract.test_near import finds, keep, looking, post, some, told
from tests.patience import PATIENCE

POSTS = 1 << 8


def opened(folder: Path, posts: int = POSTS) -> SqliteStore:
    """A store over a file."""
    return SqliteStore(folder / "state.db", Terms(keep=KEEP, timeout=PATIENCE, posts=posts))


async def filled(folder: Path) -> None:
    """A file in which there is a post."""
    store = opened(folder)
    await keep(store, post(1, some(1)))
    await store.close()


# ── processes that meet ──────────────────────────────────────────────────────────────────────


async def test_what_comes_between_the_search_and_the_lock_is_found(tmp_path: Path) -> None:
    """A copy that another process remembers meanwhile; but none that is released again."""
    one, other = opened(tmp_path), opened(tmp_path)
    search = one._near.search

    def meanwhile(asked: object) -> object:
        found = search(asked)  # type: ignore[arg-type]  # a reservation
        asyncio.run(fill())
        return found

    async def fill() -> None:
        await keep(other, post(1, [*some(1), 1]), ends=Settlement(outcome=Outcome.REFUSED))
        await keep(other, post(2, [*some(1), 2]))

    one._near.search = meanwhile  # type: ignore[method-assign,assignment]  # the moment between
    found = told(await one.reserve(looking(post(3, some(1)))))
    await one.close()
    await other.close()

    assert found == [("w2", False)]


async def test_a_copy_beside_it_in_the_transaction_is_found(tmp_path: Path) -> None:
    """Both were searched for before either was remembered."""
    store = opened(tmp_path)
    asked = [looking(post(number, [*some(1), number])) for number in range(3)]
    answers = await asyncio.gather(*map(store.reserve, asked))
    await store.close()

    assert [len(told(each)) for each in answers] == [0, 1, 2]


def _copies(folder: Path, worker: int, rounds: int, barrier: Barrier) -> list[int]:
    """Reserve a near-copy of each text when all do; give how many were found."""

    async def work() -> list[int]:
        store, counts = opened(folder, 1 << 10), []
        for each in range(rounds):
            prints = [*some(each, 90), *some(1_000_000 + worker * rounds + each, 10)]
            asked = post(each, prints, id=f"{worker}-{each}", request=f"{worker}-{each}")
            barrier.wait(PATIENCE)
            counts.append(len(told(await store.reserve(looking(asked)))))
        await store.close()
        return counts

    return asyncio.run(work())


def test_of_copies_at_once_each_finds_those_before(tmp_path: Path) -> None:
    """However processes interleave, the first finds none, the second one, the third two."""
    processes, rounds = 3, 40
    context = multiprocessing.get_context("forkserver")
    with context.Pool(processes) as pool, context.Manager() as manager:
        barrier = manager.Barrier(processes)
        work = [(tmp_path, worker, rounds, barrier) for worker in range(processes)]
        seen = pool.starmap(_copies, work, chunksize=1)

    assert [sorted(each) for each in zip(*seen, strict=True)] == [[0, 1, 2]] * rounds


# ── tables that are lost ─────────────────────────────────────────────────────────────────────


def _resize(table: Path) -> None:
    os.truncate(table, table_size(rows_for(POSTS)) // 2)


LOSSES: dict[str, Callable[[Path], object]] = {
    "missing": lambda table: table.unlink(),
    "empty": lambda table: table.write_bytes(bytes(table_size(rows_for(POSTS)))),
    "cut": _resize,
    "nonsense": lambda table: table.write_bytes(b"no table"),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_table_is_made_anew(tmp_path: Path, loss: str) -> None:
    """From the posts, which are the truth."""
    await filled(tmp_path)
    LOSSES[loss](tmp_path / "state.db-prints")
    store = opened(tmp_path)
    found = await finds(store, [*some(1), 1])
    await store.close()

    assert found == [("w1", False)]


async def test_an_older_table_is_made_up_for(tmp_path: Path) -> None:
    """A power cut took from it what was not on the disk yet."""
    first = opened(tmp_path)
    await keep(first, post(1, some(1)))
    first._table.sync(1)
    older = (tmp_path / "state.db-prints").read_bytes()
    await keep(first, post(2, some(2)))
    await first.close()
    (tmp_path / "state.db-prints").write_bytes(older)
    store = opened(tmp_path)
    found = [await finds(store, [*some(seed), 1]) for seed in (1, 2)]
    await store.close()

    assert found == [[("w1", False)], [("w2", False)]]


async def test_a_table_ahead_of_its_file_is_made_up_for(tmp_path: Path) -> None:
    """Posts that a power cut took give their numbers to others, which are found after the next."""
    await filled(tmp_path)
    db = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    first = opened(tmp_path)
    first._table.sync(1)
    await first.close()
    db.execute("DELETE FROM writes")
    db.execute("UPDATE clock SET number = 0")
    db.close()
    await opened(tmp_path).close()
    cut = (tmp_path / "state.db-prints").read_bytes()
    ahead = opened(tmp_path)
    await keep(ahead, post(2, some(2)))
    await ahead.close()
    (tmp_path / "state.db-prints").write_bytes(cut)
    store = opened(tmp_path)
    found = await finds(store, [*some(2), 1])
    await store.close()

    assert found == [("w2", False)]


async def test_a_table_gets_its_size_from_the_settings_when_nobody_has_it(tmp_path: Path) -> None:
    """Whoever comes while others use it takes it as it is: all must write to one."""
    await filled(tmp_path)
    one = opened(tmp_path)
    other = opened(tmp_path, 4 * POSTS)
    await keep(other, post(2, [*some(1), 2**32 - 1], 1))
    found = await finds(one, [*some(1), 1], after=2)
    sizes = [(tmp_path / "state.db-prints").stat().st_size]
    await one.close()
    await other.close()
    again = opened(tmp_path, 4 * POSTS)
    sizes.append((tmp_path / "state.db-prints").stat().st_size)
    found_again = await finds(again, [*some(1), 1], after=2)
    await again.close()

    assert sizes == [table_size(rows_for(POSTS)), table_size(rows_for(4 * POSTS))]
    assert found == found_again == [("w2", False), ("w1", False)]


async def test_the_table_of_another_file_is_none(tmp_path: Path) -> None:
    """What was moved away took its posts with it; theirs are not looked for here."""
    await filled(tmp_path)
    for part in ("", "-wal", "-shm"):
        (tmp_path / f"state.db{part}").unlink(missing_ok=True)
    store = opened(tmp_path)
    await keep(store, post(2, some(2)))
    found = [await finds(store, [*some(seed), 1]) for seed in (1, 2)]
    await store.close()

    assert found == [[], [("w2", False)]]


def test_a_table_that_finds_no_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start; a file that is mapped beyond its room would end the process later."""

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(StoreError, match=r"state\.db: no table of prints beside it: .*No space"):
        opened(tmp_path)
    assert [file.name for file in tmp_path.glob("*prints*")] == []


async def test_no_prints_of_a_scope_stand_in_the_table_as_they_are(tmp_path: Path) -> None:
    """Each is mixed with its team's salt, the main site's too."""
    await filled(tmp_path)
    table = (tmp_path / "state.db-prints").read_bytes()

    assert not any(value.to_bytes(4, "little") in table for value in some(1))


# ── what fails ───────────────────────────────────────────────────────────────────────────────


async def test_a_release_that_fails_takes_nothing_out(tmp_path: Path) -> None:
    """The post is there still, and found."""
    store = opened(tmp_path)
    await keep(store, post(1, some(1)), ends=None)
    real = store._near.leave

    def leave_and_fail(row: object) -> None:
        real(row)  # type: ignore[arg-type]  # a row
        raise sqlite3.OperationalError("disk I/O error")

    store._near.leave = leave_and_fail  # type: ignore[method-assign]  # once
    with pytest.raises(StoreError, match="I/O"):
        await store.release("w1")
    store._near.leave = real  # type: ignore[method-assign]
    found = [await finds(store, [*some(1), 1]) for _ in range(2)]
    await store.close()

    assert found == [[("w1", False)]] * 2


async def test_numbers_are_used_once(tmp_path: Path) -> None:
    """A released post's too, after a restart as well."""
    numbers = []
    for each in range(2):
        store = opened(tmp_path)
        for ends in (Outcome.REFUSED, Outcome.OK):
            await keep(store, post(10 * each, some(1)), ends=Settlement(outcome=ends))
        numbers += store._db.execute("SELECT seq FROM writes ORDER BY seq").fetchall()
        await store.close()

    assert numbers == [(2,), (2,), (4,)]
