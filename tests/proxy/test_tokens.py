"""Tokens that the gateway saw being minted: their callers are known, on every replica."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.registry import Registry, digest
from gateway.proxy import tokens as module
from gateway.proxy.tokens import IMPERSONATION, Minted, Tokens
from gateway.state.memory import MemoryStore
from tests.proxy.rig import NOT_FOUND, Broken, Quiet, Rig, Scripted, Ticking, build

KEY, SERVICE = b"sgw_key-of-another", "service-token"
REGISTERED = f"""\
integrations:
  web-app:
    owner: o
    contact: c
    purpose: p
    oauth_clients: ["7"]
  service-bot:
    owner: o
    contact: c
    purpose: p
    tokens: ["sha256:{digest(SERVICE.encode())}"]
  other-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(KEY)}"]}}
"""
RULES = """\
policy: p
owner: o
rules:
  cap: {title: t, mode: warn, for: ["*"], rate_cap: {limit: 1, window: 1m, per: [token]}}
  acted: {title: t, mode: enforce, for: [question.create], explicit_action: {evidence: literal}}
"""
CODE = {
    "client_id": "7",
    "client_secret": "the-secret",
    "code": "the-code",
    "redirect_uri": "https://a/",
}
EXCHANGE = b"/oauth/access_token/json"
IMPERSONATE = b"/api/2.3/access-tokens/exchange"


def answer(document: object, *fields: bytes, body: bytes | None = None) -> bytes:
    """SOE's answer of a document, or of these bytes."""
    body = json.dumps(document).encode() if body is None else body
    length = b"content-length: %d" % len(body)
    lines = (b"HTTP/1.1 200 OK", length, b"connection: close", *fields, b"", b"")
    return b"\r\n".join(lines) + body


def minted(*tokens: str, parent: str = SERVICE, ends: float = Ticking.at + 3600) -> bytes:
    """SOE's answer to an impersonation, compressed as always."""
    items = [{"access_token": each, "original_access_token": parent, "expires_on_date": int(ends)} for each in tokens]  # fmt: skip
    body = gzip.compress(json.dumps({"items": items, "has_more": False}).encode())
    return answer(None, b"content-encoding: gzip", body=body)


class Gateways:
    """Several gateways over one state, before one SOE; writers must be registered."""

    def __init__(self, directory: Path, port: int, soe: Scripted) -> None:
        self.store = MemoryStore(90 * 86_400.0)
        self._directory, self._port, self._soe = directory, port, soe
        self._made = 0
        self.clock = Ticking()

    async def another(self, *, anonymous: str = "refuse") -> Rig:
        """Give one more replica."""
        self._made += 1
        directory = self._directory / str(self._made)
        directory.mkdir()
        rig = build(directory, self._port, self.store, self._soe)
        (directory / "policies" / "integrations.yaml").write_text(REGISTERED)
        (directory / "policies" / "tests.yaml").write_text(RULES)
        await rig.app.policies.reload()
        rig.app = replace(rig.app, pipeline=replace(rig.app.pipeline, anonymous=anonymous))
        return rig


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncIterator[Gateways]:
    """A place for replicas."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    yield Gateways(tmp_path, server.sockets[0].getsockname()[1], soe)
    server.close()


async def exchanged(rig: Rig, reply: bytes, target: bytes = EXCHANGE, **more: Any) -> int:
    """Exchange a code for a token."""
    rig.answers.append(reply)
    status, _, _ = await rig.send(target=target, form=CODE | more, token=None)
    return status


async def caller(rig: Rig, token: str) -> object:
    """Whom a write with a token is of, or the code that refuses it."""
    status, _, body = await rig.send(token=token.encode(), title=f"What of {token}?")
    return rig.records("decision")[-1]["integration"] if status < 400 else json.loads(body)["code"]


# ── a code for a token ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "reply"),
    [
        (EXCHANGE, answer({"access_token": "minted", "expires": 3600})),
        (b"/oauth/access_token", answer(None, body=b"access_token=minted&expires=3600")),
        (EXCHANGE, answer({"access_token": "minted"})),
    ],
    ids=["JSON", "a form", "without an end"],
)
async def test_who_exchanged_a_code_is_known_by_the_token(
    gateways: Gateways, target: bytes, reply: bytes
) -> None:
    """The client's id admits to the exchange alone; its token then names it on all replicas."""
    one, other = await gateways.another(), await gateways.another()
    before = await caller(one, "minted-by-nobody")
    status = await exchanged(one, reply, target)

    assert before == "unregistered_caller"
    assert status == 200
    assert one.records("decision")[0]["integration"] == "web-app"
    assert await caller(one, "minted") == "web-app"
    assert await caller(other, "minted") == "web-app"


