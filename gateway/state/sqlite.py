"""State in one SQLite file, shared by the processes of one machine.

`BEGIN IMMEDIATE` makes each transaction the only writer, also among processes. The journal is WAL
with `synchronous=NORMAL`: a killed process loses nothing; a power cut may lose the last
transactions, but leaves the file whole. That is enough: what was decided is durable in the audit
log, and a lost reservation can at most let a copy of a post pass that the cut fell upon.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.model import (
    Charge,
    Found,
    Lookup,
    Outcome,
    Remembered,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Store
from gateway.state.accounting import (
    PENDING_SECONDS,
    answered,
    charges,
    longest,
    most,
)
from gateway.state.transactions import Transactions

_MIGRATIONS = (
    """
CREATE TABLE writes (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, request TEXT NOT NULL,
    replaces TEXT NOT NULL, outcome TEXT, integration TEXT NOT NULL, token TEXT,
    author TEXT NOT NULL, operation TEXT NOT NULL, team TEXT, thread TEXT, target TEXT,
    post TEXT, url TEXT, text TEXT, event TEXT
);
CREATE INDEX writes_request ON writes (request) WHERE request != '';
CREATE INDEX writes_text ON writes (text, at) WHERE text IS NOT NULL;
CREATE INDEX writes_event ON writes (event, at) WHERE event IS NOT NULL;
CREATE INDEX writes_at ON writes (at);
CREATE TABLE charges (cap TEXT NOT NULL, at REAL NOT NULL, write_id TEXT);
CREATE INDEX charges_cap ON charges (cap, at, write_id);
CREATE INDEX charges_write ON charges (write_id) WHERE write_id IS NOT NULL;
CREATE INDEX charges_at ON charges (at);
CREATE TABLE clock (last REAL NOT NULL);
INSERT INTO clock VALUES (0);
""",
)
"""From each schema version to the next; a file says in `user_version` how many it has had."""

_FIND = """
SELECT id, at, outcome, integration, token, author, operation, team, thread,
       coalesce(post, target), url, request
FROM writes WHERE {compare} = :digest AND at > :since
  AND (:across OR team IS :team) AND (:author IS NULL OR author = :author)
  AND id NOT IN (SELECT value FROM json_each(:replaced))
ORDER BY at DESC, seq DESC LIMIT 64
"""
_REPLACED = """
SELECT id FROM writes WHERE request = :request AND request != ''
  AND (outcome IN ('failed', 'unknown') OR (outcome IS NULL AND at <= :expired))
