"""What it costs to find the near-copies of a post among many remembered ones.

Made-up posts of a seed: log-normal numbers of prints, a tenth of them from a pool of phrases, every
twentieth post a near-copy of an earlier one. Four processes remember posts in SQLite at once, as fast
as they can.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import sqlite3
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from math import exp
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from common import folder

from gateway.state.neighbours import SCHEMA, Neighbour, SqliteNeighbours
from gateway.state.prints import packed

PROCESSES = 4
_PHRASES = 50_000
_MOST = 512


class Posts:
    """Posts by number; the same seed gives the same posts."""

    def __init__(self, seed: int = 7) -> None:
        self._seed = seed
        rng = random.Random(seed)
        self._phrases = [rng.getrandbits(48) for _ in range(_PHRASES)]
        self._often = list(accumulate(1 / rank**1.05 for rank in range(1, _PHRASES + 1)))

    def post(self, number: int) -> tuple[list[int], int | None]:
        """Give a post's prints, ascending, and the number of the post that it copies."""
        rng = random.Random(self._seed * 1_000_003 + number)
        if number > 100 and rng.random() < 0.05:
            original = rng.randrange(number)
            return self._copy(self.post(original)[0], rng), original
        count = max(1, int(exp(rng.gauss(4.186, 1.04))))  # mean 113, 99 % below 740
        own, common = array("Q", rng.randbytes(8 * count)), round(count * 0.1)
        prints = {value >> 16 for value in own[common:]}
        prints.update(rng.choices(self._phrases, cum_weights=self._often, k=common))
        return sorted(prints)[:_MOST], None

    def _copy(self, prints: list[int], rng: random.Random) -> list[int]:
        kept = rng.sample(prints, max(1, round(len(prints) * rng.uniform(0.80, 0.95))))
        other = [rng.getrandbits(48) for _ in range(len(prints) - len(kept))]
        return sorted({*kept, *other})[:_MOST]


@dataclass
class Took:
    """Seconds of one reservation: in all, and with others kept out (0 where nobody can tell)."""

    call: float
    locked: float


class Side(Protocol):
    """An engine as one process has it."""

    def reserve(self, write_id: str, at: float, prints: array[int]) -> tuple[list[Neighbour], Took]:
        """Find a post's neighbours and remember it."""


class OverSqlite:
    """The file and its table, as a state thread would use them."""

    def __init__(self, path: Path, rows: int, turn: AbstractContextManager[None]) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self.near = SqliteNeighbours(self._db, path.with_suffix(".prints"), rows)
        self._turn = turn

    def reserve(self, write_id: str, at: float, prints: array[int]) -> tuple[list[Neighbour], Took]:
        """Look ahead, remember under the lock, read what was found."""
        begun = time.perf_counter()
        last, numbers = self.near.ahead(prints)
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            alone = time.perf_counter()
            numbers += self.near.since(last)
            self.near.add(write_id, at, prints)
            self._db.execute("COMMIT")
            locked = time.perf_counter() - alone
        found = self.near.read(numbers)
        took = Took(time.perf_counter() - begun, locked)
        self.near.sync()
        return found, took

    def prune(self, before: float, most: int) -> float:
        """Forget some old posts, and give the seconds under the lock."""
        self._db.execute("BEGIN IMMEDIATE")
        begun = time.perf_counter()
        self.near.prune(before, most)
        self._db.execute("COMMIT")
        return time.perf_counter() - begun


