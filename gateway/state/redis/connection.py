"""A connection to Redis or Valkey: commands out, answers back to who asked, by their order alone.

It speaks RESP2, parsed by hiredis. It knows no time and repeats nothing: that is its client's.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from hiredis import ProtocolError, Reader, pack_command

from gateway.errors import StoreError
from gateway.state.redis.address import Address

Word = str | bytes | int | float
Call = tuple[bytes, asyncio.Future[Any], float, bool]
"""A packed command, where its answer goes, by when (in the loop's time), and whether it is text."""

_NAME = "soe-gateway"
_KEEPALIVE = 60
"""Seconds of silence after which the system asks whether the server is there still."""
_SAID_AT_MOST = 200
_ELSEWHERE = frozenset({"READONLY", "LOADING", "MASTERDOWN", "MOVED"})
"""Codes of a server that is not, or not yet, the one to ask: its address is resolved anew."""
_NO_NAMES = ("NOPERM", "ERR unknown")
"""How servers begin that have no names for connections, or none for this user."""
_FAILED = "the state failed: "
_MORE = object()


class Connection(asyncio.Protocol):
    """What was written to the server and is not answered yet, in order.

    Args:
        ended: called once with the reason, at the moment from which nothing is read any more.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ended: Callable[[Connection, str], None]
    ) -> None:
        self.waiting: deque[Call] = deque()
        self.useful = False
        """Whether a call got an answer here that was no error."""
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self._loop = loop
        self._ended = ended
        self._trouble = ""  # why it ended
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(
            encoding="utf-8", errors="replace", replyError=_refused, notEnoughData=_MORE
        )

    def write(self, calls: Sequence[Call]) -> None:
        """Write commands at once; each is answered, or fails when the connection ends.

        Raises:
            StoreError: it has ended; nothing was written.
        """
        if self._trouble or self._transport is None:
            raise StoreError(self._trouble)
        self.waiting.extend(calls)
        self._transport.write(b"".join([command for command, *_ in calls]))

    async def greet(self, address: Address) -> None:
        """Say who is there and which database is meant; the caller limits the time.

        Raises:
            StoreError: the server refused, or the connection ended.
        """
        steps: list[tuple[Word, ...]] = [("CLIENT", "SETNAME", _NAME)]
        if address.password is not None:
            user = () if address.user is None else (address.user,)
            steps.insert(0, ("AUTH", *user, address.password))
        if address.database:
            steps.append(("SELECT", address.database))
        answers = [self._loop.create_future() for _ in steps]
        self.write(
            [(packed(step), each, 0.0, True) for step, each in zip(steps, answers, strict=True)]
        )
        told = await asyncio.gather(*answers, return_exceptions=True)
        for (command, *_), answer in zip(steps, told, strict=True):
            if (
                isinstance(answer, StoreError) and answer.code
            ):  # the server's words, before it closed
                _judge(str(command), answer, address.password)
        if self._trouble:
            raise StoreError(self._trouble)
        self.useful = False

    def end(self, trouble: str) -> None:
        """Close it, fail who waits, and read no more; a second end changes nothing."""
        if self._trouble:
            return
        self._trouble = trouble
        if self._transport is not None:
            self._transport.abort()
        waiting, self.waiting = self.waiting, deque()
        self._ended(self, trouble)
        for _, answer, *_ in waiting:
            fail(answer, trouble)

    # ── what the loop calls ──────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is called
        """The socket is connected."""
        self._transport = transport
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE)

    def data_received(self, data: bytes) -> None:
        """Answers came, whole or in part."""
        if self._trouble:
            return
        next_answer, waiting = self._reader.gets, self.waiting
        elsewhere = ""
        self._reader.feed(data)
        try:
            while (answer := next_answer(not waiting or waiting[0][3])) is not _MORE:
                if not waiting:  # a server that takes no more clients says so unasked
                    told = answer if isinstance(answer, StoreError) else "nobody had asked"
                    self.end(f"the connection to the state was given up: {told}")
                    return
                _, future, *_ = waiting.popleft()
                if isinstance(answer, StoreError):
                    elsewhere = answer.code if answer.code in _ELSEWHERE else elsewhere
                    if not future.done():
                        future.set_exception(answer)
                else:
                    self.useful = True
                    if not future.done():  # else its caller has left
                        future.set_result(answer)
        except (ProtocolError, MemoryError, TypeError):  # no RESP2, or of no sane size
            self.end("the state does not speak as Redis does")
        if elsewhere:
            self.end(f"the connection to the state was given up: {elsewhere}")

    def eof_received(self) -> None:
        """The server closed; from now on nothing is written."""
        self.end("the state closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.end("the connection to the state broke")
        if not self.gone.done():
            self.gone.set_result(None)


def packed(words: tuple[Word, ...]) -> bytes:
    """Pack a command.

    Raises:
        StoreError: it holds what is neither text nor number, or text that is no UTF-8.
    """
    try:
        command: bytes = pack_command(words)  # type: ignore[arg-type]  # its stub knows one word only
    except (TypeError, ValueError):  # its words may hold what was asked
        raise StoreError("the state cannot take this: it is no text") from None
    return command


def fail(answer: asyncio.Future[Any], text: str, code: str = "") -> None:
    """Give an error to who waits still."""
    if not answer.done():
        answer.set_exception(StoreError(text, code=code))


def _refused(text: str) -> StoreError:
    """Make an error of an error reply, which may repeat the arguments of an unknown command."""
    code = text.partition(" ")[0].rstrip(":")
    said = text.partition(", with args")[0][:_SAID_AT_MOST]
    return StoreError(f"{_FAILED}{said}", code=code)


def _judge(command: str, error: StoreError, password: str | None) -> None:
    """Raise what a server answered to a greeting, unless it is that it knows no names."""
    said = str(error).removeprefix(_FAILED)
    if command == "CLIENT" and said.startswith(_NO_NAMES):
        return
    if password and password in said:
        said = error.code
    raise StoreError(f"the state refused {command}: {said}", code=error.code)
