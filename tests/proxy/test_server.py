"""The strict server, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.proxy.listener import Listener
from gateway.proxy.server import ServerLimits
from tests.proxy.reference import parse
from tests.proxy.test_head import PIECES
from tests.proxy.wire import PATIENCE, Seen, reply, serving

HEAD = b"%s %s HTTP/1.1\r\nHost: gateway.example\r\n%s\r\n"
READ = HEAD % (b"GET", b"/a", b"")
WRITE = HEAD % (b"POST", b"/a", b"Content-Length: 3\r\n") + b"abc"
CHUNKED = HEAD % (b"POST", b"/a", b"Transfer-Encoding: chunked\r\n")


# ── what is refused ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "bad_head"),
        (b"\r\n" + READ, 400, "bad_head"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00", 400, "bad_head"),
        (b"GET /a\r\n\r\n", 400, "bad_head"),
        (READ.replace(b"1.1", b"1.0"), 505, "unsupported_version"),
        (READ.replace(b"GET", b"TRACE"), 501, "unsupported_method"),
        (READ.replace(b"/a", b"http://h/a"), 400, "bad_target"),
        (READ.replace(b"Host", b"X"), 400, "bad_host"),
        (HEAD % (b"GET", b"/a", b"Upgrade: websocket\r\n"), 400, "no_upgrade"),
        (HEAD % (b"POST", b"/a", b"Expect: 200-ok\r\n"), 417, "bad_expectation"),
        (CHUNKED.replace(b"chunked\r\n", b"chunked\r\nContent-Length: 3\r\n"), 400, "bad_framing"),
        (HEAD % (b"GET", b"/a", b"X: y\r\n" * 100), 431, "too_many_fields"),
        (HEAD % (b"GET", b"/a", b"X: " + b"y" * 33_000 + b"\r\n"), 431, "head_too_large"),
        (HEAD % (b"GET", b"/" + b"a" * 9_000, b""), 414, "target_too_long"),
        (b"GET /" + b"a" * 9_000, 414, "target_too_long"),
        (CHUNKED + b"3;x=y\r\nabc\r\n0\r\n\r\n", 400, "bad_chunk"),
        (CHUNKED + b"3\r\nabc\r\n0\r\nX-Explicit-Action: true\r\n\r\n", 400, "no_trailers"),
    ],
)
async def test_what_is_no_request_is_refused_before_the_app(
    raw: bytes, status: int, code: str
) -> None:
    """It gets one problem that says what is wrong, is counted, and ends the connection."""
    async with serving() as server, server.connect() as client:
        await client.send(raw)

        answer = await client.answer()
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["connection"] == "close"
        assert answer.headers["content-type"] == "application/problem+json"
        assert await client.rest() == b""
        assert server.refused == [code]
        assert server.app.seen == []


async def test_a_head_without_end_is_refused_while_it_arrives() -> None:
    """Nobody sends more than the limit before being told."""
    async with serving() as server, server.connect() as client:
        await client.send(READ[:-2], *[b"X: " + b"y" * 1_000 + b"\r\n"] * 33)

        assert (await client.answer()).code == "head_too_large"


async def test_later_trailers_do_not_reach_the_app() -> None:
    """A field behind the body is never among those that the app was given."""
    async with serving() as server, server.connect() as client:
        await client.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE)
        await client.send(b"0\r\nX-Gateway-Key: k\r\n\r\n")

        assert (await client.answer()).code == "no_trailers"
        assert server.app.seen == []
        assert [name for name, _ in server.app.scopes[0]["headers"]] == [
            b"host",
            b"transfer-encoding",
        ]


async def test_a_broken_body_is_told_to_the_app_as_a_client_that_left() -> None:
    """The app is not cancelled, and what it still answers goes nowhere."""
    async with serving() as server, server.connect() as client:
        await client.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE)
        await client.send(b"zz\r\n")

        assert (await client.answer()).code == "bad_chunk"
        assert await client.rest() == b""
        await asyncio.wait_for(server.app.left.wait(), PATIENCE)
        assert (server.app.finished, server.app.cancelled) == (1, 0)


# ── what passes ──────────────────────────────────────────────────────────────────────────────


async def test_a_request_reaches_the_app_as_it_was_sent() -> None:
    """The scope holds the target byte for byte, beside who asked and where."""
    async with serving() as server, server.connect() as client:
        target = b"/a%2Fb%20c;d?e=%C3%A9&f?"
        await client.send(HEAD % (b"PUT", target, b"X-A:  b\r\nx-a: c\r\nContent-Length: 3\r\n"))
        await client.send(b"abc")

        answer = await client.answer()
        assert (answer.status, answer.body) == (200, target)
        assert server.app.seen == [
            Seen(
                "PUT",
                target,
                (
                    (b"host", b"gateway.example"),
                    (b"x-a", b"b"),
                    (b"x-a", b"c"),
                    (b"content-length", b"3"),
                ),
                b"abc",
            )
        ]
        scope = server.app.scopes[0]
        assert (scope["type"], scope["http_version"], scope["scheme"]) == ("http", "1.1", "http")
        assert scope["client"][0] == "127.0.0.1"
        assert scope["server"] == ("127.0.0.1", server.port)


@pytest.mark.parametrize("raw", [READ, WRITE, CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"])
async def test_packets_do_not_matter(raw: bytes) -> None:
    """A request whose every byte comes alone is the same request."""
    async with serving() as server, server.connect() as client:
        await client.send(*(bytes([byte]) for byte in raw))

        assert (await client.answer()).status == 200
        assert server.app.seen[0].body == (b"" if raw == READ else b"abc")


async def test_a_hundred_pipelined_requests_are_answered_in_order() -> None:
    """Each waits for the answer to the one before."""
    async with serving() as server, server.connect() as client:
        targets = [b"/%d" % number for number in range(100)]
        await client.send(b"".join(HEAD % (b"GET", target, b"") for target in targets))

        assert [(await client.answer()).body for _ in targets] == targets
        assert server.refused == []


async def test_bodies_and_heads_in_one_packet_are_told_apart() -> None:
    """A body ends where its head says, and the next head begins there."""
    async with serving() as server, server.connect() as client:
        smuggled = HEAD % (b"POST", b"/evil", b"")
        body = b"Content-Length: %d\r\n" % len(smuggled)
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled)
        await client.send(HEAD % (b"POST", b"/a", body) + smuggled + CHUNKED + chunk + READ)

        assert [(await client.answer()).body for _ in range(3)] == [b"/a", b"/a", b"/a"]
        assert [seen.body for seen in server.app.seen] == [smuggled, smuggled, b""]


async def test_connection_close_ends_it_whatever_follows() -> None:
    """Bytes behind the last request are not looked at."""
    async with serving() as server, server.connect() as client:
        await client.send(HEAD % (b"GET", b"/last", b"Connection: close\r\n") + READ)

        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"/last", "close")
        assert await client.rest() == b""
        assert len(server.app.scopes) == 1


# ── a running request ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("more", [b"GARBAGE\r\n\r\n", b"\0", b"GET /b HTTP/1.0\r\n\r\n"])
async def test_no_refusal_overtakes_a_running_request(more: bytes) -> None:
    """Its answer is delivered whole before what follows is looked at."""
    async with serving() as server, server.connect() as client:
        server.app.free.clear()
        await client.send(WRITE)
        await asyncio.wait_for(server.app.arrived.wait(), PATIENCE)
        await client.send(more)
        assert server.refused == []
        server.app.free.set()

        assert ((await client.answer()).status, (await client.answer()).status // 100) in (
            (200, 4),
            (200, 5),
        )
        assert await client.rest() == b""
        assert (server.app.finished, server.app.left.is_set()) == (1, False)


async def test_a_client_that_leaves_cancels_nothing() -> None:
    """The app runs to its end; receive tells it that nobody is there, and so does the scope."""
    heard = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert not scope["client_gone"]()
        client.leave()
        assert (await receive())["type"] == "http.disconnect"
        assert scope["client_gone"]()
        with pytest.raises(ConnectionResetError):
            await reply(send, 200, b"to nobody")
        heard.set()

    async with serving(app) as server, server.connect() as client:
        await client.send(WRITE)

        await asyncio.wait_for(heard.wait(), PATIENCE)


async def test_a_client_that_leaves_within_its_body_is_told_to_the_app() -> None:
    """Half a body is never taken for a whole one."""
    async with serving() as server, server.connect() as client:
        await client.send(WRITE[:-1])
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE)
        client.leave()

        await asyncio.wait_for(server.app.left.wait(), PATIENCE)
        assert server.app.seen == []


async def test_a_large_body_waits_until_the_app_reads() -> None:
    """What the app does not take is not gathered."""
    go = asyncio.Event()
    size = 8_000_000
    read = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        await go.wait()
        while (message := await receive())["more_body"]:
            assert len(message["body"]) < 1_000_000
            read += len(message["body"])
        read += len(message["body"])
        await reply(send, 200, b"")

    async with serving(app) as server, server.connect() as client:
        head = HEAD % (b"POST", b"/a", b"Content-Length: %d\r\n" % size)
        sending = asyncio.create_task(client.send(head, b"x" * size))
        done, _ = await asyncio.wait([sending], timeout=0.2)
        assert not done
        go.set()

        assert (await client.answer()).status == 200
        await sending
        assert read == size


# ── 100 Continue, and bodies that nobody reads ───────────────────────────────────────────────


EXPECTS = HEAD % (b"POST", b"/a", b"Content-Length: 3\r\nExpect: 100-continue\r\n")


async def test_the_body_is_asked_for_when_the_app_wants_it() -> None:
    """No 100 Continue leaves before the first receive."""
    asked = asyncio.Event()
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await go.wait()
        await reply(send, 200, (await receive())["body"])

    async with serving(app) as server, server.connect() as client:
        await client.send(EXPECTS)
        await asyncio.wait_for(asked.wait(), PATIENCE)
        first = asyncio.create_task(client.line())
        done, _ = await asyncio.wait([first], timeout=0.05)
        assert not done
        go.set()

        assert (await first, await client.line()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
        await client.send(b"abc")
        assert (await client.answer()).body == b"abc"


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    """Answer without reading."""
    await reply(send, 403, b"no")


async def test_a_body_that_was_not_asked_for_is_not_the_next_request() -> None:
    """Who is refused before the body gets the answer, and a closed connection."""
    async with serving(refusing) as server, server.connect() as client:
        await client.send(EXPECTS)

        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (403, "close")
        await client.send(READ)
        assert await client.rest() == b""


@pytest.mark.parametrize("option", [b"", b"Connection: close\r\n"])
async def test_an_early_answer_reaches_a_client_that_is_still_sending(option: bytes) -> None:
    """The rest of the body is thrown away, so that no reset destroys the answer."""
    async with serving(refusing) as server, server.connect() as client:
        length = b"Content-Length: 3000000\r\n"
        await client.send(HEAD % (b"POST", b"/a", option + length), b"x" * 3_000_000)

        answer = await client.answer()
        assert (answer.status, answer.body) == (403, b"no")
        assert await client.rest() == b""


# ── responses ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("method", "status"), [(b"GET", 304), (b"GET", 204), (b"HEAD", 200)])
async def test_an_answer_without_a_body_may_tell_its_length(method: bytes, status: int) -> None:
    """The connection stays in step."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"5"), (b"etag", b'"e"')]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as server, server.connect() as client:
        await client.send(HEAD % (method, b"/a", b"") * 2)

        for _ in range(2):
            answer = await client.answer(head=True)
            assert (answer.status, answer.headers["etag"]) == (status, '"e"')


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_field_of_an_answer_cannot_begin_another(value: bytes) -> None:
    """An app that gives such a value has failed, and nothing of its answer leaves."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0"), (b"x-a", value)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as server, server.connect() as client:
        await client.send(READ)

        assert (await client.answer()).status == 500


async def test_an_answer_of_unknown_length_is_chunked() -> None:
    """Its end is told, and the connection goes on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"ab", b"", b"cde"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async with serving(app) as server, server.connect() as client:
        await client.send(READ)
        assert (await client.answer()).headers == {"transfer-encoding": "chunked"}
        lines = [await client.line() for _ in range(6)]
        assert lines == [b"2\r\n", b"ab\r\n", b"3\r\n", b"cde\r\n", b"0\r\n", b"\r\n"]
        await client.send(READ)

        assert (await client.answer()).status == 200


