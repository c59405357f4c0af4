"""Repeated requests: one post, and SOE's one answer for all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.model import Reply, Settlement
from gateway.proxy.exchange import Response
from gateway.seal import Seal
from gateway.state.memory import MemoryStore
from tests.proxy.rig import BROKEN, NOT_FOUND, OK, Broken, Rig, Scripted, build

KEY = ((b"idempotency-key", b"k-1"),)
THROTTLED = b"HTTP/1.1 429 Slow\r\nretry-after: 9\r\ncontent-length: 2\r\n\r\n{}"
V2_OK = b'HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n{"items": [{"question_id": 42}]} '
MOVED = b"HTTP/1.1 302 Log in\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n"
V2 = b"/api/2.3/questions/add"


def code(body: bytes) -> str:
    """The code of a refusal."""
    return str(json.loads(body)["code"])


def violations(body: bytes) -> list[dict[str, str]]:
    """All that a refusal tells."""
    told: list[dict[str, str]] = json.loads(body).get("violations", [])
    return told


@pytest.mark.parametrize(("answer", "status"), [(OK, 201), (NOT_FOUND, 404)])
async def test_a_repeat_under_its_key_gets_the_stored_answer(
    rig: Rig, answer: bytes, status: int
) -> None:
    """Byte for byte, marked as a replay; SOE is asked once, and both are on record."""
    rig.answers.append(answer)
    first = await rig.send(fields=KEY)
    again = await rig.send(fields=KEY)

    assert (first[0], again[0], first[2]) == (status, status, again[2])
    assert (first[1].get(b"idempotent-replayed"), again[1][b"idempotent-replayed"]) == (
        None,
        b"true",
    )
    assert first[1][b"gateway-decision"] != again[1][b"gateway-decision"]
    assert len(rig.received) == 1
    decisions = rig.records("decision")
    assert [each["effect"] for each in decisions] == ["allow", "replay"]
    assert decisions[1]["repeats"] == decisions[0]["write_id"]
    assert len(rig.records("outcome")) == 1


async def test_a_replay_does_not_ask_for_a_fresh_act(rig: Rig) -> None:
    """What it repeats was judged when it passed; a repeat must not be told that nothing is there."""
    await rig.send(fields=KEY)
    again, _, _ = await rig.send(fields=KEY, act=False)

    assert again == 201


async def test_another_request_under_the_key_is_a_mistake(rig: Rig) -> None:
    """422, whatever became of the first, and nothing goes out."""
    await rig.send(fields=KEY)
    status, fields, body = await rig.send(fields=KEY, title="Quite another question")

    assert (status, code(body)) == (422, "idempotency_mismatch")
    assert b"retry-after" not in fields
    assert len(rig.received) == 1


async def test_a_repeat_in_flight_waits(tmp_path: Path, rig: Rig) -> None:
    """409 with Retry-After; when the first is done, it gets the same answer."""
    answers = await asyncio.gather(rig.send(fields=KEY), rig.send(fields=KEY))
    later, _, _ = await rig.send(fields=KEY)

    assert sorted(each[0] for each in answers) == [201, 409]
    refused = next(each for each in answers if each[0] == 409)
    assert (code(refused[2]), refused[1][b"retry-after"]) == ("request_in_flight", b"2")
    assert later == 201
    assert len(rig.received) == 1


@pytest.mark.parametrize("answer", [BROKEN, None, THROTTLED, MOVED])
async def test_what_is_not_final_is_not_replayed(rig: Rig, answer: bytes | None) -> None:
    """The same request may go out once more, under the same key."""
    rig.answers.append(answer)
    await rig.send(fields=KEY)
    again, fields, _ = await rig.send(fields=KEY)

    assert (again, b"idempotent-replayed" in fields) == (201, False)
    assert len(rig.received) == 2


async def test_a_refusal_of_the_gateway_is_not_replayed(rig: Rig) -> None:
    """The key stays free for a request that is put right."""
    refused, _, _ = await rig.send(fields=KEY, act=False)
    passed, fields, _ = await rig.send(fields=KEY)

    assert (refused, passed, b"idempotent-replayed" in fields) == (403, 201, False)


async def test_another_caller_has_other_keys(rig: Rig) -> None:
    """Keys are of an integration and its token: the other's request is judged by the rules."""
    await rig.send(fields=KEY)
    status, _, body = await rig.send(fields=KEY, token=b"another", title="Quite another question")

    assert (status, code(body)) == (429, "rate_cap")


