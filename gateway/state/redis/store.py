"""The store in Redis or Valkey: one script call for each reservation.

Redis runs a script without anything between its steps, so a script is the transaction. All keys of
a site carry one hash tag: in a cluster they lie together. The stamps are of Redis's own clock, for
the clocks of replicas differ.

Data that is gone shows by its epoch (Redis came back empty, or another took its place) or by the
number of the newest write or ending (a replica took over that was behind). Then this process puts
back what it knows; what else is gone, `Terms.accept_loss` or an operator decides.

An epoch is `data.turn`. Who finds a replica behind begins another turn of the same data: so every
process meets an epoch that it did not know, and puts back what it knows, which is no loss.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import StoreError
from gateway.model import (
    Outcome,
    Published,
    Repeat,
    Repeated,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Administered
from gateway.state.accounting import (
    ANSWERS_AT_MOST,
    KEY_SECONDS,
    LOST_SECONDS,
    PENDING_SECONDS,
    answerable,
    answered,
    charges,
    is_counter_of,
)
from gateway.state.published import as_write
from gateway.state.redis.client import Client, Script
from gateway.state.redis.journal import Entry, Journal
from gateway.state.redis.records import (
    core_of,
    has_text,
    mark_of,
    name_of,
    named,
    place_of,
    remembered,
)
from gateway.state.redis.wire import (
    Answers,
    Asked,
    as_text,
    asked_of,
    becomes,
    data_of,
    flag,
    new_epoch,
)
from gateway.state.terms import LOST, PULSE_SECONDS, Terms

_SITE = "{soe-gateway}"
_OWED_AT_MOST = 10_000
_PAUSES = (0.2, 1.0)
"""Seconds between two tries to settle what is owed, drawn at random: replicas must not agree."""
_BATCH = 100
_BLOCK = 128
"""As in `prelude.lua`."""
_NO_TEXT = "the state cannot take this"
_GONE = ("LOST", "BEHIND")
_EVICTS = "the state's server evicts keys when it is full: set maxmemory-policy noeviction"


def open_redis(url: str, terms: Terms) -> Administered:
    """Make the store; it connects when it is first asked.

    Raises:
        StoreError: the URL cannot be read.
    """
    return RedisStore(url, terms)


class RedisStore:
    """The store over one connection.

    Args:
        url: as `Address.parse` reads it.
        stamped: entries are stamped with `Write.at` instead of Redis's clock, for tests.
    """

    def __init__(self, url: str, terms: Terms, *, stamped: bool = False) -> None:
        self._terms = terms
        self._stamped = stamped
        self._epoch = ""
        self._seq = 0
        self._journal = Journal()
        self._mending: asyncio.Task[None] | None = None
        self._put_back_to = ""  # the epoch of lost data into which all was put back already
        self._owed: dict[str, tuple[Settlement, bool]] = {}
        self._paying: asyncio.Task[None] | None = None
        self._pulse: asyncio.Task[None] | None = None
        self._evicts = False
        try:
            self._redis = Client(url, timeout=terms.timeout)
        except StoreError as error:
            raise StoreError(f"state.url: {error}") from None
        self._scripts = {name: _script(name) for name in _SCRIPTS}

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
        self._journal.settled(write_id, settlement)
        try:
            await self._end(write_id, settlement, late=False)
        except (StoreError, asyncio.CancelledError):
            self._owe(write_id, settlement, late=False)
            raise

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `ports.Store.keep_answer`."""
        await self._run(
            "keep_answer", *_ids(write_id), as_text(answer), int(LOST_SECONDS), ANSWERS_AT_MOST
        )

    async def close(self) -> None:
        """Try once more to settle what is owed, and close the connection."""
        for task in (self._paying, self._pulse):
            if task is not None:
                task.cancel()
        with contextlib.suppress(StoreError):
            await self._pay()
        await self._redis.aclose()

    # ── for operators ────────────────────────────────────────────────────────────────────────

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        """As `ports.Administered.remember`."""
        asked: dict[str, Any] = {"keep": self._terms.keep}
        if self._stamped:
            asked["at"] = at
        told = []
        for post in posts:
            write = replace(as_write(post), target=None)  # it stands in its place already
            told += [_core(write), place_of(post.post, post.url)]
        return int(await self._run("remember", orjson.dumps(asked), *told))

    async def forget(self, post: str) -> int:
        """As `ports.Administered.forget`."""
        forgotten = 0
        first, last = await self._redis.call("HMGET", f"{_SITE}:meta", "first", "block")
        for block in range(int(first or 1), int(last or 0) + 1):
            chosen: list[Any] = []
            for index, record in enumerate(await self._run("posts", block)):
                if has_text(record) and remembered(record, 0.0).post == post:
                    chosen += [block * _BLOCK + index, record]
            if chosen:
                forgotten += int(await self._run("forget", *chosen))
        return forgotten

    async def release(self, write_id: str) -> bool:
        """As `ports.Administered.release`."""
        return bool(await self._run("release", *_ids(write_id)))

    async def reset(self, cap: str) -> int:
        """As `ports.Administered.reset`."""
        emptied = 0
        async for counters in self._named("cap:"):
            for counter in counters:
                if is_counter_of(counter, cap):
                    emptied += int(await self._redis.call("DEL", f"{_SITE}:cap:{counter}"))
        return emptied

    async def accept_loss(self) -> bool:
        """As `ports.Administered.accept_loss`."""
        known = self._terms.noted()  # a loss that nobody has met yet is accepted with the others
        await self._run("adopt", known, new_epoch(), "", "0", "0", "0")
        return bool(await self._run("accept_loss"))

    async def _named(self, kind: str) -> AsyncIterator[list[str]]:
        """Give the names of the keys of a kind, some at a time; one may come twice."""
        prefix, cursor = f"{_SITE}:{kind}", "0"
        while True:
            asked = ("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", 500)
            cursor, keys = await self._redis.call(*asked)
            yield [key.removeprefix(prefix) for key in keys]
            if cursor == "0":
                return

    # ── asking ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, reservation: Reservation, *, peek: bool) -> Reserved:
        if self._pulse is None:
            self._pulse = asyncio.create_task(self._watch())
            await self._look_at_memory()
        if self._evicts:
            raise StoreError(_EVICTS)
        if not self._epoch:  # another process of this data directory may know it by now
            self._epoch = self._terms.noted()
        known, asked = self._epoch, _asked(reservation)
        try:
            told = await self._reserve(reservation, asked, peek=peek)
        except StoreError as error:
            if error.code not in _GONE:
                raise
            told = await self._ask_mended(reservation, asked, error.code, known, peek=peek)
        stamp, epoch, seq, how, *rest = told
        self._adopt(epoch.decode(), seq)
        if how:
            write_id, answer = rest
            sealed = base64.b64decode(answer) if answer else None
            repeat = Repeat(kind=Repeated(how.decode()), write_id=name_of(write_id), answer=sealed)
            return Reserved(answers={}, taken=False, repeat=repeat)
        now = float(stamp)
        answers = Answers(rest[0], rest[1], now)
        reserved = answered(reservation, answers.times, answers.found, now)
        if not peek:
            self._note(reservation, asked, reserved, now)
        return reserved

    async def _ask_mended(
        self, reservation: Reservation, asked: Asked, code: str, known: str, *, peek: bool
    ) -> Any:
        """Ask again when what is known was put back; whoever waits too long for that is refused."""
        try:
            async with asyncio.timeout(self._terms.timeout):
                if self._epoch == known:  # else another call had it mended meanwhile
                    await self._mended(code)
                return await self._reserve(reservation, asked, peek=peek)
        except TimeoutError:
            raise StoreError("what the state lost is being put back") from None

    async def _reserve(self, reservation: Reservation, asked: Asked, *, peek: bool) -> Any:
        question = {
            "at": reservation.write.at if self._stamped else None,
            "keep": self._terms.keep,
            "pending": PENDING_SECONDS,
            "key_seconds": int(KEY_SECONDS),
            "lost_seconds": int(LOST_SECONDS),
            "epoch": self._epoch,
            "seq": self._seq,
            "new_epoch": new_epoch(),
            "identity": self._terms.identity,
            "peek": peek,
            "remember": reservation.remember,
            "groups": asked.groups,
        }
        try:
            packed = orjson.dumps(question)
        except TypeError as error:  # text that is no UTF-8
            raise StoreError(f"{_NO_TEXT}: {error}") from None
        return await self._redis.run(
            self._scripts["reserve"],
            [_SITE],
            [packed, asked.core, asked.key, asked.looked, *asked.prints],
        )

    def _adopt(self, epoch: str, seq: int) -> None:
        if epoch == self._epoch:
            self._seq = max(self._seq, seq)
        else:
            self._epoch, self._seq = epoch, seq
            self._terms.take_note(epoch)

    def _note(self, reservation: Reservation, asked: Asked, reserved: Reserved, now: float) -> None:
        """Keep for the journal what was charged and remembered."""
        if not (reserved.taken and reservation.remember):
            return
        made = charges(reservation, reserved.answers)
        entry = Entry(
            core=asked.core,
            key=asked.key,
            at=now,
            caps=[charge.cap for charge in made if not charge.attempts],
            attempts=[charge.cap for charge in made if charge.attempts],
        )
        self._journal.reserved(reservation.write.id, entry)

    async def _end(self, write_id: str, settlement: Settlement, *, late: bool) -> None:
        told = await self._run(
            "settle",
            *(*_ids(write_id), settlement.outcome.value, becomes(settlement)),
            place_of(settlement.post, settlement.url),
            *(flag(answerable(settlement)), as_text(settlement.answer), flag(late)),
            ANSWERS_AT_MOST,
        )
        if told is not None and told[0].decode() == self._epoch:
            self._adopt(self._epoch, told[1])

    async def _run(self, name: str, *args: Any) -> Any:
        return await self._redis.run(self._scripts[name], [_SITE], args)

    # ── watching ─────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        """Look whether the data is still there, also while nobody writes.

        A process that is not asked would not put back what it knows, and others would count
        without it.
        """
        while True:
            await asyncio.sleep(PULSE_SECONDS * random.uniform(0.8, 1))  # noqa: S311  # no secret
            with contextlib.suppress(StoreError):
                epoch, seq = await self._redis.call("HMGET", f"{_SITE}:meta", "epoch", "seq")
                if self._epoch and epoch != self._epoch:
                    await self._mended("LOST")
                elif self._epoch and int(seq or 0) < self._seq:
                    await self._mended("BEHIND")
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

    # ── losses ───────────────────────────────────────────────────────────────────────────────

    async def _mended(self, code: str) -> None:
        """Wait for the one mending, which all share and which nobody's leaving ends.

        Raises:
            StoreError: as `_mend`.
        """
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._mend(code))
            self._mending.add_done_callback(_heard)
        await asyncio.shield(self._mending)

    async def _mend(self, code: str) -> None:
        """Put back what is known here, and go on if that is all, or the rest may be lost.

        Raises:
            StoreError: it may not, or Redis is away again.
        """
        known, behind = self._epoch, code == "BEHIND"
        there = await self._redis.call("HGET", f"{_SITE}:meta", "epoch")
        is_new = behind or there is None or there != self._put_back_to
        if is_new:
            gone = await self._put_back()
            self._terms.tell(
                "state.put_back", reason=code.lower(), known=len(self._journal), entries=gone
            )
        accepts = flag(self._terms.accept_loss)
        epoch, lost = await self._run(
            "adopt",
            *(known, new_epoch(), self._terms.identity, accepts, flag(behind)),
            self._terms.mending,
        )
        epoch = epoch.decode()
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
        self._adopt(epoch, 0)

    async def _put_back(self) -> int:
        # Not by its name: a script that is sent twice would be overtaken by a settlement.
        gone, script = 0, self._scripts["put_back"].text
        for batch in self._journal.batches(_BATCH):
            asked = {
                "keep": self._terms.keep,
                "key_seconds": int(KEY_SECONDS),
                "entries": [
                    {"at": each.at, "outcome": each.outcome, "caps": each.caps,
                     "attempts": each.attempts}
                    for each in batch
                ],
            }  # fmt: skip
            told = [part for each in batch for part in (each.core, each.key, each.place)]
            gone += int(
                await self._redis.call("EVAL", script, 1, _SITE, orjson.dumps(asked), *told)
            )
        return gone

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


_SCRIPTS = (
    *("reserve", "settle", "keep_answer", "remember", "put_back", "adopt", "accept_loss"),
    *("forget", "posts", "release"),
)


def _ids(write_id: str) -> tuple[bytes, bytes]:
    """An id, and its mark."""
    short = named(write_id)
    return short, mark_of(short)


def _asked(reservation: Reservation) -> Asked:
    try:
        return asked_of(reservation)
    except ValueError as error:
        raise StoreError(f"{_NO_TEXT}: {type(error).__name__}") from None


def _core(write: Write) -> bytes:
    try:
        return core_of(write)
    except ValueError as error:
        raise StoreError(f"{_NO_TEXT}: {type(error).__name__}") from None


def _script(name: str) -> Script:
    folder = Path(__file__).parent
    return Script.of((folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text())


def _heard(task: asyncio.Task[None]) -> None:
    """Take a task's error, where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
