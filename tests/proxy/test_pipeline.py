"""Every exit of the way of a write: what SOE got, what is recorded, what is kept, what is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.chain import Chain
from gateway.audit.sinks import FileSink
from gateway.audit.writer import AuditWriter
from gateway.errors import AuditError, StoreError
from gateway.model import Contact, Reservation, Reserved, Settlement
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.load import load
from gateway.ports import Store
from gateway.proxy.app import ProxyApp
from gateway.proxy.forward import Forwarding
from gateway.proxy.passthrough import Passthrough
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.reload import Policies
from gateway.proxy.upstream import Origin, Pool, Timeouts
from gateway.state.memory import MemoryStore

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

    async def peek(self, reservation: Reservation) -> Reserved:
        raise StoreError("away")

    async def close(self) -> None:
        pass


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

    async def send(
        self,
        *,
        title: str = "How do I rotate the signing key?",
        act: bool = True,
        target: bytes = b"/api/v3/questions",
        fields: tuple[tuple[bytes, bytes], ...] = (),
        method: str = "POST",
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Send a question; gives status, fields and body of the answer."""
        question = {"title": title, "body": "It runs out soon.", "tags": ["keys"]}
        body = json.dumps(question).encode() if method == "POST" else b""
        headers = [
            (b"host", b"gateway"),
            (b"authorization", b"Bearer secret-token"),
            (b"content-type", b"application/json"),
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
            told.append(message)

        scope = {
            "type": "http",
            "method": method,
            "raw_target": target,
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        await self.app(scope, receive, send)
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
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """The gateway, with state in memory and its audit log on disk."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rig = build(tmp_path, port, MemoryStore(86_400.0), soe)
    yield rig
    await rig.audit.close()
    server.close()


def build(tmp_path: Path, port: int, store: Store, soe: Scripted) -> Rig:
    """Put the parts together."""
    policies = tmp_path / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "tests.yaml").write_text(RULES)
    clock, log = Ticking(), Quiet()
    observer = Observer(log, Metrics())
    directory = tmp_path / "audit"
    audit = AuditWriter([FileSink(directory, "w")], Chain(b"k" * 32, "w"), clock)
    origin = Origin("http", "127.0.0.1", port)
    pool = Pool(origin, timeouts=Timeouts(first_byte=2, total=4))
    forwarding = Forwarding(authority=origin.authority, url=origin.url)
    contact = Contact(name="Team", email="team@example.com")
    ids = iter(f"{number:032x}" for number in range(1000))
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
            secret=b"s" * 32,
        ),
        passthrough=Passthrough(
            upstream=pool, forwarding=forwarding, anonymous="allow", secret=b"s" * 32
        ),
        observer=observer,
        contact=contact,
        new_id=lambda: next(ids),
    )
    return Rig(app, audit, clock, directory, log, soe.received, soe.answers)


EXITS = {
    "ok": (OK, 201, "ok", True),
    "refused by SOE": (NOT_FOUND, 404, "refused", False),
    "redirected": (MOVED, 307, "refused", False),
    "broken SOE": (BROKEN, 500, "failed", True),
    "no answer": (None, 504, "unknown", True),
}


@pytest.mark.parametrize(("answer", "status", "outcome", "kept"), EXITS.values(), ids=EXITS)
async def test_the_outcome_decides_what_is_kept(
    rig: Rig, answer: bytes | None, status: int, outcome: str, kept: bool
) -> None:
    """One request went out; its outcome is recorded once, and keeps or frees the cap's place."""
    rig.answers.append(answer)

    told, fields, _ = await rig.send()
    again, _, _ = await rig.send(title="Quite another question")

    assert told == status
    assert [each["outcome"] for each in rig.records("outcome")][:1] == [outcome]
    assert again == (429 if kept else 201)
    assert len(rig.received) == (1 if kept else 2)
    assert status == 504 or fields[b"gateway-policy"]


async def test_a_write_is_sent_as_it_came(rig: Rig) -> None:
    """Target and body are the client's, byte for byte; ours stay here."""
    await rig.send(target=b"/API/v3/Questions?", fields=((b"cookie", b"a=b"),))

    sent = rig.received[0]
    assert sent.startswith(b"POST /API/v3/Questions? HTTP/1.1\r\n")
    assert sent.endswith(b'{"title": "How do I rotate the signing key?", "body": "It runs out soon.", "tags": ["keys"]}')  # fmt: skip
    assert b"x-explicit-action" not in sent
    assert b"cookie" not in sent


async def test_a_refused_write_sends_nothing(rig: Rig) -> None:
    """Zero bytes upstream, one record, and all that is wrong with it."""
    status, fields, body = await rig.send(act=False)

    told = json.loads(body)
    assert status == 403
    assert rig.received == []
    assert [each["rule"] for each in told["violations"]] == ["acted"]
    assert told["contact"] == {"name": "Team", "email": "team@example.com"}
    assert fields[b"gateway-decision"].decode() == told["decision_id"]
    assert [each["effect"] for each in rig.records("decision")] == ["refuse"]
    assert rig.records("sending") == rig.records("outcome") == []


async def test_a_decision_is_on_the_disk_before_anything_is_sent(rig: Rig) -> None:
    """Decision, sending, outcome: in this order."""
    await rig.send()

    records = [each["kind"] for each in sorted(
        (*rig.records("decision"), *rig.records("sending"), *rig.records("outcome")),
        key=lambda each: each["seq"],
    )]  # fmt: skip
    assert records == ["decision", "sending", "outcome"]


async def test_an_answer_that_is_cut_is_an_accepted_write(rig: Rig) -> None:
    """The head said created; the client's connection is cut as SOE's was."""
    rig.answers.append(CUT)

    await rig.send()

    assert [each["outcome"] for each in rig.records("outcome")] == ["ok"]
    assert rig.log.events[-1][1]["code"] == "cut"


async def test_the_audit_log_away_means_no_write(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, nothing sent, and the place in the cap is free again."""
    sink = rig.audit._sinks[0]

    def fail(_: bytes) -> None:
        raise AuditError("disk full")

    monkeypatch.setattr(sink, "append", fail)
    status, fields, _ = await rig.send()
    monkeypatch.undo()
    later, _, _ = await rig.send()

    assert (status, later) == (503, 201)
    assert fields[b"retry-after"]
    assert len(rig.received) == 1


async def test_state_away_means_no_write_that_a_rule_asks_it_about(tmp_path: Path) -> None:
    """503 for the write; a read does not notice."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    rig = build(tmp_path, server.sockets[0].getsockname()[1], Broken(), soe)

    status, _, body = await rig.send()
    assert soe.received == []
    soe.answers.append(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    read, _, _ = await rig.send(method="GET", target=b"/api/v3/tags")

    assert status == 503
    assert json.loads(body)["code"] == "state_unavailable"
    assert read == 200
    await rig.audit.close()
    server.close()


async def test_soe_out_of_reach_means_not_sent(tmp_path: Path) -> None:
    """Nothing went out, so it is safe to come again."""
    server = await asyncio.start_server(Scripted().serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    rig = build(tmp_path, port, MemoryStore(86_400.0), Scripted())

    status, fields, _ = await rig.send()

    assert status == 503
    assert fields[b"retry-after"]
    assert [each["outcome"] for each in rig.records("outcome")] == ["not_sent"]
    await rig.audit.close()


async def test_after_an_unknown_outcome_the_same_request_may_come_again(rig: Rig) -> None:
    """The same bytes of the same caller replace the try of which nobody knows."""
    rig.answers.append(None)

    first, _, _ = await rig.send()
    again, _, _ = await rig.send()

    assert (first, again) == (504, 201)


async def test_a_dry_run_sends_and_charges_nothing(rig: Rig) -> None:
    """It says what would be decided, any number of times."""
    dry = ((b"x-gateway-dry-run", b"true"),)

    told = [json.loads((await rig.send(fields=dry))[2])["effect"] for _ in range(3)]
    status, _, _ = await rig.send()

    assert told == ["allow"] * 3
    assert status == 201
    assert len(rig.received) == 1


async def test_a_warning_rides_on_the_answer(rig: Rig) -> None:
    """What a rule in `warn` found is a header of the answer, and changes nothing else."""
    status, fields, _ = await rig.send(title="Rotate the key!")

    assert status == 201
    assert fields[b"gateway-warning"].startswith(b"shouting")


async def test_no_record_and_no_line_holds_a_secret_or_a_text(rig: Rig) -> None:
    """Neither the token nor what was written is in the audit log or the log."""
    await rig.send()
    await rig.send(title="Another question of mine")

    kept = "".join(path.read_text() for path in rig.directory.iterdir()) + str(rig.log.events)
    assert "secret-token" not in kept
    assert "rotate the signing" not in kept
    assert "runs out" not in kept
