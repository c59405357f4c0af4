"""The one door by which people come into records: under a pseudonym, by name, or not at all.

A pseudonym is random: nothing leads from it to a person but a line of the people file, which is
sealed, kept apart from the records, and can be erased for each person by itself. So the same person
has the same pseudonym in all processes that share the file, and after an erasure a new one, that
leads nowhere from the records before. `PEOPLE` has a line for each value of `audit.people`.

A line knows the day on which its pseudonym was last given, and is erased by age no earlier than the
day after it: a record that is made just then has its line.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from gateway.errors import AuditError
from gateway.model import Person
from gateway.ports import Clock
from gateway.seal import Seal

NAME_AT_MOST = 128
"""Characters of a name that are kept."""
_BUSY_SECONDS = 1.0
"""How long another process may take to write a line."""
VERSION = 1
"""Of the table, as `user_version` of the file says it; files of 0 do not say when anybody was told."""
_FIRST_TABLE = """
CREATE TABLE IF NOT EXISTS people (
    key BLOB PRIMARY KEY,
    pseudonym TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL
) WITHOUT ROWID
"""
_FIND = "SELECT pseudonym, sealed FROM people WHERE key = ? AND day >= ?"
_PUT = """
INSERT INTO people (key, pseudonym, sealed, day) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET day = max(day, excluded.day)
"""
_DAY_SECONDS = 86_400


class People(Protocol):
    """What stands for people in records. Raises `AuditError` only."""

    def told(self, name: str) -> str:
        """Give what stands for whoever is told by a name, as an address; empty where nothing does."""

    def person(self, person: Person) -> str | None:
        """Give what stands for a person of the site; None where nothing does."""

    def name(self, person: Person) -> str | None:
        """Give the name that stands beside it; None where none does."""


class Nobody:
    """Nobody stands in records."""

    def told(self, name: str) -> str:  # as `People.told`
        """As `People.told`."""
        return ""

    def person(self, person: Person) -> str | None:  # as `People.person`
        """As `People.person`."""
        return None

    def name(self, person: Person) -> str | None:  # as `People.name`
        """As `People.name`."""
        return None


class Named:
    """People stand in records by their names: only their age takes them away again."""

    def told(self, name: str) -> str:
        """As `People.told`."""
        return _kept(name)

    def person(self, person: Person) -> str | None:
        """As `People.person`: the number of the account."""
        return person.id

    def name(self, person: Person) -> str | None:
        """As `People.name`."""
        named = f"{person.name} ({person.email})" if person.email else person.name
        return _kept(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the people file; all but the pseudonym may be empty.

    Attributes:
        told: how somebody was told: by a claim of an integration, at a sign-in, by the system.
        account: the number of an account of the site, with its `name` and `email`.
    """

    pseudonym: str
    told: str = field(default="", repr=False)
    account: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)

    def is_of(self, who: str) -> bool:
        """Whether it is the line of an account, an address, or a pseudonym."""
        known = (self.pseudonym, self.told, self.account, self.email)
        return bool(who) and who.casefold() in {each.casefold() for each in known}