@pytest.mark.parametrize("in_head", [False, True])
async def test_a_request_id_of_v23_is_a_key(rig: Rig, in_head: bool) -> None:
    """It is SOE's own name for it; the header may say the same, not something else."""
    form = {
        "title": "How do I rotate it?",
        "body": "It runs out.",
        "tags": "keys",
        "request_id": "k-1",
    }
    rig.answers += [V2_OK, V2_OK]
    fields = KEY if in_head else ()
    statuses = [(await rig.send(target=V2, form=form, fields=fields))[0] for _ in range(2)]
    other = await rig.send(target=V2, form=form | {"body": "Another."}, fields=fields)
    both = await rig.send(target=V2, form=form, fields=((b"idempotency-key", b"k-2"),))

    assert statuses == [200, 200]
    assert (other[0], json.loads(other[2])["error_id"], code(other[2])) == (
        400, 409, "idempotency_mismatch"
    )  # fmt: skip
    assert (both[0], code(both[2])) == (400, "ambiguous_key")
    assert len(rig.received) == 1


@pytest.mark.parametrize("error_id", [401, 402, 403, 405, 406, 502])
async def test_what_v23_says_of_rights_and_throttles_is_not_final(rig: Rig, error_id: int) -> None:
    """It says so by `error_id` alone, under 400; v3 by a status, to which no key is bound either."""
    refused = b'HTTP/1.1 400 Bad\r\ncontent-length: 17\r\n\r\n{"error_id": %d}' % error_id
    form = {
        "title": "How do I rotate it?",
        "body": "It runs out.",
        "tags": "keys",
        "request_id": "k-1",
    }
    rig.answers += [refused, V2_OK]
    statuses = [(await rig.send(target=V2, form=form))[0] for _ in range(2)]

    assert statuses == [400, 200]


async def test_votes_have_no_keys(rig: Rig) -> None:
    """Only what publishes text is kept: the second vote is judged like any other write."""
    target = b"/api/v3/questions/1/upvote"
    first, _, _ = await rig.send(target=target, fields=KEY, bodiless=True)
    second, _, body = await rig.send(target=target, fields=KEY, bodiless=True)

    assert (first, second, code(body)) == (201, 429, "rate_cap")


@pytest.mark.parametrize("noticed", [True, False])
async def test_the_answer_that_a_client_lost_is_kept_for_it(rig: Rig, noticed: bool) -> None:
    """The same bytes within ten minutes get it, though a copy would be refused; then it has it."""
    rig.leaves, rig.noticed = True, noticed
    await rig.send()
    await rig.send()
    rig.leaves = False
    rig.clock.at += 599
    again, fields, body = await rig.send()
    later, _, refusal = await rig.send()

    assert (again, fields[b"idempotent-replayed"], body) == (201, b"true", b'{"id": 42}')
    assert (later, code(refusal)) == (400, "duplicate")
    assert len(rig.received) == 1


class Watched(MemoryStore):
    """State that lets a test do something around each settling, and counts what it is told apart."""

    def __init__(self, *around: Callable[[], Awaitable[None]]) -> None:
        super().__init__(86_400.0)
        self.around = list(around)
        self.kept_apart = 0

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """Settle between the two."""
        before, after = self.around or (nothing, nothing)
        self.around = []
        await before()
        await super().settle(write_id, settlement)
        await after()

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """Count it."""
        self.kept_apart += 1


