"""The index: what was written through the gateway, found without reading the whole log.

It is derived from the log of a directory, follows it while it grows, and may be deleted at any
time. It holds no text of posts and nothing that the log does not hold. Any thread may use an
`Index`: calls wait for each other. Another on the same file may follow the log meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.index.entries import (
    EVERYTHING,
    Cursor,
    Deed,
    Entry,
    Hour,
    IntegrationTotals,
    Place,
    RuleHour,
    RuleTotals,
    Selection,
)
from gateway.audit.index.file import open_file
from gateway.audit.index.following import STEP_LINES, Following
from gateway.audit.index.rows import DEED, ENTRY, entry_of, where
from gateway.errors import AuditError

_NAMES = ("integration", "operation", "rule")


class Index:
    """The index of one directory's log."""

    def __init__(self, directory: Path, path: Path | None = None) -> None:
        """Open it, or make it where there is none yet; `step` fills it.

        Args:
            path: of its file; in memory without one.

        Raises:
            AuditError: it cannot be opened.
        """
        self._directory = directory
        self._connection = open_file(path)
        self._following = Following(self._connection, directory)
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close its file."""
        with self._lock:
            self._following.close()
            self._connection.close()

    # ── following the log ────────────────────────────────────────────────────────────────────

    def step(self, lines: int = STEP_LINES) -> int:
        """Read a little more of the log; give how many bytes that was, 0 when all is read.

        Raises:
            AuditError: the log cannot be read, or the index not be written.
        """
        try:
            with self._lock:
                return self._following.step(lines)
        except (OSError, sqlite3.Error) as error:
            raise AuditError(f"the index of {self._directory} cannot go on: {error}") from error

    def behind(self) -> int:
        """About how many bytes are still to be read.

        Raises:
            AuditError: the log cannot be read.
        """
        try:
            with self._lock:
                return self._following.behind()
        except OSError as error:
            raise AuditError(f"{self._directory} cannot be read: {error.strerror}") from error

    def spoilt(self) -> int:
        """How many lines were no records."""
        count: int = self._rows("SELECT coalesce(sum(spoilt), 0) FROM segments")[0][0]
        return count

    # ── writes ───────────────────────────────────────────────────────────────────────────────

    def newest(
        self, selection: Selection = EVERYTHING, limit: int = 50, before: Cursor | None = None
    ) -> tuple[Entry, ...]:
        """Give the newest writes, the newest first.

        Args:
            before: the cursor of the last entry of the page before.
        """
        clause, values = where(selection)
        if before is not None:
            clause, values = f"{clause} AND (w.at, w.id) < (?, ?)", [*values, *before]
        asked = f"{ENTRY} WHERE {clause} ORDER BY w.at DESC, w.id DESC LIMIT ?"
        return tuple(map(entry_of, self._rows(asked, [*values, limit])))

    def entries(self, selection: Selection = EVERYTHING) -> Iterator[Entry]:
        """Give all writes that fit, the oldest first, some at a time."""
        clause, values = where(selection)
        after = Cursor(float("-inf"), "")
        asked = f"{ENTRY} WHERE {clause} AND (w.at, w.id) > (?, ?) ORDER BY w.at, w.id LIMIT 1000"
        while page := [entry_of(row) for row in self._rows(asked, [*values, *after])]:
            yield from page
            after = page[-1].cursor

    def count(self, selection: Selection = EVERYTHING) -> int:
        """Give how many writes fit."""
        clause, values = where(selection)
        asked = f"SELECT count(*) FROM writes w WHERE {clause}"  # noqa: S608 - from `where`
        count: int = self._rows(asked, values)[0][0]
        return count

    def ended_after(
        self, turn: int, selection: Selection = EVERYTHING, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Give the writes that ended after that turn, in the order in which they ended."""
        clause, values = where(selection)
        asked = f"{ENTRY} WHERE {clause} AND turn > ? ORDER BY turn LIMIT ?"
        return tuple(map(entry_of, self._rows(asked, [*values, turn, limit])))

    def turn(self) -> int:
        """Give the turn of the write that ended last."""
        turn: int = self._rows("SELECT value FROM counters WHERE name = 'turn'")[0][0]
        return turn

    def one(self, write_id: str) -> Entry | None:
        """Give a write by its decision id."""
        return next(iter(self.newest(Selection(ids=(write_id,)), 1)), None)

    def names(self, column: str) -> frozenset[str]:
        """Give what stands in the log as `integration`, `operation` or `rule`."""
        assert column in _NAMES
        table = "findings" if column == "rule" else "writes"
        asked = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - from above
        return frozenset(name for (name,) in self._rows(asked))

    def people(self) -> tuple[tuple[str, str], ...]:
        """Give who acted by name, where names stand in the log: the account and its name."""
        asked = "SELECT DISTINCT person, person_name FROM writes WHERE person_name IS NOT NULL"
        return tuple((person, name) for person, name in self._rows(asked) if person is not None)

    # ── sums ─────────────────────────────────────────────────────────────────────────────────

    def hours(self, since: float) -> tuple[Hour, ...]:
        """Count writes by hour, integration and effect."""
        asked = (
            "SELECT CAST(at / 3600 AS INTEGER) * 3600.0, integration, effect, count(*) "
            "FROM writes WHERE at >= ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return tuple(
            Hour(at=at, integration=integration, effect=effect, writes=writes)
            for at, integration, effect, writes in self._rows(asked, [since])
        )

    def rule_hours(self, since: float) -> tuple[RuleHour, ...]:
        """Count what rules found against writes by hour, rule and mode."""
        asked = (
            "SELECT CAST(at / 3600 AS INTEGER) * 3600.0, rule, mode, count(*) FROM findings "
            "WHERE at >= ? AND result = 'fail' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return tuple(
            RuleHour(at=at, rule=rule, mode=mode, hits=hits)
            for at, rule, mode, hits in self._rows(asked, [since])
        )

    def integrations(self, since: float = 0.0) -> tuple[IntegrationTotals, ...]:
        """Sum up what each integration wrote."""
        asked = (
            "SELECT integration, count(*), sum(effect = 'refuse'), sum(effect = 'hold'), max(at) "
            "FROM writes WHERE at >= ? GROUP BY integration ORDER BY integration"
        )
        return tuple(
            IntegrationTotals(
                integration=name, writes=writes, refused=refused, held=held, last=last
            )
            for name, writes, refused, held, last in self._rows(asked, [since])
        )

    def rules(self, since: float = 0.0) -> tuple[RuleTotals, ...]:
        """Sum up what each rule found against writes."""
        asked = (
            "SELECT rule, sum(result = 'fail'), "
            "sum(result = 'fail' AND mode IN ('observe', 'warn')), sum(result = 'error'), max(at) "
            "FROM findings WHERE at >= ? GROUP BY rule ORDER BY rule"
        )
        return tuple(
            RuleTotals(rule=rule, hits=hits, would_deny=would, errors=errors, last=last)
            for rule, hits, would, errors, last in self._rows(asked, [since])
        )

    # ── deeds, and the log itself ────────────────────────────────────────────────────────────

    def deeds(
        self, since: float | None = None, until: float | None = None, limit: int = -1
    ) -> tuple[Deed, ...]:
        """Give what was done to the gateway, the newest first; all without a limit."""
        clause, values = where(Selection(since=since, until=until))
        asked = f"{DEED} WHERE {clause} ORDER BY at DESC, w.rowid DESC LIMIT ?"
        return tuple(
            Deed(at=at, event=event, facts=orjson.loads(facts), place=Place(*place))
            for at, event, facts, *place in self._rows(asked, [*values, limit])
        )

    def _rows(self, asked: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(asked, values).fetchall()
        except sqlite3.Error as error:
            raise AuditError(f"the index cannot be read: {error}") from error
