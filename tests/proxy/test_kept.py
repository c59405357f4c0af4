"""What state keeps of writes shows no text, no token and nobody's address to who reads it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.policy.load import load
from gateway.proxy.hold import Visitor
from gateway.state import Terms
from gateway.state.redis import RedisStore
from tests.patience import PATIENCE
from tests.proxy.rig import BROKEN, NOT_FOUND, Known, Rig, Scripted, build
from tests.servers import Valkey

RULES = """\
policy: tests
owner: tests
rules:
  acted: {title: T, mode: enforce, for: ["*"], explicit_action: {evidence: asserted}}
  few: {title: T, mode: enforce, for: ["*"], rate_cap: {limit: 99, window: 1m, per: [person, token]}}
  tries: {title: T, mode: warn, for: ["*"], rate_cap: {limit: 99, window: 1m, count: attempts}}
  no-copy: {title: T, mode: enforce, for: ["*"], duplicate: {similarity: 84%, within: 1d}}
  no-series: {title: T, mode: warn, for: [answer.create], boilerplate: {threads: 2, within: 1d}}
  one-token: {title: T, mode: observe, for: ["*"], shared_token: {within: 1d}}
  looked-at: {title: T, mode: hold, for: ["*"], if: {title: {contains: held}}}
"""
JANE = Visitor(email="jane-goodall@example.com", name="Jane Goodall")
PLACE = b"soe.example.com"
TOLD = [
    *(b"zanzibar", b"it runs out", b"reply-button", b"slack:C1/", b"goodall", b"of-jane-goodall"),
    b"my-repeat-key",
]
"""Words of titles, bodies, acts and answers; who acts and confirms; token and key. None is short: what is
sealed looks like chance."""


@pytest.fixture
async def over(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway over Valkey, with rules that ask all that state can answer."""
    valkey.ask("FLUSHALL")
    soe = Scripted()
    listening = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    store = RedisStore(valkey.url, Terms(keep=86_400.0, timeout=PATIENCE), stamped=True)
    rig = build(tmp_path, listening.sockets[0].getsockname()[1], store, soe)
    (tmp_path / "policies" / "tests.yaml").write_text(RULES)
    rig.app.policies.current = load(tmp_path / "policies", today=date(2026, 11, 24))
    yield replace(rig, app=replace(rig.app, pipeline=replace(rig.app.pipeline, persons=Known())))
    await rig.audit.close()
    await store.close()
    listening.close()


async def ask(rig: Rig, number: int, title: str, key: bytes = b"") -> tuple[int, bytes]:
    """Send a question as Jane, with an act of its own."""
    act = b'act="reply-button", by="jane-goodall@example.com", at=@%d, ref="slack:C1/%d"' % (
        rig.clock.at,
        number,
    )
    keyed = ((b"idempotency-key", key),) if key else ()
    fields = ((b"x-explicit-action", act), *keyed)
    status, _, body = await rig.send(
        title=title, act=False, token=b"of-jane-goodall", fields=fields
    )
    return status, body


def answered(number: int, title: str) -> bytes:
    """SOE's answer: the post, and where it stands."""
    url = f"https://{PLACE.decode()}/questions/{number}"
    told = {"id": number, "webUrl": url, "title": title, "body": "It runs out", "owner": JANE.name}
    body = json.dumps(told).encode()
    return b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def unpacked(kept: bytes) -> bytes:
    """All that is kept, and again what of it is only written otherwise: in base64, or compressed."""
    layers = [kept]
    for run in re.findall(rb"[A-Za-z0-9+/]{12,}", kept):
        layers += [base64.b64decode(run[at : at + (len(run) - at) // 4 * 4]) for at in range(4)]
    for layer in tuple(layers):
        for start in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", layer):
            with contextlib.suppress(zlib.error):
                layers.append(zlib.decompressobj().decompress(layer[start.start() :]))
    return b"\n".join(layers)


def shown(kept: bytes, word: bytes) -> bool:
    """Whether a word stands in what is kept, in any case, also in hex or UTF-16."""
    wide = word.decode().encode("utf-16-le")
    return any(each.lower() in kept.lower() for each in (word, wide, word.hex().encode()))


async def test_what_valkey_keeps_shows_no_text(over: Rig, valkey: Valkey) -> None:
    """Whatever became of a write: of all that is kept, only SOE's address of the post is plain."""
    title = "Zanzibar: how do I rotate its key?"
    over.answers += [
        answered(41, title),
        NOT_FOUND,
        BROKEN,
        answered(42, title),
        answered(43, title),
    ]
    statuses = [(await ask(over, 1, title, b"my-repeat-key"))[0] for _ in range(2)]
    for number in (3, 4):
        statuses.append((await ask(over, number, f"{title} Or Zanzibar {number * 'again '}?"))[0])
    statuses.append((await ask(over, 5, title))[0])
    held = [await ask(over, number, f"Held {title} {number * 'other words '}") for number in (6, 7)]
    hold = str(json.loads(held[0][1])["confirm_url"]).rpartition("/")[2]
    assert (await over.app.pipeline.confirming.holds.confirm(hold, JANE)).done
    statuses.append((await ask(over, 6, f"Held {title} {6 * 'other words '}"))[0])
    kept = unpacked(valkey.everything())

    assert statuses == [201, 201, 404, 500, 400, 201]
    assert [status for status, _ in held] == [403, 403]
    assert shown(kept, PLACE)
    assert [word for word in TOLD if shown(kept, word)] == []
