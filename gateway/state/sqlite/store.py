"""The store in one SQLite file.

`BEGIN IMMEDIATE` makes each transaction the only writer, also among processes. The journal is WAL
with `synchronous=NORMAL`: a killed process loses nothing; a power cut may lose the last
transactions, but leaves the file whole. That is enough: what was decided is durable in the audit
log, and a lost reservation can at most let a copy of a post pass that the cut fell upon.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from gateway.errors import StoreError
from gateway.model import (
    Charge,
    Found,
    Lookup,
    Outcome,
    Published,
    Remembered,
    Repeat,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Administered
from gateway.state.accounting import (
    KEY_SECONDS,
    LOST_SECONDS,
    PENDING_SECONDS,
    Kept,
    answerable,
    answered,
    charges,
    is_counter_of,
    is_given,
    longest,
    most,
    repeat,
)
from gateway.state.published import as_write
from gateway.state.sqlite import file
from gateway.state.sqlite.janitor import Janitor
from gateway.state.sqlite.transactions import Transactions
from gateway.state.terms import LOST, Terms

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
  AND at > :forgotten AND (outcome IN ('failed', 'unknown') OR (outcome IS NULL AND at <= :expired))
"""
_TAKEN_OVER = """
SELECT id FROM writes WHERE id IN (SELECT value FROM json_each(?)) AND outcome IS NOT 'ok'
"""
"""Of the tries that a repeat replaces, those of which SOE is not known to have taken them since."""
_KEPT = """
SELECT write_id, request, at, outcome, answer FROM kept WHERE name = ? AND until > ?
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
        self._transactions = Transactions(self._db, timeout=terms.timeout)
        self._janitor = Janitor(path, terms)

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

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `ports.Store.keep_answer`."""
        await self._transactions.run(lambda: self._keep_answer(write_id, answer), again=True)

    async def close(self) -> None:
        """Finish what waits, and close the file."""
        await self._janitor.close()
        await self._transactions.close()

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

    async def reset(self, cap: str) -> int:
        """As `ports.Administered.reset`."""
        return await self._transactions.run(lambda: self._reset(cap))

    async def accept_loss(self) -> bool:
        """As `ports.Administered.accept_loss`."""
        return await self._transactions.run(self._accept_loss)

    # ── inside a transaction ─────────────────────────────────────────────────────────────────

    def _reserve(self, reservation: Reservation) -> Reserved:
        write = reservation.write
        now = self._advance(write.at)
        repeated = self._repeat(write, now)
        if repeated is not None:
            return Reserved(answers={}, taken=False, repeat=repeated)
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
        if not answerable(settlement) and found[0] != "[]":
            # The earlier try under the key is as unknown as it was.
            self._settle_key(write_id, Settlement(outcome=Outcome.UNKNOWN))
        else:
            self._settle_key(write_id, settlement)
        if not settlement.outcome.keeps:
            self._forget([write_id])
            return
        self._forget([row[0] for row in self._db.execute(_TAKEN_OVER, found)])
        self._db.execute(
            "UPDATE writes SET outcome = ?, post = ?, url = ? WHERE id = ?",
            (settlement.outcome.value, settlement.post, settlement.url, write_id),
        )

    def _settle_key(self, write_id: str, settlement: Settlement) -> None:
        if answerable(settlement):
            self._db.execute(
                "UPDATE kept SET outcome = ?, answer = ? WHERE write_id = ? AND outcome IS NULL",
                (settlement.outcome.value, settlement.answer, write_id),
            )
        else:
            self._db.execute("DELETE FROM kept WHERE write_id = ?", (write_id,))

    def _keep_answer(self, write_id: str, answer: bytes) -> None:
        written = "SELECT request FROM writes WHERE id = ? AND outcome = 'ok' AND request != ''"
        found = self._db.execute(written, (write_id,)).fetchone()
        if found is not None:
            now = self._last()
            kept = (f"lost:{found[0]}", write_id, found[0], now, "ok", answer, now + LOST_SECONDS)
            self._db.execute("REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)", kept)

    def _last(self) -> float:
        last, lost = self._db.execute("SELECT last, lost FROM clock").fetchone()
        if lost != "[]":
            raise StoreError(LOST)
        return float(last)

    def _advance(self, at: float) -> float:
        now = max(at, self._last())
        self._db.execute("UPDATE clock SET last = ?", (now,))
        return now

    def _repeat(self, write: Write, now: float) -> Repeat | None:
        under_key = self._kept(f"key:{write.key}", now) if write.key is not None else None
        name = f"lost:{write.request}"
        repeated = repeat(under_key, self._kept(name, now), write.request, now)
        if is_given(under_key, repeated):
            self._db.execute("DELETE FROM kept WHERE name = ?", (name,))
        return repeated

    def _kept(self, name: str, now: float) -> Kept | None:
        found = self._db.execute(_KEPT, (name, now)).fetchone()
        if found is None:
            return None
        write_id, request, at, outcome, answer = found
        return Kept(
            write_id=write_id,
            request=request,
            at=at,
            outcome=Outcome(outcome) if outcome else None,
            answer=answer,
        )

    def _replaced(self, write: Write, now: float) -> list[str]:
        """The earlier tries of the same request of which nobody can tell that they took effect."""
        asked = {
            "request": write.request,
            "expired": now - PENDING_SECONDS,
            "forgotten": now - self._terms.keep,
        }
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
            (charge.cap, now - self._back(longest(charge)), most(charge) + len(replaced)),
        )
        return [at for at, owner in rows if owner not in replaced][::-1]

    def _find(self, lookup: Lookup, replaced: Collection[str], now: float) -> Found:
        column = {"text": "text", "event": "event"}[lookup.compare]
        rows = self._db.execute(
            _FIND.format(compare=column),
            {
                "digest": lookup.digest,
                "since": now - self._back(lookup.within),
                "across": lookup.across_teams,
                "team": lookup.team,
                "author": lookup.author,
                "replaced": json.dumps(list(replaced)),
            },
        )
        return Found(posts=tuple(_remembered(row, now) for row in rows))

    def _back(self, seconds: float) -> float:
        """How far back is looked; what is forgotten may be there still, until the janitor comes."""
        return min(seconds, self._terms.keep)

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

        if write.key is not None:
            kept = (f"key:{write.key}", write.id, write.request, now, None, None, now + KEY_SECONDS)
            self._db.execute("REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)", kept)

    def _remember_all(self, posts: Sequence[Published], at: float) -> int:
        now = self._advance(at)
        return sum(self._remember_published(post, now) for post in posts)

    def _remember_published(self, post: Published, now: float) -> bool:
        write = as_write(post)
        row = self._db.execute("SELECT text, event FROM writes WHERE id = ?", (write.id,))
        known = row.fetchone()
        self._forget([write.id])  # also what is known: it counts as written at this instant
        self._remember(write, (), now)
        settled = "UPDATE writes SET outcome = 'ok', url = ? WHERE id = ?"
        self._db.execute(settled, (post.url, write.id))
        return bool(known != (post.fingerprint.text, post.fingerprint.event))

    def _forget_post(self, post: str) -> int:
        return self._db.execute(
            "UPDATE writes SET text = NULL, event = NULL "
            "WHERE text IS NOT NULL AND (post = ? OR target = ?)",
            (post, post),
        ).rowcount

    def _release(self, write_id: str) -> bool:
        chosen = "SELECT id FROM writes WHERE id = ? AND outcome IS NOT 'ok'"
        found = self._db.execute(chosen, (write_id,)).fetchone() is not None
        if found:
            self._db.execute("DELETE FROM kept WHERE write_id = ?", (write_id,))
            self._forget([write_id])
        return found

    def _reset(self, cap: str) -> int:
        counters = self._db.execute("SELECT DISTINCT cap FROM charges").fetchall()
        chosen = [row for row in counters if is_counter_of(row[0], cap)]
        self._db.executemany("DELETE FROM charges WHERE cap = ?", chosen)
        return len(chosen)

    def _accept_loss(self) -> bool:
        epoch, lost, accepted = self._db.execute(
            "SELECT epoch, lost, accepted FROM clock"
        ).fetchone()
        known = [*json.loads(accepted), *json.loads(lost)]
        self._db.execute("UPDATE clock SET lost = '[]', accepted = ?", (json.dumps(known),))
        self._terms.take_note(epoch)
        return bool(json.loads(lost))

    def _forget(self, write_ids: Collection[str]) -> None:
        each = [(write_id,) for write_id in write_ids]
        self._db.executemany("DELETE FROM charges WHERE write_id = ?", each)
        self._db.executemany("DELETE FROM writes WHERE id = ?", each)


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
