"""Pseudonyms: one for each person in all processes, and nothing left of one that was erased."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import people as people_module
from gateway.audit.people import PEOPLE, VERSION, Entry, Named, Nobody, Pseudonyms
from gateway.errors import AuditError
from gateway.model import Person
from gateway.settings import load_settings
from tests.audit.disks import StoppedClock
from tests.patience import PATIENCE

KEY = b"p" * 32
JANE = Person(id="17", name="Jane Doe", email="jane@example.com")
NAMES = st.text(max_size=8)
DAY = 86_400.0
EARLIER = """
CREATE TABLE people (
    key BLOB PRIMARY KEY,
    pseudonym TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) WITHOUT ROWID
"""
"""The table as it was before lines knew their day."""


class Days:
    """A clock that is set."""

    def __init__(self, day: float = 20_000) -> None:
        self.day = day

    def now(self) -> float:
        """As `ports.Clock.now`."""
        return self.day * DAY


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes to the file is waited for, however long a busy machine takes over it."""
    monkeypatch.setattr(people_module, "_BUSY_SECONDS", PATIENCE)


@pytest.fixture
def people(tmp_path: Path) -> Pseudonyms:
    """A people file that holds nobody yet."""
    return Pseudonyms(tmp_path / "people.db", KEY, StoppedClock())


def raw(folder: Path) -> bytes:
    """All bytes of the file, and of what SQLite writes beside it."""
    return b"".join(path.read_bytes() for path in folder.glob("people.db*"))


def test_all_processes_give_one_pseudonym(tmp_path: Path) -> None:
    """Whichever of them sees a person first."""
    path = tmp_path / "people.db"

    def seen(number: int) -> list[str]:
        file = Pseudonyms(path, KEY, StoppedClock())
        return [file.told(f"p{(n + number) % 20}") for n in range(20)]

    with ThreadPoolExecutor(8) as pool:
        found = [frozenset(each) for each in pool.map(seen, range(8))]

    assert len(found[0]) == 20
    assert set(found) == {found[0]}


@settings(max_examples=30)
@given(steps=st.lists(st.tuples(st.sampled_from(["told", "erase"]), NAMES), max_size=20))
def test_a_pseudonym_stands_until_it_is_erased(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    """And is nobody's after that: who comes again gets another."""
    people = Pseudonyms(tmp_path_factory.mktemp("people") / "people.db", KEY, StoppedClock())
    known: dict[str, str] = {}
    gone: set[str] = set()
    for step, written in steps:
        name = written.casefold()
        if step == "erase":
            assert people.erase(known.get(name, "nobody's")) == (name in known)
            gone |= {known.pop(name)} if name in known else set()
        else:
            told = people.told(name)
            assert known.setdefault(name, told) == told
    people_left = {entry.pseudonym for entry in people.entries()}

    assert people_left == set(known.values())
    assert not gone & people_left


def test_of_who_was_erased_no_byte_is_left(tmp_path: Path, people: Pseudonyms) -> None:
    """Not the pseudonym, and so nothing that leads from the records to him."""
    gone, stays = people.told("jane@example.com"), people.told("joe@example.com")
    before = raw(tmp_path)
    people.erase(gone)

    assert gone.encode() in before
    assert gone.encode() not in raw(tmp_path)
    assert stays.encode() in raw(tmp_path)


@settings(max_examples=30)
@given(
    told=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=12),
    before=st.floats(0, 11),
)
def test_who_was_not_told_for_long_goes_and_who_was_stays(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int]], before: float
) -> None:
    """By days, whichever process tells them; of who goes no byte is left."""
    folder, days, ahead = tmp_path_factory.mktemp("people"), Days(), Days()
    one, other = (Pseudonyms(folder / "people.db", KEY, clock) for clock in (days, ahead))
    known: dict[str, str] = {}
    last: dict[str, int] = {}
    for name, day in told:  # days in any order: clocks differ
        days.day = ahead.day = day + 0.5
        known[name] = (one if day % 2 else other).told(name)
        last[name] = max(day, last.get(name, day))
    goes = {known[name] for name, day in last.items() if day < int(before)}
    counted = one.older(before * DAY)
    gone = other.erase_older(before * DAY)
    left = {entry.told: entry.pseudonym for entry in one.entries()}

    assert counted == gone == len(goes)
    assert left == {name: each for name, each in known.items() if each not in goes}
    assert not [each for each in goes if each.encode() in raw(folder)]


def test_a_day_is_written_once(tmp_path: Path) -> None:
    """What a record costs is a look, also where somebody is in many of a day."""
    clock = Days()
    people = Pseudonyms(tmp_path / "people.db", KEY, clock)
    people.told("jane@example.com")
    first = raw(tmp_path)
    clock.day += 0.9
    people.told("jane@example.com")
    second = raw(tmp_path)
    clock.day += 0.2
    people.told("jane@example.com")

    assert first == second
    assert raw(tmp_path) != second


