"""Near-copies are found by each engine, whoever else writes."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from gateway.state.neighbours import (
    SCHEMA,
    MemoryNeighbours,
    Neighbour,
    SqliteNeighbours,
)
from gateway.state.prints import CANDIDATES, packed, shared

ROWS = 1 << 10


class Engine(Protocol):
    """What all engines can do, each in its way."""

    def find(self, prints: array[int]) -> list[Neighbour]: ...
    def add(self, write_id: str, at: float, prints: array[int]) -> int: ...
    def delete(self, number: int) -> None: ...


class OverSqlite(SqliteNeighbours):
    """A file as its state thread uses it."""

    def __init__(self, folder: Path, rows: int = ROWS) -> None:
        self.db = sqlite3.connect(folder / "state.db", isolation_level=None, timeout=60)
        self.db.execute("PRAGMA journal_mode = WAL")
        if not self.db.execute("SELECT 1 FROM sqlite_master").fetchall():
            self.db.executescript(SCHEMA)
        super().__init__(self.db, folder / "state.prints", rows)

    def find(self, prints: array[int]) -> list[Neighbour]:
        last, numbers = self.ahead(prints)
        return self.read([*numbers, *self.since(last)])


@pytest.fixture(params=["memory", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Each engine, empty."""
    engines: dict[str, Callable[[], Engine]] = {
        "memory": lambda: MemoryNeighbours(ROWS),
        "sqlite": lambda: OverSqlite(tmp_path),
    }
    return engines[request.param]()


def a_post(seed: int, size: int = 100) -> list[int]:
    """The prints of some text."""
    rng = random.Random(seed)
    return [rng.getrandbits(48) for _ in range(size)]


def ids(found: list[Neighbour]) -> list[str]:
    """Whose posts these are."""
    return [neighbour.write_id for neighbour in found]


def test_a_near_copy_finds_its_original(engine: Engine) -> None:
    """Four fifths of the prints are kept among three times as much other text."""
    original = a_post(3)
    for seed in range(300):
        engine.add(f"w{seed}", 1.0, packed(a_post(seed)))

    found = engine.find(packed([*original[:80], *a_post(1000, 300)]))

    assert ids(found) == ["w3"]
    assert shared(found[0].prints, packed(original)) == 100


def test_the_closest_come_first(engine: Engine) -> None:
    """Where many are alike, those that share the most are compared, at most so many."""
    text = a_post(1, 16)
    for kept in range(2, 17):
        for copy in range(3):
            rest = a_post(100 * kept + copy, 16 - kept)
            engine.add(f"w{kept}.{copy}", 1.0, packed([*text[:kept], *rest]))

    found = ids(engine.find(packed(text)))

    assert len(found) <= CANDIDATES
    assert {each.partition(".")[0] for each in found[:3]} == {"w16"}


def test_what_was_deleted_is_not_found(engine: Engine) -> None:
    """A released post is nobody's neighbour, and its number goes to no other."""
    gone = engine.add("w1", 1.0, packed(a_post(1)))
    engine.delete(gone)
    kept = engine.add("w2", 1.0, packed(a_post(1)))

    assert (ids(engine.find(packed(a_post(1)))), kept > gone) == (["w2"], True)


def test_a_phrase_in_all_posts_hides_none(engine: Engine) -> None:
    """A print that stands everywhere fills neither its row nor the answer."""
    phrases = [1 << 32, 2 << 32 | 1]
    engine.add("w", 1.0, packed([3 << 32 | ROWS, *a_post(5, 30)]))  # one row with the first
    for seed in range(100):
        engine.add(f"w{seed}", 1.0, packed([*phrases, *a_post(1000 + seed, 30)]))

    found = ids(engine.find(packed([*phrases, 3 << 32 | ROWS, *a_post(5, 30)])))

    assert found[0] == "w"


@pytest.mark.parametrize("name", ["memory", "sqlite"])
def test_the_oldest_go_first(name: str, tmp_path: Path) -> None:
    """Pruning takes at most so many of those whose time is over."""
    state = MemoryNeighbours(ROWS) if name == "memory" else OverSqlite(tmp_path)
    for at in range(5):
        state.add(f"w{at}", at, packed(a_post(at)))
    state.prune(3, 2)
    once = [at for at in range(5) if state.find(packed(a_post(at)))]
    state.prune(3, 9)
    twice = [at for at in range(5) if state.find(packed(a_post(at)))]

    assert (once, twice) == ([2, 3, 4], [4])


