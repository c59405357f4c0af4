"""One call is one request; a response belongs to its request; how far it got is known."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme

from gateway.errors import UpstreamError
from gateway.model import Outcome
from gateway.proxy.transport import PoolTransport
from gateway.proxy.upstream import Origin, Pool, Timeouts

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HOST = ((b"host", b"soe"),)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def soe(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen, and run a script for each connection."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def pool(port: int, **more: float) -> Pool:
    """A pool with short deadlines."""
    timeouts = Timeouts(
        **({"connect": 1.0, "acquire": 0.2, "first_byte": 0.5, "total": 1.0} | more)
    )
    return Pool(Origin("http", "127.0.0.1", port), timeouts=timeouts, connections=2)


def answering(*answers: bytes, seen: list[bytes] | None = None) -> Script:
    """Answer request after request on one connection, then close it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return script


async def get(upstream: Pool, method: str = "GET") -> tuple[int, bytes]:
    """One request, read to its end."""
    response = await upstream.send(method, b"/a", HOST, None)
    body = b""
    while not response.complete:
        body += await response.read()
    return response.status, body


async def test_target_and_fields_go_out_as_given() -> None:
    """Not a byte is added, left out or spelled otherwise."""
    seen: list[bytes] = []
    async with soe(answering(OK, seen=seen)) as port:
        upstream = pool(port)
        await upstream.send(
            "PUT", b"/a%2f..;/%C3%a9?", (*HOST, (b"x", b"caf\xe9"), (b"x", b"2")), None
        )
        await upstream.aclose()

    assert seen == [b"PUT /a%2f..;/%C3%a9? HTTP/1.1\r\nhost: soe\r\nx: caf\xe9\r\nx: 2\r\n\r\n"]


async def test_a_connection_serves_one_request_after_the_other() -> None:
    """Keep-alive: two requests, one connection."""
    async with soe(answering(OK, OK)) as port:
        upstream = pool(port)

        assert [await get(upstream), await get(upstream)] == [(200, b"ok")] * 2
        assert upstream.open == 1
        await upstream.aclose()


POISON = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON"
SURPLUS = {
    "a second response": ("GET", OK + POISON, b"ok"),
    "a body with 304": ("GET", b"HTTP/1.1 304 No\r\n\r\n" + POISON, b""),
    "a body for HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n" + POISON, b""),
    "a body with 204": ("GET", b"HTTP/1.1 204 No\r\n\r\nxx", b""),
}


@pytest.mark.parametrize(("method", "answer", "body"), SURPLUS.values(), ids=SURPLUS)
@pytest.mark.parametrize("late", [False, True], ids=["same packet", "later packet"])
async def test_bytes_that_nobody_asked_for_reach_nobody(
    method: str, answer: bytes, body: bytes, late: bool
) -> None:
    """The connection is closed; the next request gets an answer of its own."""
    head, _, rest = answer.partition(POISON) if POISON in answer else (answer, b"", b"")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if b"x-next" in asked:
            writer.write(OK)
            await writer.drain()
            return
        writer.write(head if late else answer)
        await writer.drain()
        if late:
            await asyncio.sleep(0.02)
            writer.write(POISON + rest)
        await reader.read()

    async with soe(script) as port:
        upstream = pool(port)
        first = await get(upstream, method)
        await asyncio.sleep(0.05)
        response = await upstream.send("GET", b"/a", (*HOST, (b"x-next", b"1")), None)

        assert first[1] == body
        assert await response.read() == b"ok"
        await upstream.aclose()


BROKEN = {
    "garbage": (b"\0\1garbage\r\n\r\n", "malformed"),
    "switching": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nTUNNEL", "malformed"),
    "two framings": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc", "malformed"),
    "a long head": (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000, "malformed"),
    "nothing": (b"", "closed"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "code"), BROKEN.values(), ids=BROKEN)
async def test_what_is_no_response_is_an_unknown_outcome(answer: bytes, code: str) -> None:
    """The request was sent once, and nobody can tell what became of it."""
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()

    async with soe(script) as port:
        upstream = pool(port)
        with pytest.raises(UpstreamError) as caught:
            await get(upstream)
        await upstream.aclose()

    assert (caught.value.code, caught.value.outcome) == (code, Outcome.UNKNOWN)
    assert len(seen) == 1


async def test_interim_answers_are_passed_over() -> None:
    """103 comes first, then the real one."""
    early = b"HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n"
    async with soe(answering(early + OK)) as port:
        upstream = pool(port)

        assert await get(upstream) == (200, b"ok")
        await upstream.aclose()


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """HTTP/1.1 allows it; the connection is not used again."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        await writer.drain()

    async with soe(script) as port:
        upstream = pool(port)

        assert await get(upstream) == (200, b"all there is")
        await asyncio.sleep(0)
        assert upstream.open == 0


async def test_a_body_that_is_cut_is_told() -> None:
    """Less than its length is an error, not an end."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        await writer.drain()

    async with soe(script) as port:
        upstream = pool(port)
        with pytest.raises(UpstreamError) as caught:
            await get(upstream)

    assert caught.value.code == "cut"