async def test_the_fields_of_an_exchange_may_stand_in_the_query(gateways: Gateways) -> None:
    """As the vendor's own clients send them."""
    rig = await gateways.another()
    rig.answers.append(answer({"access_token": "minted", "expires": "3600"}))
    query = b"?client_id=7&client_secret=the-secret&code=the-code&redirect_uri=https%3A%2F%2Fa%2F"
    await rig.send(target=EXCHANGE + query, form={}, token=None)

    assert await caller(rig, "minted") == "web-app"


async def test_a_client_that_nobody_registered_exchanges_nothing(gateways: Gateways) -> None:
    """It is told whom to ask; another integration's key beside a client's id is a contradiction."""
    rig = await gateways.another()
    unknown = await rig.send(target=EXCHANGE, form=CODE | {"client_id": "8"}, token=None)
    fields = ((b"x-gateway-key", KEY),)
    both = await rig.send(target=EXCHANGE, form=CODE, token=None, fields=fields)

    assert [status for status, _, _ in (unknown, both)] == [401, 400]
    assert json.loads(unknown[2])["code"] == "unknown_caller"
    assert json.loads(both[2])["code"] == "ambiguous_credentials"
    assert all("team@example.com" in json.loads(each[2])["detail"] for each in (unknown, both))
    assert rig.received == []


@pytest.mark.parametrize(
    "reply",
    [
        NOT_FOUND,
        answer({"error": {"message": "no"}}),
        answer([]),
        answer({"access_token": 7}),
        answer(None, body=b"\xff\0"),
        answer(None, body=b""),
    ],
)
async def test_what_is_no_token_teaches_nothing(gateways: Gateways, reply: bytes) -> None:
    """SOE refused, or said something else: the client gets that, and nobody is known by it."""
    rig = await gateways.another()
    await exchanged(rig, reply)

    assert await gateways.store.notes.names("token/", 10, Ticking.at) == []


async def test_a_token_is_known_until_it_ends(gateways: Gateways) -> None:
    """And for ninety days at most, where it has no end."""
    rig = await gateways.another()
    await exchanged(rig, answer({"access_token": "short", "expires": 3600}))
    await exchanged(rig, answer({"access_token": "long"}), code="c1")
    rig.clock.at += 3599
    assert await caller(rig, "short") == "web-app"
    rig.clock.at += 61
    assert await caller(rig, "short") == "unregistered_caller"
    rig.clock.at += 89 * 86_400
    assert await caller(rig, "long") == "web-app"
    rig.clock.at += 86_400
    assert await caller(rig, "long") == "unregistered_caller"


async def test_a_key_of_another_contradicts_what_was_learned(gateways: Gateways) -> None:
    """As it contradicts a token that is registered."""
    rig = await gateways.another()
    await exchanged(rig, answer({"access_token": "minted", "expires": 3600}))
    status, _, body = await rig.send(token=b"minted", fields=((b"x-gateway-key", KEY),))

    assert (status, json.loads(body)["code"]) == (400, "ambiguous_credentials")


# ── a token for another ──────────────────────────────────────────────────────────────────────


async def impersonated(rig: Rig, reply: bytes, parents: str = SERVICE) -> int:
    """Exchange a token for another, as clients do: with the parent, and nothing else."""
    rig.answers.append(reply)
    form = {"access_tokens": parents, "exchange_type": "impersonate", "account_id": "2"}
    status, _, _ = await rig.send(target=IMPERSONATE, form=form, token=None)
    return status


