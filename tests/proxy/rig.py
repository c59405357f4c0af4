"""A gateway of real parts before a scripted SOE, in one process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.audit.chain import Chain
from gateway.audit.people import Pseudonyms
from gateway.audit.record import Keeping
from gateway.audit.sinks import FileSink
from gateway.audit.writer import AuditWriter
from gateway.errors import StoreError
from gateway.model import Api, Contact, Person, Reservation, Reserved, Settlement
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.pages.confirm import Confirm
from gateway.pages.pages import Pages
from gateway.pages.people import People
from gateway.pages.session import Sessions
from gateway.policy.load import load
from gateway.ports import Notes, Store, Switches
from gateway.proxy.app import ProxyApp
from gateway.proxy.forward import Forwarding
from gateway.proxy.holds import Holds
from gateway.proxy.identify import Identifier
from gateway.proxy.passthrough import Passthrough
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.reload import Policies
from gateway.proxy.tokens import Tokens
from gateway.proxy.upstream import Origin, Pool, Timeouts
from gateway.proxy.waiting import Confirming
from gateway.seal import Seal

RULES = """\
policy: tests
owner: tests
rules:
  acted: {title: A user acted, mode: enforce, for: ["*"], explicit_action: {evidence: literal}}
  one-a-minute: {title: One a minute, mode: enforce, for: ["*"], rate_cap: {limit: 1, window: 1m}}
  no-copy: {title: No copies, mode: enforce, for: [question.create], duplicate: {within: 1d}}
  shouting: {title: Quiet please, mode: warn, for: ["*"], if: {title: {matches: '!$'}}}
"""
OK = b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n" + b'{"id": 42}'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"
BROKEN = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}"
CUT = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{"
HANGS = b"(and then nothing)"
MOVED = b"HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"


class Quiet:
    """A log that keeps its events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda event, **facts: self.events.append((event, facts))


class Ticking:
    """A clock that a test sets."""

    at = 1_795_000_000.0

    def now(self) -> float:
        return self.at


class Broken:
    """A store that is away, as the port says it."""

    async def reserve(self, reservation: Reservation) -> Reserved:
        raise StoreError("away")

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        raise StoreError("away")

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        raise StoreError("away")

    async def peek(self, reservation: Reservation) -> Reserved:
        raise StoreError("away")

    async def close(self) -> None:
        pass

    @property
    def notes(self) -> Notes:
        raise StoreError("away")

    @property
    def switches(self) -> Switches:
        raise StoreError("away")


class Known:
    """Says who acts with a token that names him, as `of-jane`."""

    async def of(self, token: str, api: Api, team: str | None) -> Person | None:
        name = token.removeprefix("of-")
        if name == token:
            return None
        return Person(id=name, name=name.title(), email=f"{name}@example.com")


