"""The store in one SQLite file.

`BEGIN IMMEDIATE` makes each transaction the only writer, also among processes. The journal is WAL
with `synchronous=NORMAL`: a killed process loses nothing; a power cut may lose the last
transactions, but leaves the file whole. That is enough: what was decided is durable in the audit
log, and a lost reservation can at most let a copy of a post pass that the cut fell upon.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gateway.errors import StoreError
from gateway.model import (
    Counted,
    Found,
    Lookup,
    Outcome,
    Published,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Administered
from gateway.state.accounting import (
    PENDING_SECONDS,
    answerable,
    answered,
    charges,
)
from gateway.state.prints import ACROSS, CANDIDATES, listed, salts
from gateway.state.published import as_write
from gateway.state.sharing import uses_of
from gateway.state.sqlite import file, schema
from gateway.state.sqlite.caps import Caps, counters
from gateway.state.sqlite.janitor import Janitor
from gateway.state.sqlite.keys import Keys
from gateway.state.sqlite.near import Neighbours, Search
from gateway.state.sqlite.notes import SqliteNotes
from gateway.state.sqlite.rows import Row, Rows
from gateway.state.sqlite.schema import KEYED, SHARING, digest, packed, unpacked
from gateway.state.sqlite.switches import SqliteSwitches
from gateway.state.sqlite.table import MappedTable
from gateway.state.sqlite.transactions import Transactions
from gateway.state.sqlite.uses import Uses
from gateway.state.terms import LOST, Terms

_REPLACED = """
SELECT seq, id, outcome FROM writes WHERE request = :request AND outcome IS NOT 'ok' AND at > :forgotten
  AND (outcome IN ('failed', 'unknown') OR (outcome IS NULL AND at <= :expired))
