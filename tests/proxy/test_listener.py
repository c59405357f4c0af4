"""A listener that stops: whom the kernel connected gets an answer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from gateway.proxy import listener
from gateway.proxy.listener import Listener
from gateway.proxy.server import ServerLimits, strict
from tests.patience import PATIENCE
from tests.proxy.wire import Recorder, serving

READ = b"GET /api/v3/questions HTTP/1.1\r\nhost: gateway\r\n\r\n"


async def test_what_waits_in_the_queue_is_answered() -> None:
    """A connection that nobody has accepted when the stop begins is served before the end."""
    async with serving() as server:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for client in clients:  # the loop has not run: nothing is accepted yet
            client.sendall(READ)
        await server.listener.stop(PATIENCE)
        answers = []
        for client in clients:
            client.settimeout(0)
            answers.append(client.recv(65_536)[:12])
            client.close()

    assert answers == [b"HTTP/1.1 200"] * 20


async def test_a_stop_that_stands_still_for_a_while_serves_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time in which the process was stopped, or its machine, is nobody's to have sent a request."""

    def late(listening: list[int]) -> Iterator[socket.socket]:
        time.sleep(0.5)  # the whole process
        return queued(listening)

    queued = listener._queued
    monkeypatch.setattr(listener, "_queued", late)
    async with serving() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(READ)
            await server.listener.stop(PATIENCE)
            client.settimeout(0)

            assert client.recv(65_536)[:12] == b"HTTP/1.1 200"


async def test_who_says_nothing_does_not_hold_a_stop_up() -> None:
    """A connection without a request is closed after a moment, long before the drain ends."""
    async with serving() as server, server.connect() as client:
        async with asyncio.timeout(PATIENCE / 2):
            await server.listener.stop(PATIENCE)

        assert await client.line() == b""


async def test_listeners_share_a_port_if_both_say_so() -> None:
    """The second listens where the first does; the first's end leaves the second alone."""

    async def app(_scope: object, _receive: object, _send: object) -> None:
        raise AssertionError

    first = Listener(app, ("127.0.0.1", 0))
    url = await first.start(reuse_port=True)
    second = Listener(app, ("127.0.0.1", int(url.rpartition(":")[2])))

    assert await second.start(reuse_port=True) == url
    await first.stop(0)
    await second.stop(0)


async def test_a_connection_is_finished_that_is_just_being_accepted() -> None:
    """A stop that begins before a connection's first turn of the loop waits for it all the same."""
    accepted = asyncio.Event()

    class Noticed(strict(ServerLimits(), [].append)):  # type: ignore[misc]  # made by a call
        def __init__(self, *given: object) -> None:
            super().__init__(*given)
            accepted.set()

    listening = Listener(Recorder(), ("127.0.0.1", 0), protocol=Noticed)
    port = int((await listening.start()).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(READ)
        await accepted.wait()
        await listening.stop(PATIENCE)
        client.settimeout(0)

        assert client.recv(65_536)[:12] == b"HTTP/1.1 200"