def test_who_is_told_while_lines_are_erased_has_his(tmp_path: Path) -> None:
    """A pseudonym that was given leads to its person, whoever comes first."""
    path, old, today = tmp_path / "people.db", Days(20_000), Days(20_010)
    first = Pseudonyms(path, KEY, old)
    people = [Pseudonyms(path, KEY, today) for _ in range(3)]
    for turn in range(30):
        first.told(f"p{turn}")
        together = threading.Barrier(3)

        def told(file: Pseudonyms, name: str, together: threading.Barrier = together) -> str:
            together.wait()
            return file.told(name)

        def erase(together: threading.Barrier = together) -> int:
            together.wait()
            return people[2].erase_older(20_005 * DAY)

        with ThreadPoolExecutor(3) as pool:
            given = [pool.submit(told, file, f"p{turn}") for file in people[:2]]
            pool.submit(erase).result()
        [pseudonym] = {each.result() for each in given}
        assert pseudonym in {entry.pseudonym for entry in first.entries()}


def test_an_earlier_file_is_brought_up(tmp_path: Path) -> None:
    """All in it keep their pseudonyms, and count as told on the day on which it is opened."""
    path, clock = tmp_path / "people.db", Days()
    Pseudonyms(path, KEY, Days(0)).told("jane@example.com")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        [line] = file.execute("SELECT key, pseudonym, sealed FROM people").fetchall()
        file.execute("DROP TABLE people")
        file.execute(EARLIER)
        file.execute("INSERT INTO people VALUES (?, ?, ?)", line)
        file.execute("PRAGMA user_version = 0")

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Pseudonyms(path, KEY, clock), range(4)))

    assert [entry.told for each in opened for entry in each.entries()] == ["jane@example.com"] * 4
    assert (opened[0].older(clock.now()), opened[0].older(clock.now() + DAY)) == (0, 1)
    assert opened[3].told("jane@example.com") == line[1]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """And left as it is; the error says what to do."""
    path = tmp_path / "people.db"
    Pseudonyms(path, KEY, StoppedClock()).close()
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")

    with pytest.raises(AuditError, match=r"people\.db is of a newer gateway: .* put back the copy"):
        Pseudonyms(path, KEY, StoppedClock())
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


def test_without_the_key_the_file_tells_nobody(tmp_path: Path, people: Pseudonyms) -> None:
    """It is for its owner alone, and whoever has it has no names."""
    people.person(JANE)
    people.told("joe@example.com")
    mode = stat.S_IMODE((tmp_path / "people.db").stat().st_mode)

    assert mode == 0o600
    assert b"ane" not in raw(tmp_path)
    assert b"xample" not in raw(tmp_path)
    assert list(Pseudonyms(tmp_path / "people.db", b"q" * 32, StoppedClock()).entries()) == []


def test_a_person_is_found_by_all_that_is_known(people: Pseudonyms) -> None:
    """What one API tells less takes away nothing of what another told."""
    told = people.person(JANE)
    assert people.person(Person(id="17", name="Jane Doe-Roe")) == told
    [entry] = people.entries()

    assert told is not None
    assert entry == Entry(
        pseudonym=told, account="17", name="Jane Doe-Roe", email="jane@example.com"
    )
    assert all(entry.is_of(who) for who in (told, "17", "JANE@example.com"))
    assert not entry.is_of("")
    assert people.name(JANE) is None


def test_an_account_and_an_address_are_told_apart(people: Pseudonyms) -> None:
    """What somebody claims to be is not what the site says he is."""
    assert people.told("17") != people.person(JANE)
    assert people.told("jane@example.com") != people.person(JANE)


def test_half_a_character_is_a_name_as_well(people: Pseudonyms) -> None:
    """What a provider tells need not be text."""
    assert people.told("\ud800")
    assert Named().told("\ud800") == "?"


def test_by_name_and_not_at_all() -> None:
    """The account's number is the person, and the name stands beside it; or nothing does."""
    assert (Named().person(JANE), Named().name(JANE)) == ("17", "Jane Doe (jane@example.com)")
    assert Named().name(Person(id="1", name="Joe")) == "Joe"
    assert len(Named().told("x" * 9000)) == 128
    assert (Nobody().person(JANE), Nobody().name(JANE), Nobody().told("jane")) == (None, None, "")


def test_a_file_that_is_none_stops_the_records(tmp_path: Path) -> None:
    """The error says which file, and what to do."""
    (tmp_path / "people.db").write_bytes(b"no database" * 1000)

    with pytest.raises(AuditError, match=r"people\.db cannot be used: .* move it away"):
        Pseudonyms(tmp_path / "people.db", KEY, StoppedClock())


@pytest.mark.parametrize("value", PEOPLE)
def test_every_door_has_its_value_of_the_setting(value: str) -> None:
    """By which it is opened."""
    given = {"SOE_GATEWAY_AUDIT_PEOPLE": value}

    assert load_settings(flags={}, environ=given, required=())["audit.people"] == value
