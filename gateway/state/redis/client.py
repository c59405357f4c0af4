"""A client of Redis and Valkey on one connection: what is asked in one turn goes out in one write.

Laws: answers belong to commands by their order alone, so a connection on which an answer is missing
is never read again; nothing is sent twice, but a script that the server did not know and so did
not begin; whatever goes wrong is a `StoreError`, at the latest after `timeout`, and its words hold
neither a secret nor anything that was asked.

None of these methods awaits between looking at the client's state and changing it.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import StoreError
from gateway.state.redis.address import Address
from gateway.state.redis.connection import Call, Connection, Word, fail, packed

WAITING_AT_MOST = 10_000
"""Calls that may wait for an answer; one more is refused at once."""
_PAUSE = (0.05, 1.0)
"""Seconds between two tries to connect: at least, and at most after several failures."""
_READING = 0.001
"""Seconds in which the loop reads what came while this process stood still."""
_LATE = "the state did not answer in time"
_AWAY = "the state is out of reach"
_CLOSED = "the state is closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Lua script, and the name that the server knows it by."""

    text: str
    sha1: str

    @classmethod
    def of(cls, text: str) -> Script:
        """Name a script."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False)
        return cls(text=text, sha1=digest.hexdigest())


class Client:
    """One connection to one server, made when it is first needed and after it broke.

    After a failure to connect, calls fail at once for a moment that grows to a second.

    Args:
        url: as `Address.parse` reads it.
        timeout: seconds that a call may take, connecting included.

    Raises:
        StoreError: the URL cannot be read.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._address = Address.parse(url)
        self._timeout = timeout
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsent: list[Call] = []
        self._connection: Connection | None = None
        self._latest: Connection | None = None  # also while it is greeted, and when it has ended
        self._connecting: asyncio.Task[None] | None = None
        self._failures = 0
        self._pause_until = 0.0
        self._trouble = StoreError(_AWAY)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    async def call(self, *words: Word) -> Any:
        """Ask for one command, and give its answer; text is decoded.

        Raises:
            StoreError: there is no answer, or it is an error, whose first word is `code`.
        """
        loop = self._running()
        return await self._put(loop, words, loop.time() + self._timeout, is_text=True)

    async def run(self, script: Script, keys: Sequence[Word], args: Sequence[Word]) -> Any:
        """Run a script, which is sent along only where the server does not know it.

        What it answers is bytes: it may be no text.

        Raises:
            StoreError: as `call`.
        """
        loop = self._running()
        deadline = loop.time() + self._timeout
        rest = (len(keys), *keys, *args)
        try:
            return await self._put(loop, ("EVALSHA", script.sha1, *rest), deadline, is_text=False)
        except StoreError as error:
            if error.code != "NOSCRIPT":
                raise
        return await self._put(loop, ("EVAL", script.text, *rest), deadline, is_text=False)

    async def aclose(self) -> None:
        """Fail who waits, close the connection, and make no more."""
        self._closed = True
        self._trouble = StoreError(_CLOSED)
        self._fail_unsent()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._latest is not None:
            self._latest.end(_CLOSED)
            await self._latest.gone

    # ── sending ──────────────────────────────────────────────────────────────────────────────

    def _running(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:  # asking for it costs a system call
            loop = self._loop = asyncio.get_running_loop()
        return loop

    def _put(
        self,
        loop: asyncio.AbstractEventLoop,
        words: tuple[Word, ...],
        deadline: float,
        *,
        is_text: bool,
    ) -> asyncio.Future[Any]:
        """Let a command go out at the end of this turn, with all others of it."""
        connection = self._connection
        written = 0 if connection is None else len(connection.waiting)
        if self._closed:
            raise StoreError(_CLOSED)
        if len(self._unsent) + written >= WAITING_AT_MOST:
            raise StoreError("too many calls wait for the state")
        command = packed(words)
        answer = loop.create_future()
        if not self._unsent:
            loop.call_soon(self._flush)
        if self._alarm is None or deadline < self._alarm_at:
            self._set_alarm(loop, deadline)
        self._unsent.append((command, answer, deadline, is_text))
        return answer

    def _flush(self) -> None:
        """Write what is wanted still, or begin to connect, or fail it during a pause."""
        self._unsent = calls = [call for call in self._unsent if not call[1].done()]
        if not calls or self._connecting is not None:
            return
        if self._connection is not None:
            self._unsent = []
            self._connection.write(calls)
        else:
            loop = self._running()
            if loop.time() < self._pause_until:
                self._fail_unsent()
            else:
                self._connecting = loop.create_task(self._connect())

    def _fail_unsent(self) -> None:
        calls, self._unsent = self._unsent, []
        for _, answer, *_ in calls:
            fail(answer, str(self._trouble), self._trouble.code)

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Have `_look` called; one timer is for all calls, which is cheaper than one for each."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_at(at, self._ring)
        self._alarm_at = at

    def _ring(self) -> None:
        """Look when the loop has read once more.

        Where this process stood still for longer than the time-out, answers that came in time
        wait to be read, and a loop may well come to its timers first.
        """
        self._alarm = self._running().call_later(_READING, self._look)

    def _look(self) -> None:
        """End what is overdue, and come again when the next call will be.

        A call that was written takes the connection with it: its answer may yet come, and would
        be taken for another's.
        """
        self._alarm = None
        loop = self._running()
        now = loop.time()
        for _, answer, deadline, _ in self._unsent:
            if deadline <= now:
                fail(answer, _LATE)
        self._unsent = [call for call in self._unsent if not call[1].done()]
        connection = self._connection
        if connection is not None and any(call[2] <= now for call in connection.waiting):
            connection.end(_LATE)
        written = () if self._connection is None else self._connection.waiting
        if deadlines := [call[2] for call in (*self._unsent, *written)]:
            self._set_alarm(loop, min(deadlines))

    # ── connecting ───────────────────────────────────────────────────────────────────────────

    async def _connect(self) -> None:
        """Connect, once for all who wait; where it fails they do, and a pause begins."""
        self._trouble = StoreError(_AWAY)
        try:
            async with asyncio.timeout(self._timeout):
                self._connection = await self._open()
        except TimeoutError:
            self._trouble = StoreError(_LATE)
        except StoreError as error:
            self._trouble = error
        except (OSError, ValueError) as error:
            self._trouble = StoreError(f"{_AWAY}: {str(error) or type(error).__name__}")
        finally:
            self._connecting = None
            if self._connection is None:
                self._pause()
                self._fail_unsent()
        self._flush()

    async def _open(self) -> Connection:
        """Make a connection and greet the server."""
        loop = self._running()
        address = self._address
        connection = Connection(loop, self._ended)
        if address.path is not None:
            await loop.create_unix_connection(lambda: connection, address.path)
        else:
            name = address.host if address.tls else None
            await loop.create_connection(
                lambda: connection,
                address.host,
                address.port,
                ssl=address.tls,
                server_hostname=name,
            )
        self._latest = connection
        try:
            await connection.greet(address)
        except BaseException:
            connection.end("nobody waits for it")
            raise
        return connection

    def _ended(self, connection: Connection, trouble: str) -> None:
        """Forget a connection; one that never was of use counts as a failure to connect."""
        if connection is not self._connection:
            return
        self._connection = None
        if connection.useful:
            self._failures = 0
        else:
            self._trouble = StoreError(trouble)
            self._pause()

    def _pause(self) -> None:
        self._failures += 1
        least, most = _PAUSE
        longest = min(most, least * 2.0 ** min(self._failures, 10))
        pause = random.uniform(least, longest)  # noqa: S311  # replicas must not agree
        self._pause_until = self._running().time() + pause
