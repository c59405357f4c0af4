"""What the pipeline asks of the world: time, state, the audit log and SOE.

Laws: every call that awaits has a time-out of its adapter's; adapters raise only the error named here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum
from typing import Final, Literal, Protocol

from gateway.model import (
    Api,
    Counted,
    Decision,
    Headers,
    Person,
    Published,
    Reservation,
    Reserved,
    Settlement,
    Switch,
    Write,
)


class Clock(Protocol):
    """The only source of instants."""

    def now(self) -> float:
        """Unix seconds."""


class Expected(Enum):
    """What a note may be when another is put in its place, beside a value and None."""

    ANY = "any"


ANY: Final = Expected.ANY
"""Put whatever is there."""


class Notes(Protocol):
    """Small named values, each with an end, that all processes share. Raises `StoreError` only.

    A note that has ended is as absent, and goes away by itself. Time is the engine's: the later of
    `at` and its last stamp, in Redis its own clock; so is what `until` is compared with. There is
    room for 10,000 notes and 64 MiB; no note goes before its end to make room for another. Notes that
    are lost with the data of a server are not put back.
    """

    async def get(self, name: str, at: float) -> bytes | None:
        """Give a note's value; None where there is none."""

    async def put(
        self,
        name: str,
        value: bytes,
        at: float,
        *,
        until: float,
        expected: bytes | Literal[Expected.ANY] | None,
    ) -> bool:
        """Put a note, if what is there now is `expected` (None: nothing); whether it was put.

        One atomic step among all processes. Where this raises, the note may have been put, or will
        be: it is not taken back, for others may have acted on it. To try again is to `get` first.

        Raises:
            StoreError: also where a name has more than 200 bytes or a value more than 256 KiB, and
                where there is no room.
        """

    async def names(self, prefix: str, limit: int, at: float) -> list[str]:
        """Give the names that begin so, the last put first: `limit` at most, and 1,000."""

    async def drop(self, name: str, at: float) -> bool:
        """Take a note away; whether there was one."""


class Switches(Protocol):
    """The newest switch of each integration, which all processes share. Raises `StoreError` only.

    They have no end, and are given also while other data is lost: who asks puts back what is missing.
    """

    async def all(self) -> tuple[Switch, ...]:
        """Give them, by the names of the integrations."""

    async def join(self, switches: Sequence[Switch]) -> None:
        """Put in those that are newer (`Switch.rank`) than what is there; others change nothing."""


class Store(Protocol):
    """State's one door: `reserve`, atomic, then `settle`. Raises `StoreError` only."""

    async def reserve(self, reservation: Reservation) -> Reserved:
        """Answer every need with what was there before, charge, and remember the post as pending.

        A repeat of a request (`Write.request`) whose earlier write ended `failed` or `unknown`
        replaces that one: its charges and its post are not counted for it, and go when this
        reservation is kept; if it is released, they stay. The engine stamps entries with
        `max(write.at, last stamp)`.

        A request that repeats an earlier one under its key (`Write.key`), or one whose answer was
        lost (`Settlement.lost`, `keep_answer`), gets that as `Reserved.repeat` before anything is counted.
        """

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """End a reservation: keep or release (`Outcome.keeps`). Settling twice is settling once.

        With the answer that a client lost before (`Settlement.lost`) that one is kept in this same
        step: a repeat of the request meets the write in flight, or its answer, nothing between.
        """

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """Keep the sealed answer to a write that is settled `ok` and whose client was lost since.

        For some minutes the same request gets it, once.
        """

    async def peek(self, reservation: Reservation) -> Reserved:
        """Answer as `reserve` would, changing nothing."""

    async def close(self) -> None:
        """Give back what is held open."""

    @property
    def notes(self) -> Notes:
        """The notes that stand in the same state."""

    @property
    def switches(self) -> Switches:
        """The switches of integrations, in the same state."""


class Caps(Protocol):
    """What operators see of caps, and do about them. Raises `StoreError` only."""

    async def counters(
        self, asked: Sequence[tuple[str, float]], at: float
    ) -> list[tuple[Counted, ...]]:
        """Give, for each rule and seconds, its counters that counted most in the last seconds.

        The fullest first: 20 at most, of 10,000 that are looked at; those that counted nothing are
        left out. No write waits for this.
        """

    async def reset(self, cap: str) -> int:
        """Empty a cap's counters: all of a rule, or those with `rule|part=value…`; gives how many."""


class Administered(Store, Caps, Protocol):
    """What operators ask of state, and `seed`. Raises `StoreError` only."""

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        """Remember posts that stand on the site, as written `at`, in place of what was known.

        So a post that is remembered again is kept as long again. Gives how many were new, or have
        another text.
        """

    async def forget(self, post: str) -> int:
        """Forget the text of a post, as `question/12`, in all its versions; gives how many.

        What it was charged to stays charged: it was written.
        """

    async def release(self, write_id: str) -> bool:
        """Take back a reservation that is in flight, or whose outcome nobody knows."""

    async def accept_loss(self) -> bool:
        """Let writes pass again although data was lost; whether a loss stood in their way."""


class Recorder(Protocol):
    """The part of the audit log that tells what was done to the gateway. Raises `AuditError` only."""

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """Record something that was done to the gateway, and by whom; owed where it cannot be now.

        Args:
            person: by which he is known; recorded as `audit.people` says.
        """


class AuditLog(Recorder, Protocol):
    """The record of decisions and outcomes. Raises `AuditError` only."""

    async def decided(self, write: Write, decision: Decision) -> None:
        """Record a decision; it is durable on return."""

    def sending(self, write_id: str) -> None:
        """Note that the write's first byte is about to go upstream; survives kill -9."""

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """Record the outcome, and SOE's status where there was one."""

    async def close(self) -> None:
        """Write, sync and close."""


class UpstreamResponse(Protocol):
    """SOE's answer: the head is here, the body streams. Close it, read to the end or not."""

    status: int
    headers: Headers

    @property
    def complete(self) -> bool:
        """Whether the whole body was read."""

    async def read(self) -> bytes:
        """Give the raw bytes that are here, waiting for the next; empty at the end.

        Raises:
            UpstreamError: the body was cut, or took too long.
        """

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""


class Persons(Protocol):
    """Who a token writes as. Never raises: what cannot be found out in time is not known."""

    async def of(self, token: str, api: Api, team: str | None) -> Person | None:
        """Give the person behind an SOE token, asked for at SOE where it is not known yet.

        Args:
            token: as it was presented; nothing keeps it.
        """


class Titles(Protocol):
    """What threads are called. Never raises: what cannot be found out in time is not known."""

    async def title(self, token: str, team: str | None, thread: str) -> str:
        """Give the title of a thread, as `question/11`, that a token may read; else nothing."""


class Upstream(Protocol):
    """SOE. One call is at most one request; nothing is repeated, followed or remembered."""

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] | None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> UpstreamResponse:
        """Send the bytes as given and return when the answer's head is here.

        `headers` are complete (`host`, `content-length` or `transfer-encoding: chunked`, …).
        `before_first_byte` is called once, when a connection is ready and before any byte is
        written to it; if it raises, nothing is sent and the error passes through.

        Raises:
            UpstreamError: with the outcome that is certain from how far it got.
        """