def test_a_full_table_forgets_the_oldest() -> None:
    """More posts than rows: the newest are found, and nothing grows."""
    state = MemoryNeighbours(64)
    for seed in range(400):
        state.add(f"w{seed}", 1.0, packed(a_post(seed)))

    found = [bool(state.find(packed(a_post(seed)))) for seed in (*range(9), *range(370, 400))]

    assert found == [False] * 9 + [True] * 30


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────


def test_what_comes_between_is_found(tmp_path: Path) -> None:
    """A copy that another process remembers between the look ahead and the lock is a candidate."""
    one, other = OverSqlite(tmp_path), OverSqlite(tmp_path)
    last, numbers = one.ahead(packed(a_post(1)))
    other.add("w1", 1.0, packed(a_post(1)))

    assert (numbers, ids(one.read(one.since(last)))) == ([], ["w1"])


def test_a_released_post_does_not_hide_what_follows(tmp_path: Path) -> None:
    """The newest post goes and a copy comes between the look ahead and the lock."""
    one, other = OverSqlite(tmp_path), OverSqlite(tmp_path)
    number = other.add("w1", 1.0, packed(a_post(2)))
    last, _ = one.ahead(packed(a_post(1)))
    other.delete(number)
    other.add("w2", 1.0, packed(a_post(1)))

    assert ids(one.read(one.since(last))) == ["w2"]


@pytest.mark.parametrize("loss", ["missing", "older", "other size"])
def test_a_lost_table_is_made_anew(tmp_path: Path, loss: str) -> None:
    """A table that a power cut took, or took back, is made up for from the posts."""
    table = tmp_path / "state.prints"
    first = OverSqlite(tmp_path)
    older = table.read_bytes()
    first.add("w1", 1.0, packed(a_post(1)))
    first.close()
    if loss == "missing":
        table.unlink()
    elif loss == "older":
        table.write_bytes(older)
    again = OverSqlite(tmp_path, rows=ROWS * 2 if loss == "other size" else ROWS)

    assert ids(again.find(packed(a_post(1)))) == ["w1"]


def test_a_table_ahead_of_its_file_is_made_up_for(tmp_path: Path) -> None:
    """Posts that a power cut took give their numbers to others, which are found after the next."""
    table = tmp_path / "state.prints"
    first = OverSqlite(tmp_path)
    first.add("w1", 1.0, packed(a_post(1)))
    first.close()
    first.db.execute("DELETE FROM posts")
    first.db.execute("UPDATE numbers SET last = 0")
    ahead = OverSqlite(tmp_path)
    cut = table.read_bytes()
    ahead.add("w2", 1.0, packed(a_post(2)))
    table.write_bytes(cut)

    assert ids(OverSqlite(tmp_path).find(packed(a_post(2)))) == ["w2"]


def _reserve_copies(folder: Path, worker: int, rounds: int, barrier: Any, told: Any) -> None:
    state = OverSqlite(folder)
    for each in range(rounds):
        prints = packed([*a_post(each, 90), *a_post(1_000_000 + worker * rounds + each, 10)])
        barrier.wait()
        last, numbers = state.ahead(prints)
        state.db.execute("BEGIN IMMEDIATE")
        numbers += state.since(last)
        mine = state.add(f"r{each}", 1.0, prints)
        state.db.execute("COMMIT")
        copies = [post for post in state.read(numbers) if post.write_id == f"r{each}"]
        told.put((each, mine, len(copies)))


@pytest.mark.slow
def test_of_copies_at_once_each_finds_those_before(tmp_path: Path) -> None:
    """However processes interleave, the first finds none, the second one, the third two."""
    OverSqlite(tmp_path).close()
    processes, rounds = 3, 60
    fork = multiprocessing.get_context("fork")
    barrier, told = fork.Barrier(processes), fork.Queue()
    workers = [
        fork.Process(target=_reserve_copies, args=(tmp_path, worker, rounds, barrier, told))
        for worker in range(processes)
    ]
    for worker in workers:
        worker.start()
    seen = sorted(told.get(timeout=60) for _ in range(processes * rounds))
    for worker in workers:
        worker.join()

    assert [found for _, _, found in seen] == [0, 1, 2] * rounds
