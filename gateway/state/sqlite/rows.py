"""Writes as rows: how they are stored, found and read.

Laws:
    Rows are numbered in the order in which they were reserved, so by number is also by instant. What
    is remembered here between calls is only what stands in the file for good: a transaction that is
    rolled back makes it `forget`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

from gateway.model import Lookup, Outcome, Remembered, Write
from gateway.state.accounting import PENDING_SECONDS
from gateway.state.prints import listed
from gateway.state.published import SITE, id_of
from gateway.state.sqlite.schema import ACROSS, KEYED, SHARING, digest, packed, unpacked

USED_SECONDS = 86_400.0
"""How exactly is known when a source was last used."""
_FOUND_AT_MOST = 64
_ROOM = bytes(18)
"""As much as post and address mostly take, when they become known."""
_SOURCES_AT_MOST = 10_000
"""Of which a process knows the numbers by heart."""

_ROW = """
SELECT seq, id, at, outcome, request, replaces, flags, thread, target, post, url, text, event, prints, sketch,
       integration, token, author, operation, team
FROM writes CROSS JOIN sources USING (source)
"""
_BY_ID = "id = ? AND (outcome IS NOT 'ok' OR typeof(id) = 'integer')"
"""What SOE took is asked for no more, but for posts that stood on the site already."""
_FIND = {
    compare: f"""{_ROW}
WHERE {compare} IS NOT NULL AND {compare} & 0x7fffffff = :digest & 0x7fffffff
  AND +{compare} = :digest AND at > :since
  AND (:across OR team IS :team) AND (:author IS NULL OR author = :author)
