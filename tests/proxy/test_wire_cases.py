"""The catalogue of attacks beside the checkout: what must be refused never reaches the app whole."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from gateway.proxy.server import ServerLimits
from tests.patience import PATIENCE
from tests.proxy.wire import Client, Recorder, serving
from tests.shared import shared

BRIEF = ServerLimits(
    head_seconds=0.2, body_pause=0.2, idle_seconds=0.2, linger_seconds=0.05, body_seconds=0.4
)
AT_ONCE = 8


def cases(*families: str) -> list[dict[str, Any]]:
    """The cases of some families that can be told within a moment."""
    lines = shared("security", "cases.jsonl").read_text().splitlines()
    every = map(json.loads, lines)
    return [case for case in every if case["family"] in families and "many" not in case]


def packets(raw: str) -> list[bytes]:
    """Fill in a case's placeholders."""
    raw = raw.replace("{HOST}", "127.0.0.1:8080").replace("{AUTH}", "").replace("{UP}", "a:1")
    raw = re.sub(r"\{REPEAT\|(.{1,2}?)\|(\d+)\}", lambda m: m[1] * int(m[2]), raw, flags=re.DOTALL)
    if "{HEXLEN}" in raw:
        chunk = raw.partition("{HEXLEN}\r\n")[2].removesuffix("\r\n0\r\n\r\n")
        raw = raw.replace("{HEXLEN}", f"{len(chunk):x}")
    if "{CL}" in raw:
        body = raw.partition("\r\n\r\n")[2].replace("{PAUSE}", "")
        raw = raw.replace("{CL}", str(len(body)), 1)
    return raw.encode("latin-1").split(b"{PAUSE}")


async def send(case: dict[str, Any], client: Client) -> None:
    """Send a case, packet by packet."""
    for packet in packets(case["raw"]):
        await client.send(packet)
        await asyncio.sleep(0.01)


async def fire(case: dict[str, Any], turn: asyncio.Semaphore) -> tuple[Recorder, bytes]:
    """Send a case to a server of its own, until that closes."""
    async with turn, serving(limits=BRIEF) as server, server.connect() as client:
        await send(case, client)
        read = await client.rest()
        return server.app, read


async def deliver(case: dict[str, Any], turn: asyncio.Semaphore) -> Recorder:
    """Send a case to a server of its own, until its app has it."""
    async with turn, serving() as server, server.connect() as client:
        await send(case, client)
        await asyncio.wait_for(server.app.arrived.wait(), PATIENCE)
        app: Recorder = server.app
        return app


async def test_what_must_be_refused_never_reaches_the_app_whole() -> None:
    """Every case that has no other lawful end is refused, or closed, on the wire."""
    turn = asyncio.Semaphore(AT_ONCE)
    wrong = [
        case
        for case in cases("smuggling", "dos", "header", "method")
        if case["expected"] == "rejected-400" and not case.get("alt")
    ]
    assert len(wrong) > 60

    ends = await asyncio.gather(*(fire(case, turn) for case in wrong))
    reached = [case["id"] for case, (app, _) in zip(wrong, ends, strict=True) if app.seen]
    answered = [
        case["id"] for case, (_, read) in zip(wrong, ends, strict=True) if b"HTTP/1.1 200" in read
    ]
    assert (reached, answered) == ([], [])


async def test_lawful_requests_reach_the_app_unchanged() -> None:
    """Every control case that may not be refused arrives with its target and its body."""
    turn = asyncio.Semaphore(AT_ONCE)
    lawful = [case for case in cases("control") if "rejected-400" not in case.get("alt", ())]
    assert len(lawful) > 20

    apps = await asyncio.gather(*(deliver(case, turn) for case in lawful))
    for case, app in zip(lawful, apps, strict=True):
        head, _, body = b"".join(packets(case["raw"])).partition(b"\r\n\r\n")
        seen = app.seen[0]
        assert seen.target == head.split(b" ")[1], case["id"]
        if b"chunked" not in head and not case.get("responses"):
            assert seen.body == body, case["id"]