async def test_no_second_answer_leaves() -> None:
    """What an app sends behind its answer does not answer the next request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reply(send, 200, scope["raw_target"])
        with pytest.raises(RuntimeError):
            await reply(send, 200, b"again")

    async with serving(app) as server, server.connect() as client:
        await client.send(READ, HEAD % (b"GET", b"/b", b""))

        assert [(await client.answer()).body for _ in range(2)] == [b"/a", b"/b"]


async def test_an_answer_that_is_cut_closes_the_connection() -> None:
    """A client can tell half an answer from a whole one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})

    async with serving(app) as server, server.connect() as client:
        await client.send(READ + READ)

        read = await client.rest()
        assert read.endswith(b"\r\n\r\nab")
        assert read.count(b"HTTP/1.1") == 1


async def test_an_app_that_fails_is_a_500_without_words() -> None:
    """What went wrong is not told to the client."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("secret")

    async with serving(app) as server, server.connect() as client:
        await client.send(READ)

        answer = await client.answer()
        assert (answer.status, answer.body) == (500, b"Internal Server Error")


async def test_no_server_and_no_date_are_told() -> None:
    """An answer has the fields that the app gave it."""
    async with serving() as server, server.connect() as client:
        await client.send(READ)

        assert (await client.answer()).headers == {"content-length": "2"}


# ── deadlines ────────────────────────────────────────────────────────────────────────────────

QUICK = ServerLimits(
    head_seconds=0.15,
    body_seconds=0.4,
    body_pause=0.15,
    idle_seconds=0.15,
    answer_pause=0.2,
    linger_seconds=0.1,
)


@pytest.mark.parametrize(
    "beginning",
    [
        READ[:7],
        READ[:-2],
        READ[:-2] + b"X: ",
        HEAD % (b"POST", b"/a", b"Content-Length: 3\r\n"),
        WRITE[:-1],
        CHUNKED,
        CHUNKED + b"3\r\nab",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
    ],
)
async def test_who_does_not_go_on_is_refused_in_time(beginning: bytes) -> None:
    """Half a line, half a head and half a body end with 408."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        await client.send(beginning)

        answer = await client.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert await client.rest() == b""
        assert server.app.seen == []