"""
_TAKEN_OVER = """
SELECT seq FROM writes WHERE seq IN (SELECT value FROM json_each(?)) AND outcome IS NOT 'ok'
"""
"""Of the tries that a repeat replaces, those of which SOE is not known to have taken them since."""
_OF_POST = "SELECT seq FROM writes WHERE text IS NOT NULL AND (post = ? OR target = ?)"
_FORGET_TEXT = """
UPDATE writes SET text = NULL, event = NULL, prints = NULL, sketch = NULL WHERE seq = ?
"""


def open_sqlite(url: str, terms: Terms) -> Administered:
    """Open or make the file that `sqlite:///relative` or `sqlite:////absolute` names.

    Raises:
        StoreError: it cannot be opened, or is of a newer version.
    """
    path = url.removeprefix("sqlite:").removeprefix("//").removeprefix("/")
    return SqliteStore(Path(path), terms)


class SqliteStore:
    """The store over one connection on a thread of its own."""

    def __init__(self, path: Path, terms: Terms) -> None:
        self._terms = terms
        self._db = file.open_state(path, terms)
        self._rows = Rows(self._db)
        self._caps = Caps(self._db, terms.keep)
        self._path = path
        self._keys = Keys(self._db)
        self._uses = Uses(self._db, terms.keep)
        try:
            self._table = _open_table(self._db, path, terms.posts)
            self._near = Neighbours(self._db, self._rows, self._table)
        except (OSError, sqlite3.Error) as error:
            self._db.close()
            raise StoreError(f"{path}: no table of prints beside it: {error}") from error
        self._transactions = Transactions(self._db, timeout=terms.timeout, edges=self._near)
        self._janitor = Janitor(path, terms, self._table)
        self.notes = SqliteNotes(self._db, self._transactions, self._clock, self._advance)
        self.switches = SqliteSwitches(self._db, self._transactions)

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.reserve`; what is reserved too late for its caller is released."""
        write = reservation.write
        if write.preview:
            return await self.peek(reservation)
        asking = _Asking(self._near, reservation)
        return await self._transactions.run(
            lambda: self._reserve(reservation, asking.search),
            ahead=asking.ahead,
            undo=lambda: self._settle(write.id, Settlement(outcome=Outcome.NOT_SENT)),
        )

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.peek`."""
        asking = _Asking(self._near, reservation)
        return await self._transactions.run(
            lambda: self._peek(reservation, asking.search), ahead=asking.ahead
        )

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `ports.Store.settle`; where the file fails, it is settled when it works again."""
        await self._transactions.run(lambda: self._settle(write_id, settlement), again=True)

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `ports.Store.keep_answer`."""
        await self._transactions.run(lambda: self._keys.lose_settled(write_id, answer), again=True)

    async def close(self) -> None:
        """Finish what waits, and close the file."""
        await self._janitor.close()
        await self._transactions.close()
        self._near.close()

    # ── for operators ────────────────────────────────────────────────────────────────────────

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        """As `ports.Administered.remember`."""
        return await self._transactions.run(lambda: self._remember_all(posts, at))

    async def forget(self, post: str) -> int:
        """As `ports.Administered.forget`."""
        return await self._transactions.run(lambda: self._forget_post(post))

    async def release(self, write_id: str) -> bool:
        """As `ports.Administered.release`."""
        return await self._transactions.run(lambda: self._release(write_id))

    async def counters(
        self, asked: Sequence[tuple[str, float]], at: float
    ) -> list[tuple[Counted, ...]]:
        """As `ports.Caps.counters`."""
        return await asyncio.to_thread(counters, self._path, asked, at, self._terms.timeout)

    async def reset(self, cap: str) -> int:
        """As `ports.Administered.reset`."""
        return await self._transactions.run(lambda: self._caps.reset(cap))

    async def accept_loss(self) -> bool:
        """As `ports.Administered.accept_loss`."""
        return await self._transactions.run(self._accept_loss)

    # ── inside a transaction ─────────────────────────────────────────────────────────────────

    def _reserve(self, reservation: Reservation, search: Search) -> Reserved:
        write = reservation.write
        last, number = self._clock()
        now = max(write.at, last)
        repeated = self._keys.repeat(write, now)
        if repeated is not None:
            self._advance(now, number)
            return Reserved(answers={}, taken=False, repeat=repeated)
        replaced = self._replaced(write, now)
        complete = self._near.complete(search, number)
        number += 1
        reserved = self._answers(reservation, complete, replaced, now, number)
        self._caps.charge(number, charges(reservation, reserved.answers), now)
        if reserved.taken and reservation.remember:
            across, uses = ACROSS in salts(reservation), uses_of(reservation)
            self._rows.insert(
                write, number, now, across=across, shares=bool(uses), replaced=replaced
            )
            self._uses.record(number, uses, now)
            self._list(write, number, across=across)
            self._keys.reserve(write, now)
        self._advance(now, number)
        return reserved

    def _peek(self, reservation: Reservation, search: Search) -> Reserved:
        last, number = self._clock()
        now = max(reservation.write.at, last)
        replaced = self._replaced(reservation.write, now)
        complete = self._near.complete(search, number)
        return self._answers(reservation, complete, replaced, now, number)

    def _settle(self, write_id: str, settlement: Settlement) -> None:
        row = self._rows.by_id(write_id)
        if row is None or row.outcome is not None:
            return
        if row.flags & KEYED:
            # After a repeat that was released, the earlier try under the key is as unknown as it was.
            unknown = not answerable(settlement) and row.replaces
            told = Settlement(outcome=Outcome.UNKNOWN) if unknown else settlement
            self._keys.settle(write_id, told)
        outcome = settlement.outcome
        if outcome is Outcome.NOT_SENT and settlement.template:
            self._give_back(row)
            outcome, settlement = Outcome.REFUSED, Settlement(outcome=Outcome.REFUSED)
        elif not outcome.keeps:
            self._forget([row])
            return
        elif row.replaces:
            taken_over = [each for (each,) in self._db.execute(_TAKEN_OVER, (row.replaces,))]
            self._forget(self._rows.numbered(taken_over))
        if outcome.keeps and row.flags & SHARING:
            self._uses.keep(row.number)
        told_url = self._rows.short(settlement.url, settlement.post or row.target)
        ends = (outcome.value, settlement.post, told_url, row.number)
        self._db.execute("UPDATE writes SET outcome = ?, post = ?, url = ? WHERE seq = ?", ends)
        self._near.add(row.number, row.prints, row.team, row.flags)  # it may have been pushed out
        if outcome is Outcome.OK and settlement.lost is not None:
            self._keys.lose(write_id, row.request, settlement.lost)

    def _clock(self) -> tuple[float, int]:
        """The instant of the newest stamp, and the number of the newest write."""
        last, number, lost = self._db.execute("SELECT last, number, lost FROM clock").fetchone()
        if lost != "[]":
            raise StoreError(LOST, code="LOST")
        return float(last), int(number)

    def _advance(self, now: float, number: int) -> None:
        self._db.execute("UPDATE clock SET last = ?, number = ?", (now, number))

    def _replaced(self, write: Write, now: float) -> dict[int, str | None]:
        """The earlier tries of the same request of which nobody can tell that they took effect.

        With the id of each that nobody settled.
        """
        if not write.request:
            return {}
        asked = {
            "request": packed(write.request),
            "expired": now - PENDING_SECONDS,
            "forgotten": now - self._terms.keep,
        }
        rows = self._db.execute(_REPLACED, asked)
        return {seq: None if outcome else unpacked(name) for seq, name, outcome in rows}

    def _answers(
        self,
        reservation: Reservation,
        search: Search,
        replaced: Mapping[int, str | None],
        now: float,
        number: int,
    ) -> Reserved:
        return answered(
            reservation,
            lambda charge: self._caps.times(charge, replaced, now),
            lambda lookup: self._find(lookup, search, replaced, now),
            lambda sharers: self._uses.of(sharers.name, now),
            now,
            number,
            filter(None, replaced.values()),
        )

    def _find(self, lookup: Lookup, search: Search, replaced: Collection[int], now: float) -> Found:
        since = now - min(lookup.within, self._terms.keep)
        own = digest(lookup.digest)

        def asked_for(row: Row) -> bool:
            equal = own == (row.text if lookup.compare == "text" else row.event)
            by_author = lookup.author in (None, row.author)
            return row.at > since and by_author and not equal and row.number not in replaced

        equal = self._rows.equal(lookup, replaced, since)
        near = [row for row in search.near(lookup) if asked_for(row)][:CANDIDATES]
        return Found(
            posts=(
                *(self._rows.told(row, now, equal=True) for row in equal),
                *(self._rows.told(row, now, equal=False) for row in near),
            )
        )

    def _list(self, write: Write, number: int, *, across: bool = False) -> None:
        """List a post that is stored."""
        if write.publishes and write.fingerprint is not None:
            flags = schema.ACROSS if across else 0
            stored = listed(write.fingerprint.prints)
            self._near.add(number, stored, write.team, flags)

    def _remember_all(self, posts: Sequence[Published], at: float) -> int:
        last, number = self._clock()
        now = max(at, last)
        new = sum(self._remember(post, number + n, now) for n, post in enumerate(posts, 1))
        self._advance(now, number + len(posts))
        return new

    def _remember(self, post: Published, number: int, now: float) -> bool:
        write = as_write(post)
        known = self._rows.published(write)
        if known is not None:
            self._forget([known])  # it counts as written at this instant
        self._rows.insert(write, number, now, outcome="ok", url=post.url)
        self._list(write, number)
        same = (digest(post.fingerprint.text), digest(post.fingerprint.event))
        return known is None or (known.text, known.event) != same

    def _forget_post(self, post: str) -> int:
        numbers = [number for (number,) in self._db.execute(_OF_POST, (post, post))]
        for row in self._rows.numbered(numbers):
            self._near.leave(row)
        self._db.executemany(_FORGET_TEXT, [(number,) for number in numbers])
        return len(numbers)

    def _release(self, write_id: str) -> bool:
        row = self._rows.by_id(write_id)
        if row is None:
            return False
        self._keys.free(write_id)
        self._forget([row])
        return True

    def _accept_loss(self) -> bool:
        epoch, lost, accepted = self._db.execute(
            "SELECT epoch, lost, accepted FROM clock"
        ).fetchone()
        known = [*json.loads(accepted), *json.loads(lost)]
        self._db.execute("UPDATE clock SET lost = '[]', accepted = ?", (json.dumps(known),))
        self._terms.take_note(epoch)
        return bool(json.loads(lost))

    def _forget(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._give_back(row)
            self._db.execute("DELETE FROM writes WHERE seq = ?", (row.number,))
            self._near.leave(row)

    def _give_back(self, row: Row) -> None:
        self._caps.give_back(row.number)
        if row.flags & SHARING:
            self._uses.give_back(row.number)


class _Asking:
    """A reservation's search, which is done anew for each attempt."""

    def __init__(self, near: Neighbours, reservation: Reservation) -> None:
        self._near = near
        self._reservation = reservation
        self.search = Search()

    def ahead(self) -> None:
        """Search, before the transaction."""
        self.search = self._near.search(self._reservation)


def _open_table(db: sqlite3.Connection, path: Path, posts: int) -> MappedTable:
    epoch = db.execute("SELECT epoch FROM clock").fetchone()[0]
    with file.one_at_a_time(path.parent):
        return MappedTable(path.with_name(f"{path.name}-prints"), posts, epoch)
