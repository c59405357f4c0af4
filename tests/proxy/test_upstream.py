"""One call is one request; a response belongs to its request; how far it got is known."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
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
from tests.patience import PATIENCE, eventually

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
    """A pool of two connections, patient where a test says nothing else."""
    patient = dict.fromkeys(("connect", "acquire", "first_byte", "total"), PATIENCE)
    timeouts = Timeouts(**(patient | more))
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

        answers = [await get(upstream), await get(upstream)]

        assert answers == [(200, b"ok")] * 2
        assert (upstream.open, upstream.in_use) == (1, 0)
        await upstream.aclose()


async def test_a_connection_is_in_use_until_its_answer_has_ended() -> None:
    """For the gauge: those that rest are none of them."""
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhal"
    async with soe(answering(half)) as port:
        upstream = pool(port)
        exchange = await upstream.send("GET", b"/a", HOST, None)
        while_open = upstream.in_use
        await exchange.aclose()
        await upstream.aclose()

        assert (while_open, upstream.in_use) == (1, 0)


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
    taken = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if b"x-next" in asked:
            writer.write(OK)
            await writer.drain()
            return
        writer.write(head if late else answer)
        await writer.drain()
        if late:
            await taken.wait()
            writer.write(POISON + rest)
        await reader.read()

    async with soe(script) as port:
        upstream = pool(port)
        first = await get(upstream, method)
        taken.set()
        await eventually(lambda: upstream.open == 0)
        response = await upstream.send("GET", b"/a", (*HOST, (b"x-next", b"1")), None)

        assert first[1] == body
        assert await response.read() == b"ok"
        await upstream.aclose()


BROKEN = {
    "garbage": (b"\0\1garbage\r\n\r\n", "malformed"),
    "switching": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nTUNNEL", "malformed"),
    "two framings": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
    "the same length twice": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", "malformed"),
    "an unknown coding": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "malformed"),
    "a coding twice": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
    "chunks of HTTP/1.0": (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
    "another version": (b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "malformed"),
    "a folded field": (b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok", "malformed"),
    "a bare line feed": (b"HTTP/1.1 200 OK\r\nx: a\ny: b\r\ncontent-length: 2\r\n\r\nok", "malformed"),
    "lines without CR": (b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", "malformed"),
    "a NUL in a value": (b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok", "malformed"),
    "a space before the colon": (b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", "malformed"),
    "a signed length": (b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", "malformed"),
    "a list of lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok", "malformed"),
    "a signed chunk": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n", "malformed"),
    "a chunk that is longer": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", "malformed"),
    "a whole long head": (b"HTTP/1.1 200 OK\r\n" + b"x: %s\r\n" % (b"y" * 7000) * 10 + b"content-length: 2\r\n\r\nok", "malformed"),
    "many fields": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 201 + b"content-length: 2\r\n\r\nok", "malformed"),
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
    for script, short in ((silent, {"first_byte": 0.1}), (dripping, {"total": 0.3})):
        async with soe(script) as port:
            upstream = pool(port, **short)
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
        upstream = pool(port, acquire=0.2)
        waiting = [asyncio.create_task(get(upstream)) for _ in range(2)]
        await eventually(lambda: upstream.open == 2)
        with pytest.raises(UpstreamError) as exhausted:
            await get(upstream)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await upstream.aclose()

    assert (refused.value.code, refused.value.outcome) == ("connect_failed", Outcome.NOT_SENT)
    assert (exhausted.value.code, exhausted.value.outcome) == ("pool_exhausted", Outcome.NOT_SENT)


@pytest.mark.parametrize("write", [True, False], ids=["a write at once", "a read in a moment"])
async def test_an_idle_connection_that_soe_closed_is_not_written_to(write: bool) -> None:
    """The next request goes out on a new one."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()

    async with soe(once) as port:
        upstream = pool(port)

        for _ in range(5):
            response = await upstream.send(
                "GET", b"/", HOST, None, (lambda: None) if write else None
            )
            assert await response.read() == b"ok"
            if not write:
                await eventually(lambda: upstream.open == 0)
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
        upstream = pool(port)

        assert all(await asyncio.gather(*[ask(upstream, number) for number in range(200)]))
        assert upstream.open <= 2
        await upstream.aclose()


async def test_a_body_larger_than_the_buffer_leaves_a_connection_that_works() -> None:
    """Reading was stopped for it, and goes on for the next response."""
    large = b"x" * 150_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(large), large)
    async with soe(answering(answer, answer, OK)) as port:
        upstream = pool(port)
        for _ in range(2):
            response = await upstream.send("GET", b"/", HOST, None)
            await asyncio.sleep(0.05)
            assert b"".join([chunk async for chunk in response]) == large

        assert await get(upstream) == (200, b"ok")
        assert upstream.open == 1
        await upstream.aclose()


async def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    """What is missing of the body must not be made up by the next request."""
    heads: list[bytes] = []

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        yield b"12"
        (connection,) = upstream._all
        exchange = connection._exchange
        await eventually(lambda: exchange is not None and exchange.headers_here)
        yield b"34"
        yield b"56"

    async with soe(hasty) as port:
        upstream = pool(port)
        response = await upstream.send("PUT", b"/", (*HOST, (b"content-length", b"6")), body())
        assert await response.read() == b"ok"

        assert await get(upstream) == (200, b"ok")
        await upstream.aclose()

    assert len(heads) == 2
    assert heads[1].startswith(b"GET ")


