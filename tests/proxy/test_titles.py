"""The gateway asks SOE what a thread is called: once, and with the token of who writes there."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.proxy import titles
from gateway.proxy.titles import SoeTitles
from gateway.proxy.upstream import Origin, Pool, Timeouts
from tests.patience import PATIENCE
from tests.proxy.rig import BROKEN, CUT, HANGS, NOT_FOUND, Scripted

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Asked:
    """What asks, and what SOE got and answers."""

    titles: SoeTitles
    soe: Scripted
    told: list[str] = field(default_factory=list)

    def answers(self, told: Any) -> None:
        body = json.dumps(told).encode()
        self.soe.answers.append(OK + b"content-length: %d\r\n\r\n" % len(body) + body)


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    """Before an SOE that answers what it is told."""
    monkeypatch.setattr(titles, "_SECONDS", PATIENCE)
    soe, told = Scripted(), list[str]()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    pool = Pool(origin, timeouts=Timeouts(first_byte=PATIENCE, total=PATIENCE))
    yield Asked(SoeTitles(upstream=pool, authority=origin.authority, tell=told.append), soe, told)
    await pool.aclose()
    server.close()


@pytest.mark.parametrize(
    ("team", "thread", "path"),
    [
        (None, "question/11", b"/api/v3/questions/11"),
        ("payments", "question/11", b"/api/v3/teams/payments/questions/11"),
        (None, "article/3", b"/api/v3/articles/3"),
    ],
)
async def test_a_title_is_asked_where_the_thread_stands(
    asked: Asked, team: str | None, thread: str, path: bytes
) -> None:
    """With the token of who writes there, so nobody learns what he may not read."""
    asked.answers({"title": "How?", "body": "Much more."})

    assert await asked.titles.title("secret-token", team, thread) == "How?"
    (sent,) = asked.soe.received
    assert sent.startswith(b"GET " + path + b" HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer secret-token\r\n" in sent
    assert asked.told == ["found"]


async def test_a_packed_answer_is_read(asked: Asked) -> None:
    """SOE may pack whatever it is asked."""
    body = gzip.compress(b'{"title": "How?"}')
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    asked.soe.answers.append(head + body)

    assert await asked.titles.title("t", None, "question/1") == "How?"


FAILING = {
    "not there": (NOT_FOUND, "nothing"),
    "broken": (BROKEN, "nothing"),
    "cut off": (CUT, "failed"),
    "closed": (None, "failed"),
    "no JSON": (OK + b"content-length: 3\r\n\r\n{x}", "nothing"),
    "no object": (OK + b"content-length: 2\r\n\r\n[]", "nothing"),
    "no text": (OK + b'content-length: 12\r\n\r\n{"title": 7}', "nothing"),
    "too long": (OK + b"content-length: 600000\r\n\r\n" + b" " * 600_000, "nothing"),
    "elsewhere": (
        b"HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n",
        "nothing",
    ),
}


@pytest.mark.parametrize(("answer", "told"), FAILING.values(), ids=FAILING)
async def test_what_cannot_be_found_out_is_not_known(
    asked: Asked, answer: bytes | None, told: str
) -> None:
    """However SOE fails; nothing is followed or tried again."""
    asked.soe.answers.append(answer)

    assert await asked.titles.title("t", None, "question/1") == ""
    assert len(asked.soe.received) == 1
    assert asked.told == [told]


async def test_a_slow_answer_is_not_waited_for(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The integration waits for its own."""
    monkeypatch.setattr(titles, "_SECONDS", 0.05)
    asked.soe.answers.append(HANGS)

    assert await asked.titles.title("t", None, "question/1") == ""
    assert asked.told == ["failed"]


@pytest.mark.parametrize(
    ("token", "thread"),
    [
        ("t", "post/11"),
        ("t", "question/new"),
        ("t", "question/1/../2"),
        ("t", "collection/1"),
        ("a\r\nx: y", "question/1"),
        ("tok\u00e9n", "question/1"),
    ],
)
async def test_what_has_no_title_is_not_asked_for(asked: Asked, token: str, thread: str) -> None:
    """A post whose thread nobody knows, what is none, and no byte of a token that is none."""
    assert await asked.titles.title(token, None, thread) == ""
    assert asked.soe.received == []