async def test_a_token_that_was_exchanged_counts_as_its_parent(gateways: Gateways) -> None:
    """Integration, token of the record and caps are the parent's, on every replica."""
    one, other = await gateways.another(), await gateways.another()
    assert await caller(one, SERVICE) == "service-bot"
    assert await impersonated(one, minted("Child-A", "Child-B")) == 200
    known = [await caller(rig, each) for rig in (one, other) for each in ("Child-A", "Child-B")]

    records = [*one.records("decision"), *other.records("decision")]
    assert known == ["service-bot"] * 4
    assert len({each["token"] for each in records}) == 1
    caps = [f["result"] for each in records for f in each["findings"] if f["rule"] == "cap"]
    assert caps == ["pass"] + ["fail"] * 5


async def test_the_same_bytes_by_two_children_are_two_requests(gateways: Gateways) -> None:
    """Else one person's vote would be taken for the other's, sent again."""
    rig = await gateways.another()
    await impersonated(rig, minted("child-a", "child-b"))
    for token in (b"child-a", b"child-b"):
        await rig.send(token=token, target=b"/api/v3/questions/1/upvote", bodiless=True)

    first, second = rig.records("decision")[-2:]
    assert first["token"] == second["token"]
    assert first["digest"] != second["digest"]


async def test_parents_that_nobody_registered_tie_as_well(gateways: Gateways) -> None:
    """Where anybody may write: the children count as one, and the record names what to register."""
    rig = await gateways.another(anonymous="allow")
    await impersonated(rig, minted("child", parent="stray"), "stray")
    await impersonated(rig, minted("grandchild", parent="child"), "child")
    for token in ("stray", "child", "grandchild"):
        assert await caller(rig, token) == "anonymous"

    records = rig.records("decision")
    assert len({each["token"] for each in records}) == 1
    assert {each["credential"] for each in records} == {f"sha256:{digest(b'stray')}"}


async def test_tokens_of_two_integrations_are_not_exchanged_together(gateways: Gateways) -> None:
    """Nor more of them than SOE takes."""
    rig = await gateways.another()
    await exchanged(rig, answer({"access_token": "minted", "expires": 3600}))
    two = await rig.send(
        target=IMPERSONATE, form={"access_tokens": f"{SERVICE};minted"}, token=None
    )
    many = await rig.send(target=IMPERSONATE, form={"access_tokens": "t;" * 21}, token=None)

    assert [json.loads(each[2])["code"] for each in (two, many)] == [
        "ambiguous_credentials",
        "too_many_tokens",
    ]


async def test_what_parents_lose_their_children_lose(gateways: Gateways) -> None:
    """When a token is no longer registered, those that were exchanged for it name nobody either."""
    rig = await gateways.another()
    await impersonated(rig, minted("child"))
    assert await caller(rig, "child") == "service-bot"
    path = rig.directory.parent / "policies" / "integrations.yaml"
    path.write_text(REGISTERED.replace(digest(SERVICE.encode()), "0" * 64))
    await rig.app.policies.reload()

    assert await caller(rig, "child") == "unregistered_caller"


@pytest.mark.parametrize(
    "path",
    [
        b"/api/2.3/access-tokens/Minted/invalidate",
        b"/API/2.3/Access-Tokens/Other;Minted/invalidate/",
        b"/api/2.3/apps/%4Dinted/de-authenticate",
    ],
)
async def test_a_token_that_is_ended_is_forgotten(gateways: Gateways, path: bytes) -> None:
    """As its path has it: letter case means something there."""
    rig = await gateways.another()
    await exchanged(rig, answer({"access_token": "Minted", "expires": 3600}))
    rig.answers.append(answer({"items": []}))
    status, _, _ = await rig.send(method="GET", target=path, token=b"Minted")

    assert status == 200
    assert await caller(rig, "Minted") == "unregistered_caller"


# ── what it costs, and what it must not ──────────────────────────────────────────────────────