async def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize("fields", [(), KEY])
async def test_a_client_that_gave_up_never_hears_of_its_own_post_as_a_copy(
    rig: Rig, fields: tuple[tuple[bytes, bytes], ...]
) -> None:
    """It repeats before its write is settled and at that moment: it waits, then has its answer."""
    heard: list[tuple[int, bytes]] = []

    async def repeats() -> None:
        rig.leaves = False
        status, _, body = await rig.send(fields=fields)
        heard.append((status, body))
        rig.leaves = True

    store = Watched(repeats, repeats)
    object.__setattr__(rig.app.pipeline, "store", store)
    rig.leaves = True
    await rig.send(fields=fields)

    (waits, told), (answered, body) = heard
    codes = {json.loads(told)["code"], *(each["code"] for each in violations(told))}
    assert waits in (409, 429)
    assert codes & {"request_in_flight", "duplicate_in_flight"}
    assert "duplicate" not in codes
    assert (answered, body) == (201, b'{"id": 42}')
    assert store.kept_apart == 0
    assert len(rig.received) == 1


async def test_a_client_that_has_its_answer_gets_no_replay(rig: Rig) -> None:
    """A second copy is a copy."""
    await rig.send()
    rig.clock.at += 61
    status, _, body = await rig.send()

    assert (status, code(body)) == (400, "duplicate")


async def test_a_key_that_cannot_be_looked_up_refuses(tmp_path: Path) -> None:
    """The post may be there already: also where no rule asks state."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    rig = build(tmp_path, server.sockets[0].getsockname()[1], Broken(), soe)
    target = b"/api/v3/questions/1/answers"
    for path in (tmp_path / "policies").iterdir():
        path.write_text(
            "policy: t\nowner: t\nrules:\n"
            "  acted: {title: A, mode: enforce, for: ['*'], explicit_action: {evidence: literal}}\n"
        )
    await rig.app.policies.reload()
    keyless, _, _ = await rig.send(target=target)
    keyed, _, body = await rig.send(target=target, fields=KEY)
    await rig.audit.close()
    server.close()

    assert (keyless, keyed, code(body)) == (201, 503, "state_unavailable")
    assert len(soe.received) == 1


async def test_an_answer_sealed_with_another_key_is_told_as_not_kept(rig: Rig) -> None:
    """It was written, so it is not written again."""
    await rig.send(fields=KEY)
    object.__setattr__(rig.app.pipeline, "seal", Seal(b"b" * 32))
    status, _, body = await rig.send(fields=KEY)

    assert (status, code(body)) == (409, "answer_not_kept")
    assert len(rig.received) == 1


async def test_nothing_that_is_kept_shows_a_text(rig: Rig) -> None:
    """SOE's answer repeats the post: state holds it sealed."""
    body = b'{"id": 42, "body": "It runs out soon."}'
    rig.answers.append(b"HTTP/1.1 201 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    await rig.send(fields=KEY)
    store = rig.app.pipeline.store
    kept = repr(vars(store)) + repr(list(vars(vars(store)["_keyed"])["_kept"].values()))

    assert "runs out" not in kept


async def test_neither_keys_nor_texts_show_in_a_repr(rig: Rig) -> None:
    """Whatever is logged of a bug must not tell them."""
    reply = Reply(201, (), b"It runs out soon.")
    shown = repr((rig.app.pipeline, rig.app.passthrough, reply, Response.of(reply)))

    assert not [each for each in ("a" * 32, "s" * 32, "runs out") if each in shown]


@pytest.mark.parametrize(("size", "status"), [(65_536, 201), (65_537, 409)])
async def test_answers_of_up_to_64_kib_are_kept(rig: Rig, size: int, status: int) -> None:
    """However the bytes of a longer one arrive."""
    body = b'{"id": 42}'.ljust(size)
    rig.answers.append(b"HTTP/1.1 201 OK\r\ncontent-length: %d\r\n\r\n%s" % (size, body))
    await rig.send(fields=KEY)
    again, _, _ = await rig.send(fields=KEY)

    assert again == status
