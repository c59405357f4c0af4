"""Every exit of the way of a write: what SOE got, what is recorded, what is kept, what is said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import AuditError
from gateway.model import Mode, Reservation, Reserved
from gateway.ports import UpstreamResponse
from gateway.proxy import pipeline
from gateway.proxy.upstream import Pool
from gateway.state.memory import MemoryStore
from tests.patience import eventually
from tests.proxy.rig import BROKEN, CUT, HANGS, MOVED, NOT_FOUND, OK, Broken, Rig, Scripted, build

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


@pytest.mark.parametrize("answer", [HANGS, b"HTTP/1.1 201" + HANGS])
async def test_an_exchange_ends_before_its_hold_keeps_itself(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """Else the same request could go out beside it."""
    monkeypatch.setattr(pipeline, "_ENDED_WITHIN", 0.2)
    rig.answers.append(answer)
    told, _, _ = await rig.send()

    assert told == 504
    assert [each["outcome"] for each in rig.records("outcome")] == ["unknown"]


async def test_a_slow_body_leaves_the_outcome_of_its_head(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told at the same time, and the client gets what comes of the body."""
    read_ahead, given = pipeline._read_ahead, list[float]()

    async def soon(upstream: UpstreamResponse, ends: float) -> bytes:
        now = asyncio.get_running_loop().time()
        given.append(ends - now)
        return await read_ahead(upstream, now + 0.2)

    monkeypatch.setattr(pipeline, "_read_ahead", soon)
    rig.answers.append(CUT + HANGS)
    sending = asyncio.create_task(rig.send())
    await eventually(lambda: rig.directory.exists() and rig.records("outcome") != [])
    assert isinstance(rig.app.pipeline.upstream, Pool)
    await rig.app.pipeline.upstream.aclose()  # then the body is cut
    told, _, _ = await sending

    assert told == 201
    assert [each["outcome"] for each in rig.records("outcome")] == ["ok"]
    assert given[0] <= pipeline._ENDED_WITHIN


async def test_a_cap_counts_what_publishes_no_text_too(rig: Rig) -> None:
    """A vote takes its place, and gives it back where SOE refuses it."""
    target = b"/api/v3/questions/1/upvote"
    rig.answers.append(NOT_FOUND)
    statuses = [(await rig.send(target=target, bodiless=True))[0] for _ in range(3)]

    assert statuses == [404, 201, 429]


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


async def test_dry_runs_have_a_cap_of_their_own(rig: Rig) -> None:
    """So that nobody tries texts until one passes; a minute later there is room again."""
    dry = ((b"x-gateway-dry-run", b"true"),)
    statuses = [(await rig.send(fields=dry))[0] for _ in range(601)]
    other, _, _ = await rig.send(fields=dry, token=b"another-token")
    rig.clock.at += 61
    later, _, _ = await rig.send(fields=dry)
    real, _, _ = await rig.send()

    assert statuses == [200] * 600 + [429]
    assert (other, later, real) == (200, 200, 201)
    assert len(rig.received) == 1


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


class Confused(MemoryStore):
    """A store whose first answers are those of other questions."""

    confused = True

    async def reserve(self, reservation: Reservation) -> Reserved:
        reserved = await super().reserve(reservation)
        if not self.confused:
            return reserved
        self.confused = False
        answers = dict(zip(reserved.answers, [*reserved.answers.values()][::-1], strict=True))
        return replace(reserved, answers=answers)


async def test_a_write_is_judged_under_one_set_whatever_is_reloaded_meanwhile(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policies that change between its two judgements count for the next write."""
    before = rig.app.policies.current
    rules = tuple(replace(rule, mode=Mode.ENFORCE) for rule in before.rules)
    reserve = MemoryStore.reserve

    async def and_reload(self: MemoryStore, reservation: Reservation) -> Reserved:
        rig.app.policies.current = replace(before, revision="after", rules=rules)
        return await reserve(self, reservation)

    monkeypatch.setattr(MemoryStore, "reserve", and_reload)
    first, fields, _ = await rig.send(title="Rotate the key!")
    second, _, _ = await rig.send(title="Rotate the other key!")

    assert (first, fields[b"gateway-policy"].decode()) == (201, before.revision)
    assert second == 400
    assert [each["revision"] for each in rig.records("decision")] == [before.revision, "after"]


async def test_a_fault_after_a_reservation_holds_nothing(tmp_path: Path) -> None:
    """The next write finds the cap as it was, and no copy in flight."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    rig = build(tmp_path, server.sockets[0].getsockname()[1], Confused(90 * 86_400.0), soe)

    broken, _, _ = await rig.send()
    mended, _, _ = await rig.send()
    await rig.audit.close()
    server.close()

    assert (broken, mended) == (503, 201)
    assert len(rig.received) == 1