class Counting:
    """Notes that count how often they are asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._notes = store.notes
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._notes, name)

    async def get(self, name: str, at: float) -> bytes | None:
        self.asked += 1
        return await self._notes.get(name, at)


async def test_state_is_asked_once_a_minute_and_only_where_it_could_know(
    gateways: Gateways,
) -> None:
    """Not for registered tokens, nor for reads that anybody may do, nor again within a minute."""
    rig = await gateways.another()
    counting = Counting(gateways.store)
    gateways.store.notes = counting  # type: ignore[assignment]  # all that is asked here
    await caller(rig, SERVICE)
    await rig.send(token=b"stray", method="GET")
    assert counting.asked == 0
    for _ in range(3):
        await caller(rig, "stray")
    assert counting.asked == 1
    rig.clock.at += 61
    await caller(rig, "stray")
    assert counting.asked == 2
    (rig.directory.parent / "policies" / "integrations.yaml").write_text(
        "integrations: {a: {owner: o, contact: c, purpose: p, operations: ['question.*']}}\n"
    )
    await rig.app.policies.reload()
    await caller(rig, "another-stray")
    assert counting.asked == 2


async def test_state_that_is_away_makes_a_token_unknown(gateways: Gateways) -> None:
    """A write is refused as of nobody, a read passes where reads may, and none is an error."""
    rig = await gateways.another()
    tokens = rig.app.pipeline.identifier.tokens
    assert tokens is not None
    tokens._store = Broken()
    await exchanged(rig, answer({"access_token": "minted", "expires": 3600}))
    tokens._cached.clear()
    write = await caller(rig, "minted")
    rig.answers.append(answer({}))
    read, _, _ = await rig.send(token=b"minted", method="GET")
    passthrough = replace(rig.app.passthrough, anonymous="refuse")
    rig.app = replace(rig.app, passthrough=passthrough)
    strict, _, _ = await rig.send(token=b"minted", method="GET")
    tokens._store = gateways.store

    assert (write, read, strict) == ("unregistered_caller", 200, 403)
    assert await caller(rig, "minted") == "unregistered_caller"  # it could not be written down
    assert {facts["call"] for event, facts in rig.log.events if event == "state.failed"} == {
        "notes"
    }


async def test_no_note_gives_a_token_back(gateways: Gateways) -> None:
    """Neither its name nor what it holds, nor that of a parent, nor a secret of the client."""
    rig = await gateways.another()
    await exchanged(rig, answer({"access_token": "minted-token", "expires": 3600}))
    await impersonated(rig, minted("child-token"))
    notes = gateways.store.notes
    names = await notes.names("", 10, Ticking.at)
    held = [await notes.get(name, Ticking.at) for name in names]

    assert len(names) == 2
    for secret in ("minted-token", "child-token", SERVICE, "the-secret", "the-code"):
        assert secret not in f"{names}{held}{rig.log.events}"


def of_nothing(at: Ticking) -> Tokens:
    """Tokens over a state of their own."""
    return Tokens(MemoryStore(86_400.0), at, Observer(Quiet(), Metrics()), b"s" * 32)


async def test_few_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones that were asked for last."""
    monkeypatch.setattr(module, "_CACHED_AT_MOST", 3)
    tokens = of_nothing(Ticking())
    for number in range(10):
        await tokens.of(str(number))

    assert len(tokens._cached) == 3


@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.just("t"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["items", "access_token", "original_access_token", "expires_on_date", "x"]),
        inner, max_size=4),
    max_leaves=12,
).map(lambda told: json.dumps(told).encode()))  # fmt: skip
async def test_any_answer_is_survived(told: bytes) -> None:
    """Whatever SOE says, learning raises nothing, and what is learned is a token of a parent."""
    tokens = of_nothing(Ticking())
    for operation in ("oauth.exchange", IMPERSONATION):
        fields = {"client_id": "7", "access_tokens": "t"}
        await tokens.learn(operation, b"/", fields, told, Registry())

    assert all(known is None or isinstance(known, Minted) for _, known in tokens._cached.values())
