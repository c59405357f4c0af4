"""The gateway holds an integration's SOE token: its key is all that the integration has."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from gateway.policy.load import load
from gateway.policy.registry import digest
from tests.proxy.rig import Rig

KEY, OTHERS = b"sgw_key-of-the-bot", b"sgw_key-of-another"
HELD = "the-token-that-the-gateway-holds"
QUESTION = {"title": "How do I rotate it?", "body": "It runs out.", "tags": "keys"}
TODAY = date(2026, 11, 24)
BOT = ((b"x-gateway-key", KEY),)


@pytest.fixture
async def holding(rig: Rig) -> Rig:
    """A gateway that holds a token, in a file beside its policies."""
    secrets = rig.directory.parent / "secrets"
    secrets.mkdir()
    (secrets / "bot").write_text(f"{HELD}\n")
    (rig.directory.parent / "policies" / "integrations.yaml").write_text(
        f"""\
integrations:
  key-bot:
    owner: o
    contact: c
    purpose: p
    keys: ["sha256:{digest(KEY)}"]
    tokens: ["sha256:{digest(b"its-old-token")}"]
    upstream_token: {{file: ../secrets/bot}}
  other-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(OTHERS)}"]}}
"""
    )
    rig.app.policies._load = lambda: load(
        rig.directory.parent / "policies", today=TODAY, secrets=True
    )
    await rig.app.policies.reload()
    return rig


async def test_a_write_by_key_goes_out_with_the_token_that_is_held(holding: Rig) -> None:
    """Byte for byte as it came, but for the token, which v3 takes as a bearer."""
    status, _, _ = await holding.send(fields=BOT, token=None)

    sent = holding.received[0]
    assert status == 201
    assert sent.count(b"authorization: Bearer " + HELD.encode()) == 1
    assert KEY not in sent
    assert holding.records("decision")[0]["integration"] == "key-bot"


async def test_v23_takes_it_in_a_field_of_its_own(holding: Rig) -> None:
    """Beside the key of the application, which stays the client's."""
    status, _, _ = await holding.send(
        target=b"/api/2.3/questions/add",
        fields=(*BOT, (b"x-api-key", b"application"), (b"x-api-access-token", b"")),
        form=QUESTION,
        token=None,
    )

    sent = holding.received[0]
    assert status == 201
    assert sent.count(b"access-token: ") == 1
    assert b"x-api-access-token: " + HELD.encode() in sent
    assert b"x-api-key: application" in sent
    assert sent.endswith(b"title=How+do+I+rotate+it%3F&body=It+runs+out.&tags=keys")


async def test_reads_go_out_with_it_as_well(holding: Rig) -> None:
    """Else the integration would need a token to read."""
    await holding.send(method="GET", fields=BOT, token=None)

    assert b"authorization: Bearer " + HELD.encode() in holding.received[0]


@pytest.mark.parametrize("where", ["head", "form", "read"])
async def test_a_token_beside_it_is_refused(holding: Rig, where: str) -> None:
    """Which of the two SOE would take is nothing to guess at; nothing is sent."""
    if where == "form":
        answer = await holding.send(
            target=b"/api/2.3/questions/add",
            fields=BOT,
            form={**QUESTION, "access_token": "mine"},
            token=None,
        )
    else:
        answer = await holding.send(fields=BOT, method="GET" if where == "read" else "POST")

    told = json.loads(answer[2])
    assert (answer[0], told["code"]) == (400, "ambiguous_credentials")
    assert "leave out yours" in (told.get("detail") or told["error_message"])
    assert told["contact"]["email"] == "team@example.com"
    assert holding.received == []


async def test_nobody_else_gets_it(holding: Rig) -> None:
    """Not by another key, nor by a token of the same integration: that one is sent as it is."""
    await holding.send(fields=((b"x-gateway-key", OTHERS),), token=None)
    await holding.send(token=b"its-old-token", title="Another question?")

    assert len(holding.received) == 2
    assert HELD.encode() not in b"".join(holding.received)
    assert b"authorization: Bearer its-old-token" in holding.received[1]


async def test_a_new_token_is_used_without_a_restart(holding: Rig) -> None:
    """The file is read again when policies are; the revision tells nothing of it."""
    policies = holding.app.policies
    before = policies.current.revision
    path = holding.directory.parent / "secrets" / "bot"
    path.write_text("another-token")
    assert await changed(holding)
    await policies.reload()
    assert not await changed(holding)
    await holding.send(fields=BOT, token=None)

    assert policies.current.revision == before
    assert b"authorization: Bearer another-token" in holding.received[0]


async def test_a_file_that_goes_leaves_the_last_token(holding: Rig) -> None:
    """The last good set stays, it is said once, and when the file is back it is taken."""
    path = holding.directory.parent / "secrets" / "bot"
    path.unlink()
    assert await changed(holding)
    await holding.app.policies.reload()
    gone = holding.log.events[-1]
    assert not await changed(holding)
    path.write_text("back-again")
    assert await changed(holding)
    await holding.app.policies.reload()
    await holding.send(fields=BOT, token=None)

    assert gone[0] == "policies.refused"
    assert "No such file" in str(gone[1])
    assert b"authorization: Bearer back-again" in holding.received[0]


async def changed(rig: Rig) -> bool:
    """Whether the watch would load the files again."""
    policies = rig.app.policies
    return policies._state() != policies._seen


async def test_the_token_is_told_nowhere(holding: Rig, tmp_path: Path) -> None:
    """Not in records, events, values that are printed, nor where a file is wrong."""
    await holding.send(fields=BOT, token=None)
    policies = holding.app.policies
    (tmp_path / "secrets" / "bot").write_text(f"{HELD} {HELD}\n")
    await policies.reload()
    read = load(tmp_path / "policies", today=TODAY)

    said = [repr(holding.log.events), repr(policies.current), repr(policies.current.registry.held)]
    said += [each.read_text() for each in holding.directory.iterdir()]
    assert [HELD in each for each in said] == [False] * len(said)
    assert "holds no token" in said[0]
    assert read.registry.held[0].secret == ""  # who only checks policies reads no secrets
