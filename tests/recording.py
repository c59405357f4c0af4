"""Writes through the real pipeline in memory, and the audit lines that it leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import record
from gateway.audit.chain import Chain
from gateway.audit.people import Named
from gateway.audit.record import Keeping
from gateway.errors import RequestError, UpstreamError
from gateway.model import Contact, Decision, Headers, Outcome, Settlement, Write
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.policyset import PolicySet
from gateway.ports import Store, Upstream
from gateway.proxy.exchange import Exchange, Response
from gateway.proxy.forward import Forwarding
from gateway.proxy.hold import Visitor
from gateway.proxy.holds import Holds
from gateway.proxy.identify import Identifier
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.waiting import Confirming
from gateway.seal import Seal
from gateway.soe.api import classify
from tests.proxy.rig import Known, Quiet, Ticking

START = 1_795_000_000.0
LOST = 0
"""In the place of a status: SOE does not answer, and nobody knows what became of the write."""


class Log:
    """An audit log in memory: the lines that a writer would have written."""

    def __init__(self, clock: Ticking, keeping: Keeping, writer: str = "w") -> None:
        self._clock = clock
        self._keeping = keeping
        self._chain = Chain(b"k" * 32, writer)
        self.lines: list[bytes] = []

    async def decided(self, write: Write, decision: Decision) -> None:
        self._append(record.decision(write, decision, self._clock.now(), self._keeping))
        await asyncio.sleep(0)  # as long as the disk takes

    def sending(self, write_id: str) -> None:
        self._append(record.sending(write_id, self._clock.now()))

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        self._append(record.outcome(write, settlement, status, self._clock.now()))

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        if person:
            facts["by"] = self._keeping.people.told(person)
        self._append(record.admin(event, self._clock.now(), **facts))

    async def close(self) -> None:
        pass

    def _append(self, told: record.Record) -> None:
        lines = self._chain.lines([orjson.dumps(told)])
        self._chain.advance(lines)
        self.lines += lines

    def write(self, directory: Path) -> Path:
        """Put the lines into a segment."""
        path = directory / f"audit-{self._chain.writer}-000001.jsonl"
        path.write_bytes(b"".join(self.lines))
        return path

    def records(self) -> list[dict[str, Any]]:
        """What the lines tell."""
        return [orjson.loads(line) for line in self.lines]


@dataclass
class Answered:
    """An answer of SOE's."""

    status: int
    body: bytes
    headers: Headers = ()
    complete: bool = False

    async def read(self) -> bytes:
        self.complete = True
        return self.body

    async def aclose(self) -> None:
        pass


class _Running(Ticking):
    """A clock of which no two readings are the same."""

    def now(self) -> float:
        self.at += 1e-6
        return self.at


class _Soe:
    """Answers each request with the status of its `x-soe`, when its gate opens."""

    def __init__(self) -> None:
        self.gates: dict[bytes, asyncio.Event] = {}
        self.numbers = iter(range(1, 1_000_000))

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: Any,
        before_first_byte: Callable[[], None] | None = None,
    ) -> Answered:
        assert before_first_byte is not None
        before_first_byte()
        fields = dict(headers)
        gate = self.gates.get(fields[b"x-gate"])
        if gate is not None:
            await gate.wait()
        status = int(fields[b"x-soe"])
        if status == LOST:
            raise UpstreamError("closed", Outcome.UNKNOWN)
        number = next(self.numbers)
        answer = {"id": number, "webUrl": f"https://soe.example.com/questions/{number}"}
        return Answered(status, json.dumps(answer).encode())


@dataclass(kw_only=True)
class Sent:
    """One request, and what SOE does about it.

    `lasts` is the number of later requests that are made before SOE answers this one; `leaves` that
    the client is gone by then. With `confirms`, all that waits for a person is confirmed before.
    """

    after: float = 1.0
    title: str = "How do I rotate the signing key?"
    body: str = "It runs out soon."
    tags: tuple[str, ...] = ("keys",)
    token: str = "token-1"
    act: str | None = "true"
    agent: str = "help-bot/1.0"
    key: str | None = None
    answers: int | None = None
    team: str | None = None
    preview: bool = False
    soe: int = 201
    lasts: int = 0
    leaves: bool = False
    confirms: bool = False

    def request(self, gate: str) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
        """Give target, fields and body."""
        root = f"/api/v3/teams/{self.team}" if self.team else "/api/v3"
        content: dict[str, object] = {"body": self.body}
        target = f"{root}/questions/{self.answers}/answers"
        if self.answers is None:
            target = f"{root}/questions"
            content |= {"title": self.title, "tags": list(self.tags)}
        body = json.dumps(content).encode()
        fields = {
            "host": "gateway",
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": self.agent,
            "x-gate": gate,
            "x-soe": str(self.soe),
        }
        if self.act is not None:
            fields["x-explicit-action"] = self.act
        if self.key is not None:
            fields["idempotency-key"] = self.key
        return target.encode(), [(n.encode(), v.encode()) for n, v in fields.items()], body