async def test_who_asked_for_the_body_is_not_waited_for_without_end() -> None:
    """100 Continue without a body behind it ends with 408."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        await client.send(EXPECTS)

        assert await client.line() == b"HTTP/1.1 100 Continue\r\n"
        await client.line()
        assert (await client.answer()).status == 408
        await asyncio.wait_for(server.app.left.wait(), PATIENCE)


async def test_silence_is_closed_without_a_word() -> None:
    """Who said nothing gets no answer."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        assert await client.rest() == b""
        assert server.refused == []


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    """Behind an answer the next request has its time to begin."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        await client.send(READ)
        await client.answer()

        assert await client.rest() == b""
        assert server.refused == []


async def test_a_head_has_its_own_time_however_long_the_line_was_idle() -> None:
    """The time of a head runs from its first byte."""
    limits = ServerLimits(head_seconds=0.15, idle_seconds=PATIENCE * 2)
    async with serving(limits=limits) as server, server.connect() as client:
        await client.send(READ)
        await client.answer()
        await client.send(READ[:9])

        assert (await client.answer()).status == 408


async def drip(client: Any) -> None:
    """Send a byte now and then, for as long as anybody could listen."""
    for _ in range(200):
        await client.send(b"a")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "beginning",
    [READ[:-2] + b"X: ", HEAD % (b"POST", b"/a", b"Content-Length: 500\r\n")],
)
async def test_dripping_does_not_stretch_the_time(beginning: bytes) -> None:
    """Head and body have a time as a whole."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        started = time.monotonic()
        await client.send(beginning)
        dripping = asyncio.create_task(drip(client))

        assert (await client.answer()).status == 408
        assert time.monotonic() - started < 2
        dripping.cancel()