async def test_slow_answers_meet_their_deadlines() -> None:
    """No head in time, and a body that drips for ever."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    codes = []
    for script in (silent, dripping):
        async with soe(script) as port:
            upstream = pool(port, first_byte=0.1, total=0.3)
            with pytest.raises(UpstreamError) as caught:
                await get(upstream)
            codes.append(caught.value.code)
            await upstream.aclose()

    assert codes == ["first_byte_timeout", "total_timeout"]


async def test_what_is_refused_before_the_first_byte_sends_none() -> None:
    """The connection is ready, nothing was written, and it can be used."""
    seen: list[bytes] = []

    def refuse() -> None:
        raise LookupError

    async with soe(answering(OK, seen=seen)) as port:
        upstream = pool(port)
        with pytest.raises(LookupError):
            await upstream.send("GET", b"/no", HOST, None, refuse)

        assert await get(upstream) == (200, b"ok")
        assert len(seen) == 1
        await upstream.aclose()


async def test_what_cannot_be_reached_was_not_sent() -> None:
    """A closed port, and no free connection in time."""
    async with soe(answering()) as port:
        pass
    with pytest.raises(UpstreamError) as refused:
        await get(pool(port))

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with soe(silent) as port:
        upstream = pool(port)
        waiting = [asyncio.create_task(get(upstream)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(UpstreamError) as exhausted:
            await get(upstream)
        await asyncio.gather(*waiting, return_exceptions=True)
        await upstream.aclose()

    assert (refused.value.code, refused.value.outcome) == ("connect_failed", Outcome.NOT_SENT)
    assert (exhausted.value.code, exhausted.value.outcome) == ("pool_exhausted", Outcome.NOT_SENT)


async def test_an_idle_connection_that_soe_closed_is_not_written_to() -> None:
    """The next request goes out on a new one."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()

    async with soe(once) as port:
        upstream = pool(port)

        assert [await get(upstream) for _ in range(5)] == [(200, b"ok")] * 5
        await upstream.aclose()


async def test_a_response_belongs_to_the_request_that_asked() -> None:
    """Two hundred at once over two connections: each gets its own."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(target), target))
            await writer.drain()

    async def ask(upstream: Pool, number: int) -> bool:
        target = b"/%d" % number
        response = await upstream.send("GET", target, HOST, None)
        return await response.read() == target

    async with soe(echo) as port:
        upstream = pool(port, acquire=5.0, total=5.0)

        assert all(await asyncio.gather(*[ask(upstream, number) for number in range(200)]))
        assert upstream.open <= 2
        await upstream.aclose()


async def test_a_cancelled_request_frees_its_place() -> None:
    """Its connection is closed, and the others go on."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(OK)
        await writer.drain()

    async with soe(slow) as port:
        upstream = pool(port)
        tasks = [asyncio.create_task(get(upstream)) for _ in range(2)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        assert await get(upstream) == (200, b"ok")
        await upstream.aclose()


async def test_bodies_stream_both_ways_in_bounded_memory() -> None:
    """Eight MiB up and down; what waits for its reader stays small."""
    size, piece = 8 * 2**20, b"x" * 65_536

    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await reader.read(65_536))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    async with soe(mirror) as port:
        upstream = pool(port, first_byte=10.0, total=20.0)
        framing = (b"content-length", str(size).encode())
        response = await upstream.send("POST", b"/", (*HOST, framing), body())
        await asyncio.sleep(0.1)
        waiting, got = response._size, 0
        while not response.complete:
            got += len(await response.read())
        await upstream.aclose()

    assert got == size
    assert waiting < 2**20


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_verified(trusted: bool) -> None:
    """A certificate of a stranger ends it before a byte is sent."""
    authority, other = trustme.CA(), trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    (authority if trusted else other).configure_trust(client)
    async with soe(answering(OK), server) as port:
        upstream = Pool(Origin("https", "127.0.0.1", port), ssl_context=client)
        if trusted:
            assert await get(upstream) == (200, b"ok")
        else:
            with pytest.raises(UpstreamError) as caught:
                await get(upstream)
            assert (caught.value.code, caught.value.outcome) == ("tls_failed", Outcome.NOT_SENT)
        await upstream.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://soe",
        "https://",
        "https://soe/path",
        "https://u@soe",
        "soe.example.com",
        "https://soe?x",
    ],
)
def test_an_origin_is_a_scheme_and_a_host(url: str) -> None:
    """Anything else in it would go unused, and is refused."""
    with pytest.raises(ValueError, match="expected https://host"):
        Origin.parse(url)


async def test_httpx_speaks_through_the_pool() -> None:
    """The pool is a transport: exact targets, its own errors."""
    seen: list[bytes] = []
    async with soe(answering(OK, OK, seen=seen)) as port:
        transport = PoolTransport(pool(port))
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(f"http://127.0.0.1:{port}/a", content=b"hello")
            exact = client.build_request("GET", f"http://127.0.0.1:{port}/")
            exact.extensions["target"] = b"/%2e%2e?"
            await client.send(exact)

    assert answer.text == "ok"
    assert b"GET /%2e%2e? HTTP/1.1\r\n" in seen[1]


async def test_httpx_hears_that_nothing_was_sent() -> None:
    """A closed port is a ConnectError."""
    async with soe(answering()) as port:
        pass
    async with httpx.AsyncClient(transport=PoolTransport(pool(port))) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")