@dataclass(kw_only=True)
class Played:
    """What came of it."""

    log: Log
    statuses: list[int] = field(default_factory=list)


def a_pipeline(
    store: Store, clock: Ticking, log: Log, upstream: Upstream, *, anonymous: str = "allow"
) -> Pipeline:
    """A pipeline over any state and upstream; who acts is known of tokens that name him."""
    observer = Observer(Quiet(), Metrics())
    ids = iter(range(10_000))
    holds = Holds(
        store=store,
        audit=log,
        clock=clock,
        observer=observer,
        seal=Seal(b"h" * 32),
        new_id=lambda: f"{next(ids):032x}",
    )
    return Pipeline(
        store=store,
        audit=log,
        upstream=upstream,
        forwarding=Forwarding(authority=b"soe.example.com", url=b"https://soe.example.com"),
        clock=clock,
        observer=observer,
        contact=Contact(name="Team"),
        anonymous=anonymous,
        identifier=Identifier(secret=b"s" * 32, clock=clock),
        secret=b"s" * 32,
        seal=Seal(b"a" * 32),
        confirming=Confirming(holds=holds, observer=observer, persons=Known()),
    )


async def play(
    policies: PolicySet,
    requests: Sequence[Sent],
    store: Store,
    *,
    content: str = "none",
    anonymous: str = "allow",
) -> Played:
    """Send requests through a pipeline; an event at a time, so that what happens is certain."""
    clock, due = _Running(), START
    log = Log(clock, Keeping(content=content, people=Named()))
    soe = _Soe()
    pipeline = a_pipeline(store, clock, log, soe, anonymous=anonymous)
    played = Played(log=log)
    open_tasks: dict[int, asyncio.Task[int]] = {}
    for number, sent in enumerate(requests):
        due += sent.after
        clock.at = max(due, clock.at)
        if sent.confirms:
            await confirm_all(pipeline.confirming.holds, clock)
        soe.gates[str(number).encode()] = asyncio.Event()
        open_tasks[number] = asyncio.create_task(send(pipeline, policies, sent, number))
        for each in [each for each in open_tasks if each + requests[each].lasts <= number]:
            soe.gates[str(each).encode()].set()
        await _quiet()
    for gate in soe.gates.values():
        gate.set()
    played.statuses = [await task for task in open_tasks.values()]
    return played


async def confirm_all(holds: Holds, clock: Ticking) -> int:
    """Let those who act confirm all that waits for them; gives how many did."""
    done = 0
    for name in await holds.store.notes.names("hold/", 100, clock.at):
        hold = await holds.get(name.removeprefix("hold/"))
        if hold is not None and hold.person is not None:
            done += (await holds.confirm(hold.id, Visitor(account=hold.person.id))).done
    return done


async def _quiet() -> None:
    """Let all go as far as they can: nothing here waits for longer than some turns of the loop."""
    for _ in range(40):
        await asyncio.sleep(0)


async def send(pipeline: Pipeline, policies: PolicySet, sent: Sent, number: int) -> int:
    """Send a request, as write `number`; gives the status of the answer."""
    target, headers, body = sent.request(str(number))
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return messages.pop(0)

    async def tell(message: Any) -> None:
        """Nobody reads it."""

    scope = {
        "method": "POST",
        "raw_target": target,
        "headers": headers,
        "client": None,
        "scheme": "http",
    }
    exchange = Exchange(scope, receive, tell, lambda: f"{number:032x}")
    try:
        response: Response = await pipeline.handle(exchange, classify("POST", target), policies)
    except RequestError as error:
        return error.status
    except UpstreamError:
        return 504
    if sent.leaves and response.when_lost is not None:
        await response.when_lost()
    return response.status