async def test_a_running_app_has_no_deadline_here() -> None:
    """Once the request is whole, its client waits for as long as the app takes."""
    async with serving(limits=QUICK) as server, server.connect() as client:
        server.app.free.clear()
        await client.send(WRITE)
        await asyncio.wait_for(server.app.arrived.wait(), PATIENCE)
        answer = asyncio.create_task(client.answer())
        done, _ = await asyncio.wait([answer], timeout=0.6)
        assert not done
        server.app.free.set()

        assert (await answer).status == 200


async def test_a_client_is_not_late_while_the_app_does_not_read() -> None:
    """The time of the body stands still while the server itself takes nothing."""
    go = asyncio.Event()
    body = b"x" * 4_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        while (await receive())["more_body"]:
            pass
        await reply(send, 200, b"")

    async with serving(app, limits=QUICK) as server, server.connect() as client:
        head = HEAD % (b"POST", b"/a", b"Content-Length: %d\r\n" % len(body))
        sending = asyncio.create_task(client.send(head, body))
        await asyncio.wait([sending], timeout=0.6)
        go.set()

        assert (await client.answer()).status == 200
        await sending


async def test_a_client_that_does_not_read_its_answer_is_dropped() -> None:
    """The app is not held by it."""
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size = 50_000_000
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with contextlib.suppress(ConnectionResetError):
            for _ in range(size // 500_000):
                await send(
                    {"type": "http.response.body", "body": bytes(500_000), "more_body": True}
                )
            return
        ended.set()

    async with serving(app, limits=QUICK) as server, server.connect() as client:
        await client.send(READ)

        await asyncio.wait_for(ended.wait(), PATIENCE)


# ── stopping ─────────────────────────────────────────────────────────────────────────────────


async def test_stopping_finishes_what_is_in_flight() -> None:
    """The running request is answered and told to be the last; new connections are refused."""
    async with serving() as server, server.connect() as client, server.connect() as idle:
        server.app.free.clear()
        await client.send(WRITE)
        await asyncio.wait_for(server.app.arrived.wait(), PATIENCE)
        stopping = asyncio.create_task(server.listener.stop(PATIENCE))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", server.port)
        server.app.free.set()

        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.rest() == b""
        await stopping
        assert server.app.cancelled == 0


async def test_half_a_body_does_not_hold_the_stop() -> None:
    """When the time is over the connection is closed, and the app hears of it."""
    async with serving() as server, server.connect() as client:
        await client.send(WRITE[:-1])
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE)

        await server.listener.stop(0.1)
        assert await client.rest() == b""
        await asyncio.wait_for(server.app.left.wait(), PATIENCE)
        assert server.app.cancelled == 0