class Turn:
    """Wait in the kernel for one's turn, where SQLite would sleep and try again."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)


@dataclass
class Told:
    """What one process saw."""

    took: list[Took]
    seconds: float
    cpu: float
    copies: int
    found: int
    memory: int


def work(
    begin: Callable[[], Side], numbers: Sequence[int], remembered: int, barrier: Any, told: Any
) -> None:
    """Remember posts, and see whether the originals of copies are found."""
    posts = Posts()
    mine = [(number, packed(posts.post(number)[0]), posts.post(number)[1]) for number in numbers]
    side = begin()
    barrier.wait()
    took, copies, right = [], 0, 0
    begun, cpu = time.perf_counter(), time.process_time()
    for number, prints, original in mine:
        found, each = side.reserve(_id(number), float(number), prints)
        took.append(each)
        if original is not None and original < remembered:
            copies += 1
            right += _id(original) in {neighbour.write_id for neighbour in found}
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    told.put(Told(took, seconds, cpu, copies, right, _anonymous_memory()))


def at_once(
    name: str, begin: Callable[[], Side], *, processes: int, remembered: int, first: int, count: int
) -> int:
    """Let processes remember `count` posts, and print what it took."""
    fork = multiprocessing.get_context("fork")
    barrier, told = fork.Barrier(processes), fork.Queue()
    shares = [range(first + each, first + count, processes) for each in range(processes)]
    running = [
        fork.Process(target=work, args=(begin, share, remembered, barrier, told))
        for share in shares
    ]
    for process in running:
        process.start()
    all_told: list[Told] = [told.get(timeout=120) for _ in running]
    for process in running:
        process.join()
    calls = [took.call for each in all_told for took in each.took]
    locked = [took.locked for each in all_told for took in each.took]
    copies, found = sum(each.copies for each in all_told), sum(each.found for each in all_told)
    print(
        f"{name:26}{_micros(calls):>16}{_micros(locked):>14}"
        f"{sum(each.cpu for each in all_told) / count * 1e6:9.0f}"
        f"{count / max(each.seconds for each in all_told):9.0f}"
        f"{found:6}/{copies}{max(each.memory for each in all_told):9}"
    )
    return first + count


def over_sqlite(files: Path, posts: Posts, remembered: int, count: int) -> None:
    """Measure SQLite with a table in a mapped file."""
    path, rows = files / "state.db", 1 << (remembered - 1).bit_length()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA)
    db.execute("BEGIN")
    db.executemany("INSERT INTO posts VALUES (?, ?, ?, ?)", _rows(posts, remembered))
    db.execute("UPDATE numbers SET last = ?", (remembered,))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    table = path.with_suffix(".prints")
    built, _ = _timed(lambda: SqliteNeighbours(db, table, rows))
    opened = [_timed(lambda: SqliteNeighbours(db, table, rows))[0] for _ in range(5)]
    db.close()
    print(f"sqlite: {remembered} posts, table of {rows} rows; built in {built:.1f} s,")
    print(f"  opened in {median(opened) * 1e3:.1f} ms, {_per_post(path, remembered)} B/post and")
    print(f"  {_per_post(table, remembered)} B/post for the table, which the processes share")

    def begin() -> Side:
        return OverSqlite(path, rows, nullcontext())

    def begin_in_turn() -> Side:
        return OverSqlite(path, rows, Turn(files / "turn"))

    first = remembered
    for name, processes, each in (
        ("sqlite, 1 process", 1, begin),
        (f"sqlite, {PROCESSES}", PROCESSES, begin),
        (f"sqlite, {PROCESSES} in turn", PROCESSES, begin_in_turn),
    ):
        args = {"processes": processes, "remembered": remembered, "first": first, "count": count}
        first = at_once(name, each, **args)
    side = OverSqlite(path, rows, nullcontext())
    pruned = [side.prune(remembered / 2, 4) / 4 for _ in range(min(500, remembered // 16))]
    print(f"sqlite: forgetting a post takes {_micros(pruned)} us under the lock")


def _rows(posts: Posts, count: int) -> Iterator[tuple[int, str, float, array[int]]]:
    return (
        (number + 1, _id(number), float(number), packed(posts.post(number)[0]))
        for number in range(count)
    )


def _id(number: int) -> str:
    return f"w{number:031x}"


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    made = work()
    return time.perf_counter() - begun, made


def _micros(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return f"{median(ordered) * 1e6:.0f} / {ordered[int(len(ordered) * 0.99)] * 1e6:.0f}"


def _per_post(path: Path, posts: int) -> int:
    return path.stat().st_size // posts


def _anonymous_memory() -> int:
    """MiB of this process alone."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1]) // 1024


def main() -> None:
    """Run it; --short for a look, --posts N for other numbers than 200,000."""
    remembered, count = (20_000, 1_000) if "--short" in sys.argv else (200_000, 4_000)
    if "--posts" in sys.argv:
        remembered = int(sys.argv[sys.argv.index("--posts") + 1])
    posts = Posts()
    print(f"{'':26}{'call p50 / p99':>16}{'under lock':>14}{'CPU us':>9}{'each s':>9}  recall  MiB")
    with folder() as files:
        over_sqlite(files, posts, remembered, count)


if __name__ == "__main__":
    main()
