"""What the file and its processes add to the contract of a store."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from gateway.errors import StoreError
from gateway.model import Need, Outcome, Settlement
from gateway.state import Terms, open_store
from gateway.state.sqlite import SqliteStore
from tests.contract.conftest import KEEP
from tests.contract.test_stores import NOW, asks, cap, charged, found, look, write
from tests.patience import PATIENCE, eventually


def opened(path: Path) -> SqliteStore:
    """A store over a file."""
    return SqliteStore(path, Terms(keep=KEEP, timeout=PATIENCE))


def contents(folder: Path) -> list[bytes]:
    """All that stands in a folder's files."""
    return [file.read_bytes() for file in folder.iterdir()]


def modes(folder: Path) -> dict[str, int]:
    """Who may read a folder's files."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_state_outlives_its_process(tmp_path: Path) -> None:
    """Charges and posts are there when the file is opened again."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    first = opened(tmp_path / "state.db")
    await first.reserve(asks(write(1), needs))
    await first.close()
    second = opened(tmp_path / "state.db")
    later = await second.peek(asks(write(2, 5), needs))
    await second.close()

    assert (charged(later).accepted, found(later)) == (False, ["w1"])


@pytest.mark.parametrize("text", ["How do I rotate the key?", "It runs out."])
async def test_no_text_of_a_post_is_in_the_file(tmp_path: Path, text: str) -> None:
    """Digests are enough to find a copy."""
    store = opened(tmp_path / "state.db")
    await store.reserve(asks(write(1), {"copies": look()}))
    await store.close()

    assert text.encode() not in b"".join(contents(tmp_path))


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Who asked what is nobody else's business, in the journal either."""
    store = opened(tmp_path / "state.db")
    await store.reserve(asks(write(1), {"cap": cap()}))
    seen = modes(tmp_path)
    await store.close()

    assert seen == {f"state.db{part}": 0o600 for part in ("", "-wal", "-shm", "-prints")}


async def test_a_file_that_was_never_ours_is_told_and_left_alone(tmp_path: Path) -> None:
    """Somebody named it by mistake."""
    path = tmp_path / "letter.txt"
    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StoreError, match="move it away"):
        opened(path)
    assert path.read_bytes() == b"not a database at all" * 100


async def test_a_file_of_a_newer_gateway_is_refused(tmp_path: Path) -> None:
    """It may hold what this one would not count."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(StoreError, match="schema 99 is of a newer gateway"):
        opened(path)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match=r"file/state\.db cannot be used as state"):
        opened(tmp_path / "file" / "state.db")


def test_an_unknown_engine_is_told() -> None:
    """The message names those that there are."""
    with pytest.raises(StoreError, match="there are memory, sqlite"):
        open_store("etcd://host", Terms(keep=1, timeout=1))


async def test_a_relative_path_is_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes are relative, four absolute."""
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///near/state.db", f"sqlite:///{tmp_path}/far/state.db"):
        await open_store(url, Terms(keep=1, timeout=PATIENCE)).close()

    assert (tmp_path / "near/state.db").exists()
    assert (tmp_path / "far/state.db").exists()


# ── losses ───────────────────────────────────────────────────────────────────────────────────


def terms(folder: Path, told: list[str], *, accept: bool = False) -> Terms:
    """Terms with a note of what was worked on."""
    return Terms(
        keep=KEEP,
        timeout=PATIENCE,
        accept_loss=accept,
        note=folder / "state.epoch",
        tell=lambda event, **_: told.append(event),
    )


async def used(folder: Path, told: list[str]) -> Path:
    """A state file whose cap is used up."""
    path = folder / "state.db"
    store = SqliteStore(path, terms(folder, told))
    await store.reserve(asks(write(1), {"cap": cap()}))
    await store.settle("w1", Settlement(outcome=Outcome.OK))
    await store.close()
    return path


