"""What is kept to answer repeated requests: under a key, and where an answer was lost."""

from __future__ import annotations

import sqlite3

from gateway.model import Outcome, Repeat, Settlement, Write
from gateway.state.accounting import (
    KEY_SECONDS,
    LOST_SECONDS,
    Kept,
    answerable,
    is_given,
    repeat,
)
from gateway.state.sqlite.schema import packed, unpacked

_KEPT = """
SELECT write_id, request, at, outcome, answer FROM kept WHERE name = ? AND until > ?
"""
_KEEP = "REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)"
_LOSE = "REPLACE INTO kept SELECT ?, ?, ?, last, 'ok', ?, last + ? FROM clock"
_SETTLED_LATELY = """
SELECT request FROM writes WHERE seq > (SELECT number FROM clock) - ? AND id = ? AND outcome = 'ok'
"""
_LATELY = 10_000
"""Writes among which is one whose client has just not got its answer."""


class Keys:
    """The rows of `kept`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def repeat(self, write: Write, now: float) -> Repeat | None:
        """Tell how a request repeats an earlier one; what was lost is given once."""
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

    def reserve(self, write: Write, now: float) -> None:
        """Keep a write under its key, if it has one."""
        if write.key is not None:
            kept = (f"key:{write.key}", write.id, write.request, now, None, None, now + KEY_SECONDS)
            self._db.execute(_KEEP, kept)

    def settle(self, write_id: str, settlement: Settlement) -> None:
        """Keep the answer, or free the key where nothing final was said."""
        if answerable(settlement):
            self._db.execute(
                "UPDATE kept SET outcome = ?, answer = ? WHERE write_id = ? AND outcome IS NULL",
                (settlement.outcome.value, settlement.answer, write_id),
            )
        else:
            self.free(write_id)

    def free(self, write_id: str) -> None:
        """Forget what a write left."""
        self._db.execute("DELETE FROM kept WHERE write_id = ?", (write_id,))

    def lose(self, write_id: str, request: bytes | str | None, answer: bytes) -> None:
        """Keep the answer to a write that SOE took, whose client did not get it."""
        if request is not None:
            name = unpacked(request)
            kept = (f"lost:{name}", write_id, name, answer, LOST_SECONDS)
            self._db.execute(_LOSE, kept)

    def lose_settled(self, write_id: str, answer: bytes) -> None:
        """Keep it where the write was settled lately, as taken."""
        found = self._db.execute(_SETTLED_LATELY, (_LATELY, packed(write_id))).fetchone()
        if found is not None:
            self.lose(write_id, found[0], answer)
