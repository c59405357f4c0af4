"""Whose data a process works on, and what it does when they are gone.

Data that is gone shows by its epoch (Redis came back empty, or another took its place) or by the
number of the newest write or ending (a replica took over that was behind). Then this process puts
back what it knows; what else is gone, `Terms.accept_loss` or an operator decides.

An epoch is `data.turn`. Who finds a replica behind begins another turn of the same data: so every
process meets an epoch that it did not know, and puts back what it knows, which is no loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from gateway.errors import StoreError
from gateway.state.accounting import KEY_SECONDS
from gateway.state.redis.client import Client
from gateway.state.redis.journal import Entry, Journal
from gateway.state.redis.scripts import SITE, Scripts
from gateway.state.redis.wire import data_of, flag, new_epoch
from gateway.state.terms import LOST, PULSE_SECONDS, Terms

GONE = ("LOST", "BEHIND")
"""The codes of errors that say that data is gone: `Losses.mended` may help."""
_BATCH = 100
_EVICTS = "the state's server evicts keys when it is full: set maxmemory-policy noeviction"


class Losses:
    """What a process knows of the data, and what it puts back.

    Attributes:
        epoch: of the data that it works on; empty where it does not know.
        seq: the number of the newest write or ending that it heard of.
        journal: its own newest writes.
    """

    def __init__(self, redis: Client, scripts: Scripts, terms: Terms) -> None:
        self.epoch = ""
        self.seq = 0
        self.journal = Journal()
        self._redis = redis
        self._scripts = scripts
        self._terms = terms
        self._mending: asyncio.Task[None] | None = None
        self._put_back_to = ""  # the epoch of lost data into which all was put back already
        self._pulse: asyncio.Task[None] | None = None
        self._evicts = False

    async def look(self) -> None:
        """Look before something is asked: whose data this process knows, and if they may be kept.

        Raises:
            StoreError: the server would throw keys away, or it is away.
        """
        if self._pulse is None:
            self._pulse = asyncio.create_task(self._watch())
            await self._look_at_memory()
        if self._evicts:
            raise StoreError(_EVICTS)
        if not self.epoch:  # another process of this data directory may know it by now
            self.epoch = self._terms.noted()

    def adopt(self, epoch: str, seq: int) -> None:
        """Take note of what the newest answer told."""
        if epoch == self.epoch:
            self.seq = max(self.seq, seq)
        else:
            self.epoch, self.seq = epoch, seq
            self._terms.take_note(epoch)

    def introduced(self) -> dict[str, object]:
        """Say to a script whose data this process knows, as `admit` in `prelude.lua` asks it."""
        return {
            "epoch": self.epoch,
            "seq": self.seq,
            "new_epoch": new_epoch(),
            "identity": self._terms.identity,
        }

    async def asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask for something, and once more when what is known was put back, where data is gone.

        Raises:
            StoreError: as what is asked, and as `look`, and where what is lost may not be.
        """
        await self.look()
        known = self.epoch
        try:
            return await ask()
        except StoreError as error:
            if error.code not in GONE:
                raise
            return await self._asked_again(ask, error.code, known)

    async def _asked_again(self, ask: Callable[[], Awaitable[Any]], code: str, known: str) -> Any:
        """Ask when what is known was put back; whoever waits too long for that is refused."""
        try:
            async with asyncio.timeout(self._terms.timeout):
                if self.epoch == known:  # else another call had it mended meanwhile
                    await self.mended(code)
                return await ask()
        except TimeoutError:
            raise StoreError("what the state lost is being put back") from None

    async def mended(self, code: str) -> None:
        """Wait for the one mending, which all share and which nobody's leaving ends.

        Raises:
            StoreError: what is lost may not be, or Redis is away again.
        """
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._mend(code))
            self._mending.add_done_callback(_heard)
        await asyncio.shield(self._mending)

    async def accept(self) -> bool:
        """Let writes pass again although data was lost; whether a loss stood in their way.

        Raises:
            StoreError: Redis is away.
        """
        known = self._terms.noted()  # a loss that nobody has met yet is accepted with the others
        await self._scripts.run("adopt", known, new_epoch(), "", "0", "0", "0")
        return bool(await self._scripts.run("accept_loss"))

    def end(self) -> None:
        """Watch no more."""
        if self._pulse is not None:
            self._pulse.cancel()

    # ── watching ─────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        """Look whether the data is still there, also while nobody writes.

        A process that is not asked would not put back what it knows, and others would count
        without it.
        """
        while True:
            await asyncio.sleep(PULSE_SECONDS * random.uniform(0.8, 1))  # noqa: S311  # no secret
            with contextlib.suppress(StoreError):
                epoch, seq = await self._redis.call("HMGET", f"{SITE}:meta", "epoch", "seq")
                if self.epoch and epoch != self.epoch:
                    await self.mended("LOST")
                elif self.epoch and int(seq or 0) < self.seq:
                    await self.mended("BEHIND")
                await self._look_at_memory()

    async def _look_at_memory(self) -> None:
        """See whether the server would throw keys away where it is full: caps, without a word."""
        try:
            told = await self._redis.call("INFO", "memory")
        except StoreError as error:
            if not error.code:
                raise
            return  # it may not be asked
        facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
        bounded = facts.get("maxmemory", "0") != "0"
        self._evicts = bounded and facts.get("maxmemory_policy", "noeviction") != "noeviction"

    # ── mending ──────────────────────────────────────────────────────────────────────────────

    async def _mend(self, code: str) -> None:
        """Put back what is known here, and go on if that is all, or the rest may be lost.

        Raises:
            StoreError: it may not, or Redis is away again.
        """
        known, behind = self.epoch, code == "BEHIND"
        there = await self._redis.call("HGET", f"{SITE}:meta", "epoch")
        is_new = behind or there is None or there != self._put_back_to
        if is_new:
            gone = await self._put_back()
            self._terms.tell(
                "state.put_back", reason=code.lower(), known=len(self.journal), entries=gone
            )
        accepts = flag(self._terms.accept_loss)
        told, lost = await self._scripts.run(
            "adopt",
            *(known, new_epoch(), self._terms.identity, accepts, flag(behind)),
            self._terms.mending,
        )
        epoch = told.decode()
        if lost:
            self._put_back_to = epoch
            if is_new:
                self._terms.tell("state.lost", accepted=False)
            raise StoreError(LOST, code="LOST")
        if not is_new:  # the same old data may have come once more, while it was refused
            await self._put_back()
        if data_of(epoch) != data_of(known):
            self._terms.tell("state.lost", accepted=True)
        self._put_back_to = ""
        self.adopt(epoch, 0)

    async def _put_back(self) -> int:
        gone = 0
        for batch in self.journal.batches(_BATCH):
            asked = {
                "keep": self._terms.keep,
                "key_seconds": int(KEY_SECONDS),
                "entries": [_facts(entry) for entry in batch],
            }
            told = [part for each in batch for part in (each.core, each.key, each.place)]
            gone += int(await self._scripts.run_in_turn("put_back", [orjson.dumps(asked), *told]))
        return gone


def _facts(entry: Entry) -> dict[str, object]:
    """What `put_back.lua` wants to know beside the bytes."""
    return {
        "at": entry.at,
        "outcome": entry.outcome,
        "caps": entry.caps,
        "attempts": entry.attempts,
        "uses": entry.uses,
    }


def _heard(task: asyncio.Task[None]) -> None:
    """Take a task's error, where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
