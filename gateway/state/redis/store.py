"""The store in Redis or Valkey: one script call for each reservation.

Redis runs a script without anything between its steps, so a script is the transaction. All keys of
a site carry one hash tag: in a cluster they lie together. The stamps are of Redis's own clock, for
the clocks of replicas differ.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from gateway.errors import StoreError
from gateway.model import (
    Counted,
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
    LOOKED_AT_MOST,
    LOST_SECONDS,
    PENDING_SECONDS,
    answerable,
    answered,
    charges,
    fullest,
    is_counter_of,
)
from gateway.state.published import as_write
from gateway.state.redis.client import Client
from gateway.state.redis.journal import Entry
from gateway.state.redis.losses import Losses
from gateway.state.redis.notes import RedisNotes
from gateway.state.redis.records import (
    core_of,
    has_text,
    mark_of,
    name_of,
    named,
    place_of,
    remembered,
)
from gateway.state.redis.scripts import SITE, Scripts
from gateway.state.redis.switches import RedisSwitches
from gateway.state.redis.wire import (
    Answers,
    Asked,
    as_text,
    asked_of,
    becomes,
    flag,
)
from gateway.state.terms import Terms

_OWED_AT_MOST = 10_000
_PAUSES = (0.2, 1.0)
"""Seconds between two tries to settle what is owed, drawn at random: replicas must not agree."""
_BLOCK = 128
"""As in `prelude.lua`."""
_NO_TEXT = "the state cannot take this"


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
        self._owed: dict[str, tuple[Settlement, bool]] = {}
        self._paying: asyncio.Task[None] | None = None
        try:
            self._redis = Client(url, timeout=terms.timeout)
        except StoreError as error:
            raise StoreError(f"state.url: {error}") from None
        self._scripts = Scripts(self._redis)
        self._losses = Losses(self._redis, self._scripts, terms)
        self.notes = RedisNotes(self._scripts, self._losses, stamped=stamped)
        self.switches = RedisSwitches(self._redis, self._scripts)

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
        self._losses.journal.settled(write_id, settlement)
        try:
            await self._end(write_id, settlement, late=False)
        except (StoreError, asyncio.CancelledError):
            self._owe(write_id, settlement, late=False)
            raise

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `ports.Store.keep_answer`."""
        await self._scripts.run(
            "keep_answer", *_ids(write_id), as_text(answer), int(LOST_SECONDS), ANSWERS_AT_MOST
        )

    async def close(self) -> None:
        """Try once more to settle what is owed, and close the connection."""
        self._losses.end()
        if self._paying is not None:
            self._paying.cancel()
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
        return int(await self._scripts.run("remember", orjson.dumps(asked), *told))

    async def forget(self, post: str) -> int:
        """As `ports.Administered.forget`."""
        forgotten = 0
        first, last = await self._redis.call("HMGET", f"{SITE}:meta", "first", "block")
        for block in range(int(first or 1), int(last or 0) + 1):
            chosen: list[Any] = []
            for index, record in enumerate(await self._scripts.run("posts", block)):
                if has_text(record) and remembered(record, 0.0).post == post:
                    chosen += [block * _BLOCK + index, record]
            if chosen:
                forgotten += int(await self._scripts.run("forget", *chosen))
        return forgotten

    async def release(self, write_id: str) -> bool:
        """As `ports.Administered.release`."""
        return bool(await self._scripts.run("release", *_ids(write_id)))

    async def counters(
        self, asked: Sequence[tuple[str, float]], at: float
    ) -> list[tuple[Counted, ...]]:
        """As `ports.Caps.counters`; one look through the names of all keys finds them."""
        rules, caps = {rule for rule, _ in asked}, set[str]()
        async for names in self._named("cap:"):
            caps.update(name for name in names if name.partition("|")[0] in rules)
            if len(caps) >= LOOKED_AT_MOST * len(rules):
                break
        return [await self._fullest(caps, rule, at - seconds) for rule, seconds in asked]

    async def _fullest(self, caps: set[str], rule: str, since: float) -> tuple[Counted, ...]:
        named = [cap for cap in caps if is_counter_of(cap, rule)][:LOOKED_AT_MOST]
        return fullest([(cap, await self._counted(cap, since)) for cap in named])

    async def _counted(self, cap: str, since: float) -> int:
        return int(await self._redis.call("ZCOUNT", f"{SITE}:cap:{cap}", f"({since!r}", "+inf"))

    async def reset(self, cap: str) -> int:
        """As `ports.Administered.reset`."""
        emptied = 0
        async for counters in self._named("cap:"):
            for counter in counters:
                if is_counter_of(counter, cap):
                    emptied += int(await self._redis.call("DEL", f"{SITE}:cap:{counter}"))
        return emptied

    async def accept_loss(self) -> bool:
        """As `ports.Administered.accept_loss`."""
        return await self._losses.accept()

    async def _named(self, kind: str) -> AsyncIterator[list[str]]:
        """Give the names of the keys of a kind, some at a time; one may come twice."""
        prefix, cursor = f"{SITE}:{kind}", "0"
        while True:
            asked = ("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", 500)
            cursor, keys = await self._redis.call(*asked)
            yield [key.removeprefix(prefix) for key in keys]
            if cursor == "0":
                return

    # ── asking ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, reservation: Reservation, *, peek: bool) -> Reserved:
        asked = _asked(reservation)
        told = await self._losses.asked(lambda: self._reserve(reservation, asked, peek=peek))
        stamp, epoch, seq, how, *rest = told
        self._losses.adopt(epoch.decode(), seq)
        if how:
            write_id, answer = rest
            sealed = base64.b64decode(answer) if answer else None
            repeat = Repeat(kind=Repeated(how.decode()), write_id=name_of(write_id), answer=sealed)
            return Reserved(answers={}, taken=False, repeat=repeat)
        now = float(stamp)
        posts, needs, overdue = rest
        answers = Answers(posts, needs, now)
        reserved = answered(
            reservation,
            *(answers.times, answers.found, answers.uses),
            now,
            seq,
            map(name_of, overdue),
        )
        if not peek:
            self._note(reservation, asked, reserved, now)
        return reserved

    async def _reserve(self, reservation: Reservation, asked: Asked, *, peek: bool) -> Any:
        question = {
            "at": reservation.write.at if self._stamped else None,
            "keep": self._terms.keep,
            "pending": PENDING_SECONDS,
            "key_seconds": int(KEY_SECONDS),
            "lost_seconds": int(LOST_SECONDS),
            **self._losses.introduced(),
            "peek": peek,
            "remember": reservation.remember,
            "groups": asked.groups,
            "uses": asked.uses,
        }
        try:
            packed = orjson.dumps(question)
        except TypeError as error:  # text that is no UTF-8
            raise StoreError(f"{_NO_TEXT}: {error}") from None
        return await self._scripts.run(
            "reserve", packed, asked.core, asked.key, asked.looked, *asked.prints
        )

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
            uses=asked.uses,
        )
        self._losses.journal.reserved(reservation.write.id, entry)

    async def _end(self, write_id: str, settlement: Settlement, *, late: bool) -> None:
        told = await self._scripts.run(
            "settle",
            *(*_ids(write_id), settlement.outcome.value, becomes(settlement)),
            place_of(settlement.post, settlement.url),
            *(flag(answerable(settlement)), as_text(settlement.answer), flag(late)),
            *(ANSWERS_AT_MOST, as_text(settlement.lost), int(LOST_SECONDS)),
        )
        if told is not None and told[0].decode() == self._losses.epoch:
            self._losses.adopt(self._losses.epoch, told[1])

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
