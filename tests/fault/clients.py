"""Clients that write and read through the gateway and remember what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fault.posts import Question, read
from tests.fault.wire import Message, read_message
from tests.patience import PATIENCE

_HOST = "127.0.0.1"
_AT_ONCE = 200
"""Requests of a steady load that may wait for an answer: what a machine cannot do is not piled up."""
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A write that a client sent, and what it was told.

    Attributes:
        number: of this try.
        began, ended: Unix seconds.
        status: 0 where no answer came.
        decision: the gateway's id of it (`Gateway-Decision`); empty where none was told.
        code: of a refusal by the gateway; empty where SOE answered.
        post: the question that came of it.
        replayed: whether it was told what came of an earlier try of the same bytes.
    """

    number: int
    question: Question
    began: float
    ended: float
    status: int = 0
    decision: str = ""
    code: str = ""
    post: int | None = None
    replayed: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the client was told that its text is published."""
        return 200 <= self.status < 300

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.ended - self.began

    @property
    def in_flight_elsewhere(self) -> bool:
        """Whether it was told of a copy in flight, after which it may come again."""
        return self.code == "duplicate_in_flight"


@dataclass(frozen=True, slots=True)
class Read:
    """Whether a read was answered with 200, and how long that took."""

    ok: bool
    seconds: float


@dataclass
class Clients:
    """All callers of a site, over connections that are kept.

    Attributes:
        ports: of the gateways; they are asked in turn.
        tries: the writes, in the order of their answers.
        reads: likewise.
    """

    ports: Sequence[int]
    tries: list[Try] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _idle: dict[int, list[_Connection]] = field(default_factory=dict)

    async def write(self, question: Question) -> Try:
        """Post a question once."""
        number = next(self._numbers)
        began = time.time()
        answer = await self._ask(number, question.request(number))
        told = {} if answer is None else _told(answer)
        done = Try(number=number, question=question, began=began, ended=time.time(), **told)
        self.tries.append(done)
        return done

    async def read(self) -> None:
        """Read something."""
        number = next(self._numbers)
        began = time.time()
        answer = await self._ask(number, read(number))
        ok = answer is not None and answer.status == 200
        self.reads.append(Read(ok, time.time() - began))

    async def leave(self, question: Question, *, after: float, bytes_sent: float) -> None:
        """Begin to post a question, and be gone before the answer.

        Args:
            after: seconds after the last byte.
            bytes_sent: the part of the request that is sent, 0 to 1.
        """
        number = next(self._numbers)
        began = time.time()
        request = question.request(number)
        port = self.ports[number % len(self.ports)]
        _, writer = await asyncio.open_connection(_HOST, port)
        writer.write(request[: round(len(request) * bytes_sent)])
        await asyncio.sleep(after)
        if number % 2:
            writer.transport.abort()
        writer.close()
        self.tries.append(Try(number=number, question=question, began=began, ended=time.time()))

    @contextlib.asynccontextmanager
    async def load(
        self, question: Callable[[int], Question], *, writes: float = 50, reads: float = 200
    ) -> AsyncIterator[None]:
        """Write and read steadily meanwhile, so many a second, as long as few are unanswered."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            numbers = itertools.count()
            group.create_task(_steadily(stop, writes, lambda: self.write(question(next(numbers)))))
            group.create_task(_steadily(stop, reads, self.read))
            try:
                yield
            finally:
                stop.set()

    def close(self) -> None:
        """Close what is kept."""
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()
        self._idle.clear()

    async def _ask(self, number: int, request: bytes) -> Message | None:
        port = self.ports[number % len(self.ports)]
        answer = writer = None
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = self._kept(port) or await asyncio.open_connection(_HOST, port)
                writer.write(request)
                answer = await read_message(reader)
        except (TimeoutError, OSError):
            return None
        else:
            if answer is not None and answer.fields.get(b"connection") != b"close":
                self._idle.setdefault(port, []).append((reader, writer))
                writer = None
            return answer
        finally:
            if writer is not None:
                writer.close()

    def _kept(self, port: int) -> _Connection | None:
        idle = self._idle.get(port, [])
        while idle:
            reader, writer = idle.pop()
            if not reader.at_eof() and reader.exception() is None and not writer.is_closing():
                return reader, writer
            writer.close()
        return None


async def _steadily(stop: asyncio.Event, rate: float, act: Callable[[], Awaitable[object]]) -> None:
    """Begin an act so many times a second, and wait for all in the end."""
    loop = asyncio.get_running_loop()
    began, done = loop.time(), 0
    running: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        while rate and not stop.is_set():
            due = int((loop.time() - began) * rate)
            for _ in range(min(due - done, _AT_ONCE - len(running))):
                task = group.create_task(_awaited(act))
                running.add(task)
                task.add_done_callback(running.discard)
            done = due
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1 / rate):
                    await stop.wait()


async def _awaited(act: Callable[[], Awaitable[object]]) -> None:
    await act()


def _told(answer: Message) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = {}
    items = document.get("items") or [{}]
    ours = "decision_id" in document
    return {
        "status": answer.status,
        "decision": answer.fields.get(b"gateway-decision", b"").decode(),
        "code": document.get("code", "") if ours else "",
        "replayed": answer.fields.get(b"idempotent-replayed") == b"true",
        "post": document.get("id") or items[0].get("question_id"),
    }