@dataclass
class Rig:
    """A gateway of real parts before a scripted SOE."""

    app: ProxyApp
    audit: AuditWriter
    clock: Ticking
    directory: Path
    log: Quiet
    received: list[bytes]
    answers: list[bytes | None]
    leaves: bool = False  # the client is gone when its answer comes
    noticed: bool = True  # and the server knew that before

    async def send(
        self,
        *,
        title: str = "How do I rotate the signing key?",
        act: bool = True,
        target: bytes = b"/api/v3/questions",
        fields: tuple[tuple[bytes, bytes], ...] = (),
        method: str = "POST",
        form: dict[str, str] | None = None,
        token: bytes | None = b"secret-token",
        bodiless: bool = False,
        host: bytes = b"gateway",
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Send a question; gives status, fields and body of the answer."""
        question = {"title": title, "body": "It runs out soon.", "tags": ["keys"]}
        body = b"" if bodiless or method != "POST" else json.dumps(question).encode()
        media_type = b"application/json"
        if form is not None:
            body, media_type = urlencode(form).encode(), b"application/x-www-form-urlencoded"
        headers = [
            (b"host", host),
            *([(b"authorization", b"Bearer " + token)] if token is not None else []),
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            *fields,
        ]
        if act:
            headers.append((b"x-explicit-action", b"true"))
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        told: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if self.leaves:
                raise ConnectionResetError
            told.append(message)

        scope = {
            "type": "http",
            "method": method,
            "raw_target": target,
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "client_gone": lambda: self.leaves and self.noticed,
        }
        await self.app(scope, receive, send)
        if self.leaves:
            return 0, {}, b""
        return (
            told[0]["status"],
            dict(told[0]["headers"]),
            b"".join(message["body"] for message in told[1:]),
        )

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The audit log's records of a kind."""
        lines = [
            line
            for path in sorted(self.directory.iterdir())
            for line in path.read_text().splitlines()
        ]
        return [told for told in map(json.loads, lines) if told["kind"] == kind]


@dataclass
class Scripted:
    """What SOE does with each request: an answer, or None to close without one."""

    answers: list[bytes | None] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            self.received.append(head + await reader.readexactly(length))
            answer = self.answers.pop(0) if self.answers else OK
            if answer is not None:
                writer.write(answer.removesuffix(HANGS))
                await writer.drain()
            if answer is not None and answer.endswith(HANGS):
                await reader.read()  # until the gateway gives up
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def build(tmp_path: Path, port: int, store: Store, soe: Scripted) -> Rig:
    """Put the parts together."""
    policies = tmp_path / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "tests.yaml").write_text(RULES)
    clock, log = Ticking(), Quiet()
    observer = Observer(log, Metrics())
    directory = tmp_path / "audit"
    keeping = Keeping(people=Pseudonyms(tmp_path / "people.db", b"p" * 32, clock))
    audit = AuditWriter([FileSink(directory, "w")], Chain(b"k" * 32, "w"), clock, keeping=keeping)
    origin = Origin("http", "127.0.0.1", port)
    pool = Pool(origin, timeouts=Timeouts(first_byte=2, total=4))
    forwarding = Forwarding(authority=origin.authority, url=origin.url)
    tokens = Tokens(store, clock, observer, b"s" * 32)
    identifier = Identifier(secret=b"s" * 32, clock=clock, tokens=tokens)
    contact = Contact(name="Team", email="team@example.com")
    holding = iter(range(1000))
    ids = iter(f"{number:032x}" for number in range(1000))
    holds = Holds(
        store=store,
        audit=audit,
        clock=clock,
        observer=observer,
        seal=Seal(b"h" * 32),
        new_id=lambda: f"{next(holding):f>32x}",
    )
    sessions = Sessions(seal=Seal(b"c" * 32), clock=clock, secret=b"f" * 32)
    app = ProxyApp(
        policies=Policies(lambda: load(policies, today=date(2026, 11, 24)), policies, observer),
        pipeline=Pipeline(
            store=store,
            audit=audit,
            upstream=pool,
            forwarding=forwarding,
            clock=clock,
            observer=observer,
            contact=contact,
            anonymous="allow",
            identifier=identifier,
            secret=b"s" * 32,
            seal=Seal(b"a" * 32),
            confirming=Confirming(holds=holds, observer=observer, persons=Known()),
        ),
        passthrough=Passthrough(
            upstream=pool, forwarding=forwarding, anonymous="allow", identifier=identifier
        ),
        observer=observer,
        contact=contact,
        new_id=lambda: next(ids),
        pages=Pages(
            store=store,
            people=People(
                confirm=Confirm(
                    holds=holds,
                    sessions=sessions,
                    contact=contact,
                    site="https://soe.example.com",
                    can_sign_in=False,
                ),
                sign_in=None,
                observer=observer,
            ),
            clock=clock,
            contact=contact,
            anonymous="allow",
            identifier=identifier,
        ),
    )
    return Rig(app, audit, clock, directory, log, soe.received, soe.answers)
