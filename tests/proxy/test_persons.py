"""Who acts is asked for seldom, once at a time, and never waited for longer than is said."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.model import Api, Person
from gateway.proxy import persons
from gateway.proxy.persons import FOUND_SECONDS, NOBODY_SECONDS, SoePersons, pseudonym
from gateway.proxy.upstream import Origin, Pool
from tests.patience import PATIENCE
from tests.proxy.rig import Ticking

ADA = Person(id="1", name="Ada")
TELLS = b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"id": 1,"name":"Ada"}'
KNOWS_NOBODY = b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"


@dataclass
class Site:
    """SOE, which answers when it may."""

    answer: bytes | None = TELLS
    may: asyncio.Event = field(default_factory=asyncio.Event)
    heads: list[bytes] = field(default_factory=list)
    persons: SoePersons = field(init=False)
    clock: Ticking = field(default_factory=Ticking)
    told: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.may.wait()
                if self.answer is None:
                    break
                writer.write(self.answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOE has all the time that it needs."""
    monkeypatch.setattr(persons, "_ASKED_SECONDS", PATIENCE)


@asynccontextmanager
async def a_site(answer: bytes | None = TELLS, *, timeout: float = PATIENCE, waits: bool = False) -> AsyncIterator[Site]:  # fmt: skip  # noqa: ASYNC109
    """SOE with a pool before it; with `waits` it answers when the test says so."""
    site = Site(answer)
    if not waits:
        site.may.set()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    pool = Pool(Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1]))
    site.persons = SoePersons(
        upstream=pool,
        authority=b"soe.example.com",
        clock=site.clock,
        secret=b"s" * 32,
        timeout=timeout,
        tell=site.told.append,
    )
    yield site
    site.may.set()
    await site.persons.aclose()
    await pool.aclose()
    server.close()


async def test_a_token_is_asked_about_once_in_minutes() -> None:
    """Then anew, for tokens change hands."""
    async with a_site() as site:
        people = [await site.persons.of("t", Api.V3, None) for _ in range(3)]
        site.clock.at += FOUND_SECONDS
        people.append(await site.persons.of("t", Api.V3, None))

        assert people == [ADA] * 4
        assert len(site.heads) == 2
        assert site.told == ["found", "found"]


async def test_nothing_of_the_caller_but_its_token_is_sent() -> None:
    """No header, key or address of the caller is part of it."""
    async with a_site() as site:
        await site.persons.of("t", Api.V3, "red")

        lines = site.heads[0].split(b"\r\n")
        assert lines[0] == b"GET /api/v3/teams/red/users/me HTTP/1.1"
        assert sorted(line.partition(b":")[0] for line in lines[1:] if line) == [
            b"accept",
            b"authorization",
            b"host",
            b"user-agent",
        ]


async def test_an_answer_may_be_compressed_within_bounds() -> None:
    """v2.3 does that whether it is asked or not; a bomb says nothing."""
    told = b'{"items": [{"user_id": 1, "display_name": "Ada"}]}'
    for body, person in ((told, ADA), (told[:-1] + b" " * 10**8 + b"}", None)):
        packed = gzip.compress(body)
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        async with a_site(head % len(packed) + packed) as site:
            assert await site.persons.of("t", Api.V2, None) == person


async def test_writes_at_once_share_one_question() -> None:
    """Of one token; another one is asked about beside it."""
    async with a_site(waits=True) as site:
        asking = [asyncio.ensure_future(site.persons.of("t", Api.V3, None)) for _ in range(9)]
        asking.append(asyncio.ensure_future(site.persons.of("other", Api.V3, None)))
        await asyncio.sleep(0)
        site.may.set()

        assert await asyncio.gather(*asking) == [ADA] * 10
        assert len(site.heads) == 2


async def test_who_waits_no_longer_leaves_the_answer_to_the_next() -> None:
    """The write goes on without; what comes late is kept."""
    async with a_site(timeout=0.01, waits=True) as site:
        late = await site.persons.of("t", Api.V3, None)
        asking = next(iter(site.persons._asking.values()))
        site.may.set()
        await asking
        then = await site.persons.of("t", Api.V3, None)

        assert (late, then) == (None, ADA)
        assert site.told == ["late", "found"]
        assert len(site.heads) == 1


@pytest.mark.parametrize(("answer", "how"), [(KNOWS_NOBODY, "nobody"), (None, "failed")])
async def test_that_nobody_was_found_is_known_for_a_while(answer: bytes | None, how: str) -> None:
    """A site that does not tell is not asked with every write."""
    async with a_site(answer) as site:
        assert await site.persons.of("t", Api.V3, None) is None
        assert await site.persons.of("t", Api.V3, None) is None
        assert site.told == [how]

        site.answer = TELLS
        site.clock.at += NOBODY_SECONDS
        assert await site.persons.of("t", Api.V3, None) == ADA


async def test_tokens_that_nobody_has_seen_take_no_more_than_their_share() -> None:
    """A flood of them leaves the connections to reads and writes."""
    async with a_site(waits=True) as site:
        asking = [
            asyncio.ensure_future(site.persons.of(f"t{number}", Api.V3, None))
            for number in range(40)
        ]
        await asyncio.sleep(0)
        site.may.set()
        people = await asyncio.gather(*asking)

        assert (people.count(ADA), people.count(None)) == (16, 24)
        assert site.told.count("busy") == 24


async def test_no_token_is_kept() -> None:
    """Not in what is found, nor in what the object shows of itself."""
    async with a_site() as site:
        await site.persons.of("a-very-secret-token", Api.V3, None)

        assert "secret-token" not in repr(site.persons)
        assert all(b"secret-token" not in key for key in site.persons._kept)


def test_a_pseudonym_is_one_persons_and_needs_the_key() -> None:
    """Names and addresses change; the number does not."""
    assert pseudonym(ADA, b"k") == pseudonym(Person(id="1", name="Countess"), b"k")
    assert pseudonym(ADA, b"k") != pseudonym(ADA, b"other")
    assert pseudonym(ADA, b"k") != pseudonym(Person(id="2", name="Ada"), b"k")