async def test_an_empty_piece_does_not_end_a_chunked_body() -> None:
    """It says nothing, so nothing is sent."""
    sent = b""

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        sent = await reader.readuntil(b"0\r\n\r\n")
        writer.write(OK)

    async def body() -> AsyncIterator[bytes]:
        for piece in (b"", b"one", b"", b"two"):
            yield piece

    async with soe(whole) as port:
        upstream = pool(port)
        framing = (b"transfer-encoding", b"chunked")
        response = await upstream.send("PUT", b"/", (*HOST, framing), body())
        assert await response.read() == b"ok"
        await upstream.aclose()

    assert sent == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_a_request_whose_body_breaks_off_ends_its_connection() -> None:
    """SOE sees half a request and then the end."""

    async def body() -> AsyncIterator[bytes]:
        yield b"12"
        raise LookupError

    async with soe(answering(OK)) as port:
        upstream = pool(port)
        with pytest.raises(LookupError):
            await upstream.send("PUT", b"/", (*HOST, (b"content-length", b"6")), body())
        await eventually(lambda: upstream.open == 0)


async def test_a_connection_that_dies_on_its_way_to_who_waits_is_not_used() -> None:
    """The one that waited gets another, and its request is sent once."""
    seen: list[bytes] = []

    async def last_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(0.02)
        writer.write(OK)
        await writer.drain()

    async with soe(last_words) as port:
        upstream = pool(port)

        answers = await asyncio.gather(*[get(upstream) for _ in range(8)])

        assert answers == [(200, b"ok")] * 8
        assert len(seen) == 8
        await upstream.aclose()


async def test_a_place_given_to_someone_who_has_gone_goes_to_the_next() -> None:
    """Nobody waits for a place that is free."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.05 if b"/a" in asked else 0)
            writer.write(OK)
            await writer.drain()

    async with soe(hold) as port:
        upstream = pool(port)
        running = [asyncio.create_task(get(upstream)) for _ in range(2)]
        await eventually(lambda: upstream.open == 2)
        waiting = [asyncio.create_task(get(upstream)) for _ in range(4)]
        await eventually(lambda: len(upstream._waiters) == 4)
        for task in (*waiting[:2], *running):
            # Cancelled in the same turn as the places become free.
            task.cancel()
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*waiting[2:]) == [(200, b"ok")] * 2
        assert upstream.open <= 2
        await upstream.aclose()
        await asyncio.sleep(0)

    assert (upstream.open, len(upstream._waiters)) == (0, 0)


async def test_a_connection_made_in_vain_is_closed() -> None:
    """Who asked for it has gone, or the pool has."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=8)
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    port = listening.getsockname()[1]
    upstream = Pool(
        Origin("https", "127.0.0.1", port), ssl_context=client, timeouts=Timeouts(connect=PATIENCE)
    )
    task = asyncio.create_task(get(upstream))  # waits for a handshake that never comes
    accepted, _ = await asyncio.to_thread(listening.accept)
    accepted.settimeout(PATIENCE)
    assert await asyncio.to_thread(accepted.recv, 1) == b"\x16"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await eventually(lambda: upstream.open == 0)
    with contextlib.suppress(ConnectionResetError):
        while await asyncio.to_thread(accepted.recv, 65_536):
            pass  # and then its end
    accepted.close()
    listening.close()


async def test_a_closed_pool_sends_nothing() -> None:
    """Not even what was connecting when it closed."""
    seen: list[bytes] = []
    async with soe(answering(OK, seen=seen)) as port:
        upstream = pool(port)
        task = asyncio.create_task(get(upstream))
        await asyncio.sleep(0)
        await upstream.aclose()
        with pytest.raises(UpstreamError) as caught:
            await task
        with pytest.raises(UpstreamError):
            await get(upstream)

    assert (caught.value.code, caught.value.outcome) == ("pool_closed", Outcome.NOT_SENT)
    assert seen == []


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_soe_does_and_whoever_leaves(seed: int) -> None:
    """Nobody gets another's answer, and every place is free in the end."""
    chance = random.Random(seed)

    async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(target), target)
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01]))
            cut = chance.choice([0, 5, 40]) if chance.random() < 0.2 else len(answer)
            surplus = b"surplus" if cut == len(answer) and chance.random() < 0.1 else b""
            writer.write(answer[:cut] + surplus)
            await writer.drain()
            if cut < len(answer) or chance.random() < 0.2:
                return

    async def ask(upstream: Pool, number: int) -> bool | str:
        target = b"/%d" % number
        try:
            response = await upstream.send("GET", target, HOST, None)
            return b"".join([chunk async for chunk in response]) == target
        except UpstreamError as error:
            return error.code

    async with soe(moody) as port:
        upstream = pool(port)
        tasks = []
        for number in range(200):
            tasks.append(asyncio.create_task(ask(upstream, number)))
            if chance.random() < 0.2:
                chance.choice(tasks).cancel()
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.aclose()
        await eventually(lambda: upstream.open == 0)

    told = {answer for answer in answers if not isinstance(answer, BaseException)}
    assert told <= {True, "cut", "closed", "malformed"}
    assert True in told
    assert (upstream.open, len(upstream._waiters), len(upstream._idle)) == (0, 0, 0)


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
        upstream = pool(port)
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
        origin, timeouts = Origin("https", "127.0.0.1", port), Timeouts(connect=PATIENCE)
        upstream = Pool(origin, ssl_context=client, timeouts=timeouts)
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