class Pseudonyms:
    """The people file: SQLite, which the processes of one data directory share.

    Nothing of it is kept in memory, so what was erased is gone for all of them at once.
    """

    def __init__(self, path: Path, key: bytes, clock: Clock) -> None:
        """Open the file, or make it; an earlier one is brought up to this version.

        Args:
            key: for this file alone: it seals the lines, and keys the digests they are found by.
            clock: that of the records, so that nobody was told on a day before his record's.

        Raises:
            AuditError: it cannot be opened, or is of a newer version.
        """
        self._clock = clock
        self._path = path
        self._key = key
        self._seal = Seal(key)
        self._lock = threading.Lock()
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # before SQLite makes it readable for all
            self._file = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute("PRAGMA secure_delete = ON")
            if self._version() != VERSION:
                self._bring_up()

    def told(self, name: str) -> str:
        """As `People.told`."""
        return self._pseudonym(f"told:{name.casefold()}", {"told": _kept(name)})

    def person(self, person: Person) -> str | None:
        """As `People.person`."""
        about = {"account": person.id, "name": person.name, "email": person.email}
        kept = {each: _kept(told) for each, told in about.items()}
        return self._pseudonym(f"account:{person.id}", kept)

    def name(self, person: Person) -> str | None:  # as `People.name`
        """As `People.name`."""
        return None

    def entries(self) -> Iterator[Entry]:
        """Give every line that this key opens."""
        with self._lock, self._translated():
            lines = self._file.execute("SELECT pseudonym, sealed FROM people").fetchall()
        for pseudonym, sealed in lines:
            about = self._opened(pseudonym, sealed)
            if about:
                yield Entry(pseudonym=pseudonym, **about)

    def erase(self, pseudonym: str) -> bool:
        """Erase the line of a pseudonym; whether there was one.

        Nothing of it is in the file after that, nor in what SQLite writes beside it.
        """
        with self._lock, self._translated():
            gone = self._file.execute("DELETE FROM people WHERE pseudonym = ?", (pseudonym,))
            self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount > 0

    def older(self, before: float) -> int:
        """Count the lines of those who were told on no day from that of an instant on."""
        with self._lock, self._translated():
            count = "SELECT count(*) FROM people WHERE day < ?"
            found: int = self._file.execute(count, (_day(before),)).fetchone()[0]
        return found

    def erase_older(self, before: float) -> int:
        """Erase the lines that `older` counts, as `erase` does; gives how many."""
        with self._lock, self._translated():
            gone = self._file.execute("DELETE FROM people WHERE day < ?", (_day(before),))
            self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone.rowcount

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _pseudonym(self, name: str, about: Mapping[str, str]) -> str:
        key = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._key, digest_size=16)
        today = _day(self._clock.now())
        line = (key.digest(), today)
        with self._lock, self._translated():
            # What is given was seen with today's day, so that nobody erases it by age: a line that
            # goes between two looks is made anew, and of two who make one the first one's stands.
            while (found := self._file.execute(_FIND, line).fetchone()) is None:
                new = secrets.token_hex(8)
                self._file.execute(_PUT, (key.digest(), new, self._closed(new, about), today))
            self._renew(found[0], found[1], about)
        pseudonym: str = found[0]
        return pseudonym

    def _renew(self, pseudonym: str, sealed: bytes, about: Mapping[str, str]) -> None:
        """Keep what is told now, and what only was told before: each API tells less or more."""
        known = self._opened(pseudonym, sealed)
        merged = known | {each: told for each, told in about.items() if told}
        if merged != known:
            put = "UPDATE people SET sealed = ? WHERE pseudonym = ?"
            self._file.execute(put, (self._closed(pseudonym, merged), pseudonym))

    def _version(self) -> int:
        version: int = self._file.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _bring_up(self) -> None:
        """Make the table, or change an earlier one: all in it count as told today."""
        self._file.execute("BEGIN IMMEDIATE")  # of several processes that start at once, one does
        version = self._version()
        if version > VERSION:
            self._file.close()
            raise AuditError(
                f"the people file {self._path} is of a newer gateway: its version is {version}, and "
                f"this one knows {VERSION}. Start the newer one, or put back the copy that was "
                "taken before the upgrade"
            )
        if version < VERSION:
            self._file.execute(_FIRST_TABLE)
            self._file.execute("ALTER TABLE people ADD COLUMN day INTEGER NOT NULL DEFAULT 0")
            self._file.execute("UPDATE people SET day = ?", (_day(self._clock.now()),))
            self._file.execute(f"PRAGMA user_version = {VERSION}")
        self._file.execute("COMMIT")

    def _closed(self, pseudonym: str, about: Mapping[str, str]) -> bytes:
        return self._seal.close(pseudonym, orjson.dumps(about))

    def _opened(self, pseudonym: str, sealed: bytes) -> dict[str, str]:
        data = self._seal.open(pseudonym, sealed)
        about: dict[str, str] = orjson.loads(data) if data is not None else {}
        return about

    def _translated(self) -> _Translated:
        return _Translated(self._path)


def _day(at: float) -> int:
    """Give the day of an instant, counted in UTC."""
    return int(at // _DAY_SECONDS)


def _kept(name: str) -> str:
    """Give as much of a name as is kept, sure to be UTF-8."""
    return name[:NAME_AT_MOST].encode("utf-8", "replace").decode()


class _Translated:
    """Tells an error of the file as one of the audit log."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            told = getattr(error, "strerror", None) or error
            raise AuditError(
                f"the people file {self._path} cannot be used: {told}. Mend its disk; if the file "
                "itself is broken, move it away: everybody gets a new pseudonym"
            ) from error


PEOPLE: Mapping[str, Callable[[Path, bytes, Clock], People]] = {
    "pseudonym": Pseudonyms,
    "name": lambda _path, _key, _clock: Named(),
    "none": lambda _path, _key, _clock: Nobody(),
}
"""By value of `audit.people`, what makes the door from the people file's path and key, and a clock."""
