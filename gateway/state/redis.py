"""State in Redis or Valkey, shared by replicas: one script call for each reservation.

Redis runs a script without anything between its steps, so a script is the transaction. All keys of
a site carry one hash tag: in a cluster they lie together. The stamps are of Redis's own clock, for
the clocks of replicas differ.

What Redis forgot (it came back empty, or another took its place) is noticed by its epoch: from
then on this process refuses, since every cap would be given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import StoreError
from gateway.model import (
    Charge,
    Found,
    Lookup,
    Need,
    Outcome,
    Remembered,
    Reservation,
    Reserved,
    Settlement,
)
from gateway.ports import Store
from gateway.state.accounting import PENDING_SECONDS, answered
from gateway.state.resp import Client, Script

_SITE = "{soe-gateway}"
_OWED_AT_MOST = 10_000
_PAUSES = (0.2, 1.0)
"""Seconds between two tries to settle what is owed, drawn at random: replicas must not agree."""


def open_redis(url: str, keep: float, timeout: float) -> Store:
    """Make the store; it connects when it is first asked.

    Raises:
        StoreError: the URL cannot be read.
    """
    return RedisStore(url, keep, timeout)


class RedisStore:
    """The store over one connection.

    Args:
        url: as `Address.parse` reads it.
        stamped: entries are stamped with `Write.at` instead of Redis's clock, for tests.
    """

    def __init__(self, url: str, keep: float, timeout: float, *, stamped: bool = False) -> None:
        self._keep = keep
        self._stamped = stamped
        self._epoch = ""
        self._owed: dict[str, tuple[Settlement, bool]] = {}
        self._paying: asyncio.Task[None] | None = None
        try:
            self._redis = Client(url, timeout=timeout)
        except StoreError as error:
            raise StoreError(f"state.url: {error}") from None
        self._reserve = self._script("reserve.lua")
        self._settle = self._script("settle.lua")

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.reserve`; what is reserved too late for its caller is released."""
        if reservation.write.preview:
            return await self.peek(reservation)
        try:
            return await self._ask(reservation, peek=False)
        except (StoreError, asyncio.CancelledError):
            self._owe(reservation.write.id, Settlement(outcome=Outcome.NOT_SENT), late=True)
            raise

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.peek`."""
        return await self._ask(reservation, peek=True)

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `ports.Store.settle`; where Redis fails, it is settled when it answers again."""
        try:
            await self._end(write_id, settlement, late=False)
        except (StoreError, asyncio.CancelledError):
            self._owe(write_id, settlement, late=False)
            raise

    async def close(self) -> None:
        """Try once more to settle what is owed, and close the connections."""
        if self._paying is not None:
            self._paying.cancel()
        with contextlib.suppress(StoreError):
            await self._pay()
        await self._redis.aclose()

    # ── asking ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, reservation: Reservation, *, peek: bool) -> Reserved:
        try:
            asked = orjson.dumps(self._question(reservation, peek=peek))
        except TypeError as error:  # text that is no UTF-8
            raise StoreError(f"the state cannot take this: {error}") from None
        stamp, self._epoch, _, told = await self._call(self._reserve, [asked])
        each = iter(told)
        now = float(stamp)
        return answered(
            reservation,
            lambda _: [float(at) for at in reversed(next(each))],
            lambda _: Found(posts=tuple(_remembered(row, now) for row in next(each))),
            now,
        )

    def _question(self, reservation: Reservation, *, peek: bool) -> dict[str, Any]:
        write = reservation.write
        found = write.fingerprint if write.publishes else None
        facts = {
            "integration": write.integration,
            "token": write.token,
            "author": write.author,
            "operation": write.operation,
            "team": write.team,
            "thread": write.thread,
            "target": write.target,
            "request": write.request,
        }
        return {
            "id": write.id,
            "at": write.at if self._stamped else None,
            "keep": self._keep,
            "pending": PENDING_SECONDS,
            "epoch": self._epoch,
            "new_epoch": secrets.token_hex(8),
            "peek": peek,
            "request": write.request,
            "remember": reservation.remember,
            "groups": [[_need(need) for need in group.values()] for group in reservation.groups],
            "digests": [f"text:{found.text}", f"event:{found.event}"] if found else [],
            "fields": [part for fact in facts.items() if fact[1] is not None for part in fact],
        }

    async def _end(self, write_id: str, settlement: Settlement, *, late: bool) -> None:
        outcome = settlement.outcome
        told = (write_id, outcome.value, "1" if outcome.keeps else "0")
        known = (settlement.post or "", settlement.url or "", "1" if late else "0")
        await self._call(self._settle, [*told, *known])

    def _script(self, name: str) -> Script:
        return Script.of(Path(__file__).with_name(name).read_text())

    async def _call(self, script: Script, args: Sequence[Any]) -> Any:
        return await self._redis.run(script, [_SITE], args)

    # ── what is owed ─────────────────────────────────────────────────────────────────────────

    def _owe(self, write_id: str, settlement: Settlement, *, late: bool) -> None:
        """Settle it when Redis answers again."""
        if len(self._owed) < _OWED_AT_MOST:  # the others keep themselves after PENDING_SECONDS
            self._owed[write_id] = (settlement, late)
        if self._paying is None or self._paying.done():
            self._paying = asyncio.create_task(self._keep_paying())

    async def _keep_paying(self) -> None:
        while self._owed:
            await asyncio.sleep(random.uniform(*_PAUSES))  # noqa: S311  # no secret
            with contextlib.suppress(StoreError):
                await self._pay()

    async def _pay(self) -> None:
        for write_id, (settlement, late) in list(self._owed.items()):
            await self._end(write_id, settlement, late=late)
            self._owed.pop(write_id, None)


def _need(need: Need) -> dict[str, Any]:
    if isinstance(need, Charge):
        windows = [{"limit": each.limit, "seconds": each.seconds} for each in need.windows]
        return {"cap": need.cap, "windows": windows, "attempts": need.attempts}
    assert isinstance(need, Lookup)
    return {
        "compare": need.compare,
        "digest": need.digest,
        "within": need.within,
        "team": need.team or "",
        "across_teams": need.across_teams,
        "author": need.author or "",
    }


def _remembered(row: Sequence[Any], now: float) -> Remembered:
    write_id, at, outcome, *facts, post, target, url, request = row
    integration, token, author, operation, team, thread = facts
    pending = outcome is None and now - float(at) < PENDING_SECONDS
    return Remembered(
        write_id=write_id,
        at=float(at),
        pending=pending,
        outcome=None if pending else Outcome(outcome or "unknown"),
        integration=integration,
        token=token,
        author=author,
        operation=operation,
        team=team,
        thread=thread,
        post=post or target,
        url=url,
        request=request,
    )