"""
_PRUNED_AT_ONCE = 256


def open_sqlite(url: str, keep: float, timeout: float) -> Store:
    """Open or make the file that `sqlite:///relative` or `sqlite:////absolute` names.

    Raises:
        StoreError: it cannot be opened, is damaged, or is of a newer version.
    """
    path = url.removeprefix("sqlite:").removeprefix("//").removeprefix("/")
    return SqliteStore(Path(path), keep, timeout)


class SqliteStore:
    """The store over one connection on a thread of its own."""

    def __init__(self, path: Path, keep: float, timeout: float) -> None:
        self._keep = keep
        self._db = _open(path, timeout)
        self._transactions = Transactions(self._db, timeout=timeout, finish=self._prune)

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.reserve`; what is reserved too late for its caller is released."""
        write = reservation.write
        if write.preview:
            return await self.peek(reservation)
        return await self._transactions.run(
            lambda: self._reserve(reservation),
            undo=lambda: self._settle(write.id, Settlement(outcome=Outcome.NOT_SENT)),
        )

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.peek`."""
        return await self._transactions.run(lambda: self._peek(reservation))

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `ports.Store.settle`; where the file fails, it is settled when it works again."""
        await self._transactions.run(lambda: self._settle(write_id, settlement), again=True)

    async def close(self) -> None:
        """Finish what waits, and close the file."""
        await self._transactions.close()

    # ── inside a transaction ─────────────────────────────────────────────────────────────────

    def _reserve(self, reservation: Reservation) -> Reserved:
        write = reservation.write
        now = max(write.at, self._last())
        self._db.execute("UPDATE clock SET last = ?", (now,))
        replaced = self._replaced(write, now)
        reserved = self._answers(reservation, replaced, now)
        self._db.executemany(
            "INSERT INTO charges VALUES (?, ?, ?)",
            [
                (charge.cap, now, None if charge.attempts else write.id)
                for charge in charges(reservation, reserved.answers)
            ],
        )
        if reserved.taken and reservation.remember:
            self._remember(write, replaced, now)
        return reserved

    def _peek(self, reservation: Reservation) -> Reserved:
        now = max(reservation.write.at, self._last())
        return self._answers(reservation, self._replaced(reservation.write, now), now)

    def _settle(self, write_id: str, settlement: Settlement) -> None:
        pending = "SELECT replaces FROM writes WHERE id = ? AND outcome IS NULL"
        found = self._db.execute(pending, (write_id,)).fetchone()
        if found is None:
            return
        if not settlement.outcome.keeps:
            self._forget([write_id])
            return
        self._forget(json.loads(found[0]))
        self._db.execute(
            "UPDATE writes SET outcome = ?, post = ?, url = ? WHERE id = ?",
            (settlement.outcome.value, settlement.post, settlement.url, write_id),
        )

    def _last(self) -> float:
        return float(self._db.execute("SELECT last FROM clock").fetchone()[0])

    def _replaced(self, write: Write, now: float) -> list[str]:
        """The earlier tries of the same request of which nobody can tell that they took effect."""
        asked = {"request": write.request, "expired": now - PENDING_SECONDS}
        return [row[0] for row in self._db.execute(_REPLACED, asked)]

    def _answers(self, reservation: Reservation, replaced: Collection[str], now: float) -> Reserved:
        return answered(
            reservation,
            lambda charge: self._times(charge, replaced, now),
            lambda lookup: self._find(lookup, replaced, now),
            now,
        )

    def _times(self, charge: Charge, replaced: Collection[str], now: float) -> list[float]:
        rows = self._db.execute(
            "SELECT at, write_id FROM charges WHERE cap = ? AND at > ? ORDER BY at DESC LIMIT ?",
            (charge.cap, now - longest(charge), most(charge) + len(replaced)),
        )
        return [at for at, owner in rows if owner not in replaced][::-1]

    def _find(self, lookup: Lookup, replaced: Collection[str], now: float) -> Found:
        column = {"text": "text", "event": "event"}[lookup.compare]
        rows = self._db.execute(
            _FIND.format(compare=column),
            {
                "digest": lookup.digest,
                "since": now - lookup.within,
                "across": lookup.across_teams,
                "team": lookup.team,
                "author": lookup.author,
                "replaced": json.dumps(list(replaced)),
            },
        )
        return Found(posts=tuple(_remembered(row, now) for row in rows))

    def _remember(self, write: Write, replaced: Collection[str], now: float) -> None:
        found = write.fingerprint if write.publishes else None
        row = {
            "id": write.id,
            "at": now,
            "request": write.request,
            "replaces": json.dumps(list(replaced)),
            "integration": write.integration,
            "token": write.token,
            "author": write.author,
            "operation": write.operation,
            "team": write.team,
            "thread": write.thread,
            "target": write.target,
            "text": found and found.text,
            "event": found and found.event,
        }
        columns, values = ", ".join(row), ", ".join(f":{column}" for column in row)
        self._db.execute(f"INSERT INTO writes ({columns}) VALUES ({values})", row)  # noqa: S608 - names from above

    def _forget(self, write_ids: Collection[str]) -> None:
        each = [(write_id,) for write_id in write_ids]
        self._db.executemany("DELETE FROM charges WHERE write_id = ?", each)
        self._db.executemany("DELETE FROM writes WHERE id = ?", each)

    def _prune(self) -> None:
        """Forget what is older than `keep`, some at a time, so that no call pays for many."""
        before = self._last() - self._keep
        self._db.execute(
            "DELETE FROM writes WHERE seq IN (SELECT seq FROM writes WHERE at <= ? LIMIT ?)",
            (before, _PRUNED_AT_ONCE),
        )
        self._db.execute(
            "DELETE FROM charges WHERE rowid IN (SELECT rowid FROM charges WHERE at <= ? LIMIT ?)",
            (before, _PRUNED_AT_ONCE),
        )


def _open(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file and bring it up to this version.

    Raises:
        StoreError: a damaged file is left where it is: starting without it would give every cap
            back, and that is for an operator to decide.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # before SQLite makes it readable for all
        db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be used as state: {error}") from error
    try:
        _prepare(db)
    except sqlite3.OperationalError as error:
        db.close()
        raise StoreError(f"{path} cannot be used as state: {error}") from error
    except sqlite3.DatabaseError as error:
        db.close()
        raise StoreError(
            f"{path} is no usable state: {error}; move it away to begin with empty state"
        ) from error
    return db


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")  # of several processes that start at once, one migrates
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        raise sqlite3.DatabaseError(f"its schema {version} is of a newer gateway")
    for migration in _MIGRATIONS[version:]:
        for statement in migration.strip().split(";\n"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    db.execute("COMMIT")


def _remembered(row: tuple[Any, ...], now: float) -> Remembered:
    write_id, at, outcome, integration, token, author, operation, team, thread, post, url, req = row
    pending = outcome is None and now - at < PENDING_SECONDS
    settled = None if pending else Outcome(outcome or "unknown")
    return Remembered(
        write_id=write_id,
        at=at,
        pending=pending,
        outcome=settled,
        integration=integration,
        token=token,
        author=author,
        operation=operation,
        team=team,
        thread=thread,
        post=post,
        url=url,
        request=req,
    )