DAMAGES: dict[str, Callable[[Path], object]] = {
    "header": lambda path: path.write_bytes(b"xxxx" + path.read_bytes()[4:]),
    "pages": lambda path: path.write_bytes(path.read_bytes()[:4096] + b"x" * 65_536),
    "gone": lambda path: path.unlink(),
    "another": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_loss_refuses_until_an_operator_accepts_it(tmp_path: Path, damage: str) -> None:
    """Also after a restart; and what was damaged is still there, under another name."""
    told: list[str] = []
    path = await used(tmp_path, told)
    DAMAGES[damage](path)
    for _ in range(2):
        store = SqliteStore(path, terms(tmp_path, told))
        with pytest.raises(StoreError, match="accept-loss"):
            await store.reserve(asks(write(2), {"cap": cap()}))
        await store.close()
    operator = SqliteStore(path, Terms(keep=KEEP, timeout=PATIENCE))
    accepted = [await operator.accept_loss() for _ in range(2)]
    await operator.close()
    store = SqliteStore(path, terms(tmp_path, told))
    taken = (await store.reserve(asks(write(3), {"cap": cap()}))).taken
    await store.close()

    assert (accepted, taken) == ([True, False], True)
    assert "state.lost" in told
    aside = [each for each in tmp_path.iterdir() if ".damaged-" in each.name]
    assert bool(aside) == (damage in ("header", "pages")) == ("state.set_aside" in told)


async def test_a_loss_may_be_accepted_beforehand(tmp_path: Path) -> None:
    """The setting says so, and it is told all the same."""
    told: list[str] = []
    path = await used(tmp_path, told)
    path.unlink()
    store = SqliteStore(path, terms(tmp_path, told, accept=True))
    taken = (await store.reserve(asks(write(2), {"cap": cap()}))).taken
    await store.close()

    assert (taken, told) == (True, ["state.lost"])


async def test_a_loss_that_was_met_may_be_accepted_by_the_setting(tmp_path: Path) -> None:
    """Whoever changes it after the first refusals need not know of a command."""
    told: list[str] = []
    path = await used(tmp_path, told)
    path.unlink()
    await SqliteStore(path, terms(tmp_path, told)).close()
    store = SqliteStore(path, terms(tmp_path, told, accept=True))
    taken = (await store.reserve(asks(write(2), {"cap": cap()}))).taken
    await store.close()

    assert taken


def test_of_many_that_start_at_once_one_sets_a_damaged_file_aside(tmp_path: Path) -> None:
    """The others open the new one: they would count on two files, or not start at all."""
    context = multiprocessing.get_context("forkserver")
    with context.Pool(4) as pool, context.Manager() as manager:
        for number in range(5):
            folder = tmp_path / str(number)
            folder.mkdir()
            path = asyncio.run(used(folder, []))
            DAMAGES["header"](path)
            at_once = manager.Barrier(4)
            epochs = pool.starmap(_start, [(path, at_once)] * 4, chunksize=1)

            assert len(set(epochs)) == 1


def _start(path: Path, at_once: Barrier) -> str:
    """Open the file when all do; give the epoch of what was opened, when all have."""
    at_once.wait(PATIENCE)
    store = SqliteStore(path, terms(path.parent, [], accept=True))
    at_once.wait(PATIENCE)
    epoch = store._db.execute("SELECT epoch FROM clock").fetchone()[0]
    at_once.wait(PATIENCE)
    asyncio.run(store.close())
    return str(epoch)


async def test_a_damaged_file_in_use_is_not_set_aside(tmp_path: Path) -> None:
    """Who has it open would go on counting there."""
    told: list[str] = []
    path = await used(tmp_path, told)
    context = multiprocessing.get_context("forkserver")
    with context.Pool(1) as pool:
        pool.apply(_hold, (path,))
        with path.open("rb+") as file:
            file.write(b"xxxx")
        with pytest.raises(StoreError, match="damaged and in use"):
            SqliteStore(path, terms(tmp_path, told))

    assert path.exists()


def _hold(path: Path) -> None:
    """Keep a connection open in this process for as long as it lives."""
    _HELD.append(sqlite3.connect(path))
    _HELD[0].execute("SELECT count(*) FROM writes").fetchone()


_HELD: list[sqlite3.Connection] = []


# ── tidying up ───────────────────────────────────────────────────────────────────────────────


async def test_what_expired_goes_and_the_journal_stays_small(tmp_path: Path) -> None:
    """Behind the writers, without being asked."""
    path = tmp_path / "state.db"
    store = opened(path)
    for number in range(300):
        await store.reserve(asks(write(number), {"cap": cap(f"c{number}")}))
    await store.reserve(asks(write(999, KEEP + 1), {}))
    db = sqlite3.connect(path, isolation_level=None)
    counts = "SELECT (SELECT count(*) FROM writes), count(*) FROM charges"
    await eventually(lambda: db.execute(counts).fetchone() == (1, 0))
    db.close()
    await store.close()


async def test_so_many_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one is not given again, and its post is not written again either."""
    monkeypatch.setattr("gateway.state.sqlite.janitor.ANSWERS_AT_MOST", 2)
    store = opened(tmp_path / "state.db")
    for number in (1, 2, 3):
        await store.reserve(asks(write(number, number, key=f"k{number}"), {}))
        await store.settle(f"w{number}", Settlement(outcome=Outcome.OK, answer=b"sealed"))

    async def kinds() -> list[str]:
        asked = [asks(write(n, 9, key=f"k{n}"), {}) for n in (1, 2, 3)]
        return [str(r.repeat and r.repeat.kind) for r in [await store.reserve(a) for a in asked]]

    async with asyncio.timeout(PATIENCE):
        while await kinds() != ["unkept", "answered", "answered"]:
            await asyncio.sleep(0.05)
    await store.close()


# ── faults ───────────────────────────────────────────────────────────────────────────────────


@contextmanager
def impatient(store: SqliteStore) -> Iterator[None]:
    """Let the calls that begin here end soon, done or not."""

    def wait(seconds: float) -> None:
        store._transactions._timeout = seconds
        store._db.execute(f"PRAGMA busy_timeout = {1000 * seconds:.0f}").close()

    wait(0.2)
    try:
        yield
    finally:
        wait(PATIENCE)


async def test_a_call_fails_in_time_where_another_process_holds_the_file(tmp_path: Path) -> None:
    """The caller gets a `StoreError`, and the store works again when the file is free."""
    path = tmp_path / "state.db"
    store = opened(path)
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with impatient(store), pytest.raises(StoreError):
        await store.reserve(asks(write(1), needs))

    other.execute("ROLLBACK")
    other.close()
    later = await store.reserve(asks(write(2), needs))
    await store.close()
    assert (later.taken, found(later)) == (True, [])


async def test_a_reservation_that_comes_too_late_is_released(tmp_path: Path) -> None:
    """Its caller has gone, so nobody would ever settle it."""
    store = opened(tmp_path / "state.db")
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    waiting = asyncio.ensure_future(store.reserve(asks(write(1), needs)))
    await asyncio.sleep(0)  # it is in the queue now
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for _ in range(2):  # the late answer reaches the loop, then its release the thread
        later = await store.peek(asks(write(2), needs))

    await store.close()
    assert (charged(later).accepted, found(later)) == (True, [])


async def test_a_settlement_that_fails_is_made_up_for(tmp_path: Path) -> None:
    """Else a post that stands on the site would pass for one that may not."""
    path = tmp_path / "state.db"
    store = opened(path)
    await store.reserve(asks(write(1), {}))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with impatient(store), pytest.raises(StoreError):
        await store.settle("w1", Settlement(outcome=Outcome.REFUSED))
    other.execute("ROLLBACK")
    other.close()

    later = await store.peek(asks(write(2), {"copies": look()}))
    while found(later):  # the thread had not given up on its own attempt yet
        later = await store.peek(asks(write(2), {"copies": look()}))

    await store.close()
    assert found(later) == []


async def test_what_cannot_be_stored_stops_nobody_else(tmp_path: Path) -> None:
    """Of a batch, the one with a lone surrogate fails, alone."""
    store = opened(tmp_path / "state.db")
    reservations = [
        asks(write(1), {}),
        asks(write(2, thread="\ud800"), {}),
        asks(write(3), {"copies": look()}),
    ]
    answers = await asyncio.gather(*map(store.reserve, reservations), return_exceptions=True)

    await store.close()
    assert isinstance(answers[1], StoreError)
    assert not isinstance(answers[2], BaseException)
    assert found(answers[2]) == ["w1"]


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """No call hangs after the end; closing again is nothing."""
    store = opened(tmp_path / "state.db")
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.peek(asks(write(1), {}))


# ── several processes ────────────────────────────────────────────────────────────────────────


def _tries(path: Path, worker: int, count: int) -> int:
    """Try to write in a process of its own, each time with a settlement; give how many passed."""

    async def work() -> int:
        store = opened(path)
        passed = 0
        for number in range(count):
            one = write(0, id=f"{worker}-{number}", request=f"{worker}-{number}", at=NOW)
            taken = (await store.reserve(asks(one, {"cap": cap("a", (10, 60.0))}))).taken
            refused = number % 2 == 1  # the places that SOE's refusals free are used again
            outcome = Outcome.REFUSED if refused or not taken else Outcome.OK
            await store.settle(one.id, Settlement(outcome=outcome))
            passed += taken and not refused
        await store.close()
        return passed

    return asyncio.run(work())


def test_a_cap_is_exact_over_processes(tmp_path: Path) -> None:
    """Four processes that start on no file at all, 200 tries, and exactly 10 pass."""
    context = multiprocessing.get_context("forkserver")
    with context.Pool(4) as pool:
        passed = pool.starmap(_tries, [(tmp_path / "state.db", n, 50) for n in range(4)])

    assert sum(passed) == 10