async def test_an_app_that_outlives_the_stop_is_not_cancelled() -> None:
    """What was sent upstream keeps its chance to be recorded."""
    async with serving() as server, server.connect() as client:
        server.app.free.clear()
        await client.send(WRITE)
        await asyncio.wait_for(server.app.arrived.wait(), PATIENCE)

        await server.listener.stop(0.05)
        assert (server.app.finished, server.app.cancelled) == (0, 0)
        server.app.free.set()
        await asyncio.wait_for(server.app.ended.wait(), PATIENCE)
        assert (server.app.finished, server.app.cancelled) == (1, 0)


async def test_two_servers_share_a_loop() -> None:
    """A listener for friends runs beside, on uvicorn's own protocol."""
    friendly = Listener(refusing, ("127.0.0.1", 0))
    await friendly.start()
    async with serving() as server, server.connect() as client:
        await client.send(READ)
        assert (await client.answer()).status == 200
        await friendly.stop(1)
        await client.send(READ)
        assert (await client.answer()).status == 200


async def test_an_address_that_is_taken_is_an_error() -> None:
    """A server that cannot listen does not start."""
    async with serving() as server:
        second = Listener(refusing, ("127.0.0.1", server.port))

        with pytest.raises(OSError, match="address already in use"):
            await second.start()


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the clients trust."""
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """A server's chain and key."""
    issued = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


