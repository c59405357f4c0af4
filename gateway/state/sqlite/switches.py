"""Switches of integrations as rows of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.model import Switch
from gateway.state.sqlite.transactions import Transactions
from gateway.state.switches import as_json, from_json, joined

_ALL = "SELECT value FROM switches ORDER BY integration"
_PUT = "REPLACE INTO switches (integration, value) VALUES (?, ?)"


class SqliteSwitches:
    """The rows of `switches`; they neither read nor set the clock of what may be lost."""

    def __init__(self, db: sqlite3.Connection, transactions: Transactions) -> None:
        self._db = db
        self._transactions = transactions

    async def all(self) -> tuple[Switch, ...]:
        """As `ports.Switches.all`."""
        return await self._transactions.run(self._all)

    async def join(self, switches: Sequence[Switch]) -> None:
        """As `ports.Switches.join`."""
        await self._transactions.run(lambda: self._join(switches))

    def _all(self) -> tuple[Switch, ...]:
        return tuple(from_json(value) for (value,) in self._db.execute(_ALL))

    def _join(self, switches: Sequence[Switch]) -> None:
        newest = joined(self._all(), switches).values()
        self._db.executemany(_PUT, [(each.integration, as_json(each)) for each in newest])