ORDER BY outcome IS 'refused', seq DESC LIMIT :most
"""
    for compare in ("text", "event")
}
_NUMBERED = f"{_ROW} WHERE seq IN (SELECT value FROM json_each(?))"  # noqa: S608 - from above
_SINCE = f"{_ROW} WHERE seq > ? AND prints IS NOT NULL"
_INSERT = """
INSERT INTO writes (seq, id, at, source, outcome, request, replaces, flags, thread, target, url,
                    text, event, prints, sketch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_SOURCE = """
INSERT INTO sources (name, integration, token, author, operation, team, used)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


_Source = tuple[str, str | None, str, str, str | None]


class Row(NamedTuple):
    """A write as it is stored, with its source."""

    number: int
    id: bytes | str | int
    at: float
    outcome: str | None
    request: bytes | str | None
    replaces: str | None
    flags: int
    thread: str | None
    target: str | None
    post: str | None
    url: str | bytes | None
    text: int | None
    event: int | None
    prints: bytes | None
    sketch: bytes | None
    integration: str
    token: str | None
    author: str
    operation: str
    team: str | None


class Rows:
    """The writes of a file."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sources: dict[_Source, tuple[int, float]] = {}
        self._site: str | None = None

    def forget(self) -> None:
        """Know nothing by heart any more."""
        self._sources.clear()
        self._site = None

    # ── finding ──────────────────────────────────────────────────────────────────────────────

    def equal(self, lookup: Lookup, replaced: Collection[int], since: float) -> list[Row]:
        """Give the posts that a look-up asks for with the same digest: what stands, newest first."""
        asked = {
            "digest": digest(lookup.digest),
            "since": since,
            "across": lookup.across_teams,
            "team": lookup.team,
            "author": lookup.author,
            "most": _FOUND_AT_MOST + len(replaced),
        }
        rows = self._db.execute(_FIND[lookup.compare], asked)
        found = [Row._make(row) for row in rows if row[0] not in replaced]
        return found[:_FOUND_AT_MOST]

    def numbered(self, numbers: Iterable[int]) -> list[Row]:
        """Give writes by number, those that are there."""
        asked = json.dumps(list(numbers))
        return [Row._make(row) for row in self._db.execute(_NUMBERED, (asked,))]

    def since(self, number: int) -> list[Row]:
        """Give the posts with prints that came after a number."""
        return [Row._make(row) for row in self._db.execute(_SINCE, (number,))]

    def by_id(self, write_id: str) -> Row | None:
        """Give a write that SOE is not known to have taken."""
        row = self._db.execute(f"{_ROW} WHERE {_BY_ID}", (packed(write_id),)).fetchone()
        return row and Row._make(row)

    def published(self, write: Write) -> Row | None:
        """Give a post that stood on the site already."""
        row = self._db.execute(f"{_ROW} WHERE {_BY_ID}", (_stored_id(write),)).fetchone()
        return row and Row._make(row)

    def told(self, row: Row, now: float, *, equal: bool) -> Remembered:
        """Give a row in the words of the model."""
        pending = row.outcome is None and now - row.at < PENDING_SECONDS
        is_published = isinstance(row.id, int)
        return Remembered(
            write_id=id_of(row.team, row.target or "") if is_published else unpacked(row.id),  # type: ignore[arg-type]  # mypy does not follow
            at=row.at,
            pending=pending,
            outcome=None if pending else Outcome(row.outcome or "unknown"),
            integration=row.integration,
            token=row.token,
            author=row.author,
            operation=row.operation,
            team=row.team,
            thread=row.thread,
            post=row.post or row.target,
            url=self._whole(row.url, row.post or row.target),
            request=unpacked(row.request or ""),
            equal=equal,
            overdue=row.outcome is None and not pending,
            sketch=row.sketch or b"",
        )

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def insert(
        self,
        write: Write,
        number: int,
        now: float,
        *,
        across: bool = False,
        shares: bool = False,
        replaced: Collection[int] = (),
        outcome: str | None = None,
        url: str | None = None,
    ) -> None:
        """Store a write under a number."""
        found = write.fingerprint if write.publishes else None
        flags = ACROSS * across | KEYED * (write.key is not None) | SHARING * shares
        values = (
            number,
            _stored_id(write),
            now,
            self._source(write, now),
            outcome,
            packed(write.request) or None,
            json.dumps(list(replaced)) if replaced else None,
            flags,
            write.thread,
            write.target,
            _ROOM if outcome is None else self.short(url, write.target),
            found and digest(found.text),
            found and digest(found.event),
            (found and listed(found.prints)) or None,
            (found and found.sketch) or None,
        )
        self._db.execute(_INSERT, values)

    def _source(self, write: Write, now: float) -> int:
        """Give the number of who wrote, made where there is none."""
        asked = (write.integration, write.token, write.author, write.operation, write.team)
        known = self._sources.get(asked)
        if known is not None and now < known[1] + USED_SECONDS:
            return known[0]
        name = json.dumps(asked, separators=(",", ":"), ensure_ascii=False)
        find = "SELECT source, used FROM sources WHERE name = ?"
        known = self._db.execute(find, (name,)).fetchone()
        if known is None:
            made = self._db.execute(_ADD_SOURCE, (name, *asked, now)).lastrowid
            assert made is not None
            known = (made, now)
        if now >= known[1] + USED_SECONDS:
            known = (known[0], now)
            self._db.execute("UPDATE sources SET used = ? WHERE source = ?", (now, known[0]))
        if len(self._sources) >= _SOURCES_AT_MOST:
            self._sources.clear()
        self._sources[asked] = known
        return known[0]

    # ── addresses ────────────────────────────────────────────────────────────────────────────

    def short(self, url: str | None, post: str | None) -> str | None:
        """Give an address as it is stored: what follows the site's own, or a whole one behind `=`.

        Of one that follows from the post, as most do, the number of its form is stored.
        """
        if url is None:
            return None
        origin = self._origin()
        if not origin:
            origin = "/".join(url.split("/", 3)[:3])
            self._db.execute("UPDATE clock SET origin = ?", (origin,))
            self._site = origin
        rest = url.removeprefix(origin)
        if rest == url or not rest.startswith("/"):
            return f"={url}"
        forms = _forms(post)
        return str(forms.index(rest)) if rest in forms else rest

    def _whole(self, stored: str | bytes | None, post: str | None) -> str | None:
        if stored is None or isinstance(stored, bytes):
            return None
        if stored.startswith("="):
            return stored[1:]
        return self._origin() + (stored if stored.startswith("/") else _forms(post)[int(stored)])

    def _origin(self) -> str:
        if self._site is None:
            self._site = self._db.execute("SELECT origin FROM clock").fetchone()[0]
        return self._site or ""


def _forms(post: str | None) -> tuple[str, ...]:
    """Give the paths under which `question/12` mostly stands."""
    kind, _, number = (post or "").partition("/")
    return (f"/{kind}s/{number}", f"/{kind[:1]}/{number}")


def _stored_id(write: Write) -> bytes | str | int | None:
    """An id of ours is hex; that of a post that stood there follows from the post."""
    return digest(write.id) if write.integration == SITE else packed(write.id)