async def test_tls_is_the_same_server(
    authority: trustme.CA, certificate: tuple[Path, Path]
) -> None:
    """The same requests pass and the same bytes are refused."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(tls=certificate) as server, server.connect(trusting) as client:
        await client.send(*(bytes([byte]) for byte in WRITE))
        assert (await client.answer()).status == 200
        assert server.app.scopes[0]["scheme"] == "https"
        await client.send(b"GARBAGE\r\n\r\n")

        assert (await client.answer()).code == "bad_head"
        assert await client.rest() == b""


# ── laws ─────────────────────────────────────────────────────────────────────────────────────

BRIEF = ServerLimits(head_seconds=0.03, body_pause=0.03, idle_seconds=0.03, linger_seconds=0.01)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Two good requests on one connection with a few bytes put in, replaced or taken out."""
    data = draw(st.sampled_from([WRITE, CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", READ])) + WRITE
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(PIECES) + data[at + draw(st.integers(0, 3)) :]
    return data


async def _exchange(data: bytes, cut: int) -> tuple[list[Seen], bytes]:
    async with serving(limits=BRIEF) as server, server.connect() as client:
        await client.send(data[:cut], data[cut:])
        read = await client.rest()
        assert server.app.cancelled == 0
        return server.app.seen, read


@settings(max_examples=60)
@given(data=mutants(), cut=st.integers(0, 150))
def test_whatever_comes_the_app_sees_what_a_strict_reader_reads(data: bytes, cut: int) -> None:
    """Each request that reaches the app whole stands so in the bytes, in order; none is made up."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen, read = runner.run(_exchange(data, cut))

    left = data
    for request in seen:
        head, _, left = left.partition(b"\r\n\r\n")
        assert parse(head + b"\r\n\r\n") == (request.method, request.target, list(request.headers))
        if (b"transfer-encoding", b"chunked") in request.headers:
            chunks, _, left = left.partition(b"0\r\n\r\n")
            assert request.body in chunks
        else:
            assert left.startswith(request.body)
            left = left[len(request.body) :]
    assert read.count(b"HTTP/1.1 200 ") == len(seen)


async def test_what_is_due_at_once_may_be_put_off() -> None:
    """A deadline that has come, and has not been acted upon, gives way to a later one."""
    async with serving() as server, server.connect() as client:
        await client.send(b"G")
        while not server.listener._state.connections:
            await asyncio.sleep(0)
        connection: Any = next(iter(server.listener._state.connections))
        connection._set_deadline(0.0)
        connection._set_deadline(PATIENCE)
        await client.send(b"ET /a HTTP/1.1\r\nhost: gateway\r\n\r\n")

        assert (await client.answer()).status == 200
