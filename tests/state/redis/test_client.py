"""One write for each turn, answers to who asked, an error in time, and back within a second."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.errors import StoreError
from gateway.state.redis import client as client_module
from gateway.state.redis.client import WAITING_AT_MOST, Client, Script
from tests.patience import PATIENCE
from tests.servers import Valkey
from tests.state.redis.impatience import impatient, written
from tests.state.redis.relay import relay

COUNT = Script.of("return redis.call('INCRBY', KEYS[1], ARGV[1])")
SECRET = "p@ss/wo:rd%"
QUOTED = "p%40ss%2Fwo%3Ard%25"

Script_ = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def server() -> Iterator[Valkey]:
    """A server that a test may break."""
    started = Valkey()
    yield started
    started.resume()
    started.close()


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment after a failure, in which nobody tries to connect, lasts for all of the test."""
    monkeypatch.setattr(client_module, "_PAUSE", (3600.0, 3600.0))


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    """A client that is closed afterwards."""
    made = Client(url, timeout=PATIENCE)
    try:
        yield made
    finally:
        await made.aclose()


@asynccontextmanager
async def listening(script: Script_) -> AsyncIterator[str]:
    """A server that does as told on each connection; gives its URL."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def refused(asking: Awaitable[Any]) -> StoreError:
    """What a call fails with, which is not kept waiting for ever."""
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreError) as caught:
            await asking
    return caught.value


def open_files() -> set[str]:
    """What this process has open."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(each.readlink()))
    return found


async def back(asked: Client) -> None:
    """Wait until calls are answered again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await asked.call("PING")
            except StoreError:
                await asyncio.sleep(0.01)
            else:
                return


# ── asking ───────────────────────────────────────────────────────────────────────────────────


async def test_calls_of_one_turn_are_one_write(valkey: Valkey) -> None:
    """A hundred callers at once, one system call; each gets its own answer."""
    async with relay(valkey.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        await asked.call("PING")
        seen.written.clear()
        answers = await asyncio.gather(*[asked.call("ECHO", number) for number in range(100)])

    assert answers == [str(number) for number in range(100)]
    assert len(seen.written) == 1


async def test_callers_share_one_connection_from_the_first(valkey: Valkey) -> None:
    """Who comes while it connects waits for it, and goes out with the others."""
    async with relay(valkey.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        early = [asyncio.create_task(asked.call("ECHO", number)) for number in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [asyncio.create_task(asked.call("ECHO", number)) for number in range(50, 100)]
        answers = await asyncio.gather(*early, *later)

    assert answers == [str(number) for number in range(100)]
    assert seen.connections == 1
    assert len(seen.written) == 2  # the greeting, and all the rest


async def test_answers_find_their_callers_whatever_their_size(valkey: Valkey) -> None:
    """Short and long, in parts and many at once."""

    async def ask(asked: Client, number: int) -> bool:
        text = f"{number} " * (1 + number * 37 % 3_000)
        return bool(await asked.call("ECHO", text) == text)

    async with client(valkey.url) as asked:
        matched = await asyncio.gather(*[ask(asked, number) for number in range(500)])

    assert all(matched)


async def test_answers_are_values(valkey: Valkey) -> None:
    """Text is decoded, nothing is None, a list is a list."""
    valkey.ask("FLUSHALL")
    async with client(valkey.url) as asked:
        told = [
            await asked.call("SET", "a", "ä"),
            await asked.call("MGET", "a", "none"),
            await asked.call("INCRBY", b"n", 7),
        ]

    assert told == ["OK", ["ä", None], 7]


async def test_a_script_is_sent_where_the_server_does_not_know_it(valkey: Valkey) -> None:
    """And its name is enough from then on; what was lost is sent again, and runs once."""
    valkey.ask("FLUSHALL")
    valkey.ask("SCRIPT", "FLUSH")
    async with relay(valkey.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        told = [await asked.run(COUNT, ["n"], [1])]
        valkey.ask("SCRIPT", "FLUSH")
        told += sorted(await asyncio.gather(*[asked.run(COUNT, ["n"], [1]) for _ in range(20)]))
        seen.written.clear()
        told.append(await asked.run(COUNT, ["n"], [1]))

    assert told == list(range(1, 23))
    assert len(seen.written) == 1
    assert COUNT.text.encode() not in seen.written[0]


@pytest.mark.parametrize(
    ("said", "code"),
    [("LOST: the data is gone", "LOST"), ("OOM much too much", "OOM")],
)
async def test_an_error_of_the_server_has_its_code_and_words(
    valkey: Valkey, said: str, code: str
) -> None:
    """Who asked can tell what it means; the connection stays."""
    script = Script.of(f"return redis.error_reply('{said}')")
    async with client(valkey.url) as asked:
        before = await asked.call("CLIENT", "ID")
        error = await refused(asked.run(script, [], []))
        after = await asked.call("CLIENT", "ID")

    assert (str(error), error.code) == (f"the state failed: {said}", code)
    assert after == before


async def test_a_full_server_is_an_error(server: Valkey) -> None:
    """Its code says so, and it serves when there is room again."""
    async with client(server.url) as asked:
        server.ask("CONFIG", "SET", "maxmemory", "1")
        error = await refused(asked.run(COUNT, ["n"], [1]))
        server.ask("CONFIG", "SET", "maxmemory", "0")
        told = await asked.run(COUNT, ["n"], [1])

    assert error.code == "OOM"
    assert told == 1


async def test_errors_repeat_nothing_that_was_asked(valkey: Valkey) -> None:
    """Not where the server does, and not where a call cannot even be packed."""
    async with client(valkey.url) as asked:
        errors = [
            await refused(asked.call("NOSUCH", "hush-1", "hush-2")),
            await refused(asked.call("ECHO", "hush-\ud800")),
            await refused(asked.call("ECHO", ["hush"])),  # type: ignore[arg-type]  # on purpose
        ]
        told = await asked.call("ECHO", "on")

    assert all("hush" not in str(error) for error in errors)
    assert errors[0].code == "ERR"
    assert told == "on"


# ── time and leaving ─────────────────────────────────────────────────────────────────────────


async def test_no_answer_goes_astray_after_a_late_one(server: Valkey) -> None:
    """The late answers come on a connection that nobody reads any more."""
    async with client(server.url) as asked:
        before = await asked.call("CLIENT", "ID")
        server.pause()
        begun = time.monotonic()
        with impatient(asked):
            late = await asyncio.gather(
                *[refused(asked.call("ECHO", f"late {number}")) for number in range(50)]
            )
        took = time.monotonic() - begun
        server.resume()
        await back(asked)
        told = await asyncio.gather(*[asked.call("ECHO", number) for number in range(50)])
        after = await asked.call("CLIENT", "ID")

    assert {str(error) for error in late} == {"the state did not answer in time"}
    assert took > 0.19
    assert told == [str(number) for number in range(50)]
    assert after != before


async def test_an_answer_that_came_while_this_process_stood_still_counts(server: Valkey) -> None:
    """The server was in time: its answer is read before anybody is told that it was not."""
    async with client(server.url) as asked:
        await asked.call("PING")
        assert asked._latest is not None
        assert asked._latest._transport is not None
        link = asked._latest._transport.get_extra_info("socket").fileno()
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()

        def stand_still() -> None:
            loop.remove_reader(near)
            server.resume()
            assert select.select([link], [], [], PATIENCE)[0]
            while loop.time() < asked._alarm_at:
                time.sleep(0.01)

        with near, far:
            loop.add_reader(near, stand_still)
            server.pause()
            with impatient(asked):
                answer = asyncio.ensure_future(asked.call("ECHO", "on"))
                await written(asked, 1, b"ECHO")
            far.send(b".")
            told = await answer

    assert told == "on"


@pytest.mark.usefixtures("long_pause")
async def test_connecting_counts_as_time(server: Valkey) -> None:
    """A server that accepts and does not greet holds nobody longer than one that is silent."""
    server.pause()
    async with client(server.url) as asked:
        with impatient(asked):
            error = await refused(asked.call("PING"))
        async with asyncio.timeout(PATIENCE / 2):  # it is the moment after: nobody waits
            again = await refused(asked.call("PING"))

    assert str(error) == str(again) == "the state did not answer in time"


async def test_a_script_that_is_sent_along_has_no_more_time() -> None:
    """One time-out is for both tries."""
    ends: list[float] = []

    async def forgetful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"soe-gateway\r\n")
        writer.write(b"+OK\r\n")
        for name, answer in (
            (b"EVALSHA", b"-NOSCRIPT No matching script.\r\n"),
            (b"EVAL", b":1\r\n"),
        ):
            await reader.readuntil(b"%s\r\n" % name)
            assert asked._connection is not None
            ends.extend(deadline for _, _, deadline, _ in asked._connection.waiting)
            writer.write(answer)
        await reader.read()

    async with listening(forgetful) as url, client(url) as asked:
        told = await asked.run(COUNT, ["n"], [1])

    assert told == 1
    assert len(ends) == 2
    assert ends[0] == ends[1]


async def test_a_caller_who_leaves_leaves_no_trace(server: Valkey) -> None:
    """Its answer is dropped; what was not sent yet is not sent."""
    async with client(server.url) as asked:
        before = await asked.call("CLIENT", "ID")
        server.pause()
        calls = [asyncio.create_task(asked.call("ECHO", number)) for number in range(10)]
        await written(asked, 10, b"ECHO")
        unsent = asyncio.create_task(asked.call("SET", "a", "b"))
        await asyncio.sleep(0)
        for call in (*calls[::2], unsent):
            call.cancel()
        server.resume()
        told = await asyncio.gather(*calls, return_exceptions=True)
        after = [await asked.call("CLIENT", "ID"), await asked.call("GET", "a")]

    assert told[1::2] == ["1", "3", "5", "7", "9"]
    assert all(isinstance(each, asyncio.CancelledError) for each in told[::2])
    assert after == [before, None]


async def test_who_leaves_while_it_connects_takes_nobody_along(valkey: Valkey) -> None:
    """The connection that it asked for serves the others."""
    valkey.ask("FLUSHALL")
    async with relay(valkey.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        first = asyncio.create_task(asked.call("SET", "a", "b"))
        await asyncio.sleep(0)
        second = asyncio.create_task(asked.call("GET", "a"))
        await asyncio.sleep(0)
        first.cancel()

        assert await second is None
        assert seen.connections == 1


async def test_only_so_many_may_wait(server: Valkey) -> None:
    """One more is refused at once, and has done no harm."""
    async with client(server.url) as asked:
        await asked.call("PING")
        server.pause()
        calls = [asyncio.create_task(asked.call("INCR", "n")) for _ in range(WAITING_AT_MOST)]
        await written(asked, WAITING_AT_MOST, b"INCR")
        error = await refused(asked.call("INCR", "n"))
        server.resume()
        told = await asyncio.gather(*calls)

    assert str(error) == "too many calls wait for the state"
    assert told == list(range(1, WAITING_AT_MOST + 1))


# ── breaking and coming back ─────────────────────────────────────────────────────────────────


async def test_a_server_that_comes_back_serves_within_a_second(server: Valkey) -> None:
    """However often it was looked for; meanwhile nobody waits."""
    async with client(server.url) as asked:
        await asked.call("PING")
        server.kill()
        errors = [await refused(asked.call("PING"))]
        pauses: list[float] = []
        while len(pauses) < 12:
            errors.append(await refused(asked.call("PING")))
            pauses.append(asked._pause_until - asyncio.get_running_loop().time())
            asked._pause_until = 0.0  # the moment is over
        server.start()
        told = await asked.call("PING")

    assert all("did not answer in time" not in str(error) for error in errors)
    assert max(pauses) <= 1
    assert told == "PONG"


async def test_a_break_is_an_error_for_who_was_sent_and_for_nobody_else(server: Valkey) -> None:
    """Nothing is repeated, and the next call connects at once."""
    async with client(server.url) as asked:
        await asked.call("PING")
        waits = asyncio.create_task(asked.call("BLPOP", "nothing", 0))
        await written(asked, 1, b"BLPOP")
        server.ask("CLIENT", "KILL", "TYPE", "normal")
        error = await refused(waits)
        told = await asked.call("PING")

    assert str(error) == "the state closed the connection"
    assert told == "PONG"


@pytest.mark.usefixtures("long_pause")
async def test_connecting_is_tried_again_in_a_moment(server: Valkey) -> None:
    """Once for all who wait; calls of the pause fail without a try."""
    server.ask("CONFIG", "SET", "requirepass", "another")
    async with (
        relay(server.path) as seen,
        client(f"redis://127.0.0.1:{seen.port}") as asked,
        client(f"{server.url}?password=another") as admin,
    ):
        errors = [await refused(asked.call("PING")) for _ in range(10)]
        tries = seen.connections
        await admin.call("CONFIG", "SET", "requirepass", "")
        asked._pause_until = 0.0  # the moment is over
        told = await asked.call("PING")

    assert (tries, told) == (1, "PONG")
    assert {error.code for error in errors} == {"NOAUTH"}


async def test_a_server_that_may_not_write_is_left(server: Valkey) -> None:
    """After a failover the name of the server means another: it is looked up anew."""
    async with relay(server.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        await asked.run(COUNT, ["n"], [1])
        server.ask("REPLICAOF", "127.0.0.1", "1")
        error = await refused(asked.run(COUNT, ["n"], [1]))
        server.ask("REPLICAOF", "NO", "ONE")
        told = await asked.run(COUNT, ["n"], [1])

    assert error.code == "READONLY"
    assert told == 2
    assert seen.connections == 2


@pytest.mark.usefixtures("long_pause")
async def test_a_server_that_goes_on_refusing_is_not_asked_again_and_again(
    server: Valkey,
) -> None:
    """A connection on which nothing was answered counts as a failure to connect."""
    async with relay(server.path) as seen, client(f"redis://127.0.0.1:{seen.port}") as asked:
        server.ask("REPLICAOF", "127.0.0.1", "1")
        errors = [await refused(asked.call("SET", "a", "b")) for _ in range(20)]

    assert errors[0].code == "READONLY"
    assert all("READONLY" in str(error) for error in errors)
    assert seen.connections == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"-ERR max number of clients reached\r\n", "max number of clients reached"),
        (b"-DENIED Redis is running in protected mode\r\n", "protected mode"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak as Redis"),
        (b"", "closed the connection|connection to the state broke"),
    ],
)
async def test_what_a_server_says_unasked_is_told(said: bytes, told: str) -> None:
    """It says why it takes nobody, and closes."""

    async def surly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with listening(surly) as url, client(url) as asked:
        with pytest.raises(StoreError, match=told):
            await asked.call("PING")


async def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    """At once, with the words of the system."""
    async with client(f"unix://{tmp_path / 'none'}") as asked:
        error = await refused(asked.call("PING"))

    assert "the state is out of reach: " in str(error)
    assert "No such file" in str(error)


async def test_closing_fails_who_waits_and_leaves_nothing(server: Valkey) -> None:
    """No task, no socket, no call afterwards."""
    asked = Client(server.url, timeout=PATIENCE)
    await asked.call("PING")
    server.pause()
    waits = [asyncio.create_task(asked.call("PING")) for _ in range(3)]
    await written(asked, 3, b"PING")
    await asked.aclose()
    told = await asyncio.gather(*waits, return_exceptions=True)
    await asked.aclose()
    error = await refused(asked.call("PING"))

    assert {str(each) for each in (*told, error)} == {"the state is closed"}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_ends_what_connects(server: Valkey) -> None:
    """In the middle of a greeting, and before it began."""
    server.pause()
    for turns in range(6):
        asked = Client(server.url, timeout=PATIENCE)
        waits = asyncio.create_task(asked.call("PING"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asked.aclose()

        assert str(await refused(waits)) == "the state is closed"
    assert asyncio.all_tasks() == {asyncio.current_task()}


# ── greeting ─────────────────────────────────────────────────────────────────────────────────


async def test_a_closed_client_has_closed_its_socket(
    valkey: Valkey, authority: trustme.CA, tmp_path: Path
) -> None:
    """When closing returns, not some turns later: also where TLS has its say."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with relay(valkey.path, serving(authority, "127.0.0.1")) as seen:
        for url in (valkey.url, f"rediss://127.0.0.1:{seen.port}?ca_file={file}"):
            asked = Client(url, timeout=PATIENCE)
            await asked.call("PING")
            assert asked._latest is not None
            assert asked._latest._transport is not None
            number = asked._latest._transport.get_extra_info("socket").fileno()
            before = str(Path(f"/proc/self/fd/{number}").readlink())
            await asked.aclose()

            assert before.startswith("socket:")
            assert before not in open_files()


async def test_the_server_knows_who_is_connected(valkey: Valkey) -> None:
    """Its list of clients names the gateway."""
    async with client(valkey.url) as asked:
        name = await asked.call("CLIENT", "GETNAME")

    assert name == "soe-gateway"


async def test_a_database_is_chosen(valkey: Valkey) -> None:
    """What is written there is not in another."""
    valkey.ask("FLUSHALL")
    async with (
        relay(valkey.path) as seen,
        client(f"redis://127.0.0.1:{seen.port}/3") as third,
        client(f"{valkey.url}?db=3") as same,
        client(valkey.url) as first,
    ):
        await third.call("SET", "a", "b")
        told = [await each.call("GET", "a") for each in (third, same, first)]

    assert told == ["b", "b", None]


async def test_a_database_that_is_not_there_is_told(valkey: Valkey) -> None:
    """Nothing goes to another instead."""
    async with client(f"{valkey.url}?db=99") as asked:
        error = await refused(asked.call("PING"))

    assert str(error) == "the state refused SELECT: ERR DB index is out of range"


async def test_a_password_opens(server: Valkey) -> None:
    """The server's own, or that of a user of its list; decoded from the URL."""
    server.ask("ACL", "SETUSER", "me@x", "on", f">{SECRET}-2", "~*", "+@all")
    server.ask("CONFIG", "SET", "requirepass", SECRET)
    async with (
        relay(server.path) as seen,
        client(f"redis://:{QUOTED}@127.0.0.1:{seen.port}") as default,
        client(f"redis://me%40x:{QUOTED}-2@127.0.0.1:{seen.port}/1") as named,
        client(f"{server.url}?username=me%40x&password={QUOTED}-2") as local,
    ):
        told = [await each.call("ACL", "WHOAMI") for each in (default, named, local)]

    assert told == ["default", "me@x", "me@x"]


async def test_a_wrong_password_is_told_and_not_repeated(server: Valkey) -> None:
    """Also by calls of the moment after it."""
    server.ask("CONFIG", "SET", "requirepass", "right")
    async with client(f"{server.url}?password={QUOTED}") as asked:
        errors = [await refused(asked.call("PING")) for _ in range(3)]

    assert {error.code for error in errors} == {"WRONGPASS"}
    assert all("the state refused AUTH: WRONGPASS" in str(error) for error in errors)
    assert all(SECRET not in str(error) for error in errors)


@pytest.mark.parametrize("said", ["-ERR AUTH {} is what?\r\n", "-ERR no, with args {}\r\n"])
async def test_a_server_that_repeats_a_password_is_not_quoted(said: str) -> None:
    """Old ones do, where AUTH goes by another name."""

    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"soe-gateway\r\n")
        writer.write(said.format(SECRET).encode() + b"+OK\r\n")
        await reader.read()

    async with listening(chatty) as url, client(url.replace("//", f"//:{QUOTED}@")) as asked:
        error = await refused(asked.call("PING"))

    assert "AUTH: ERR" in str(error)
    assert SECRET not in str(error)


async def test_a_user_who_may_name_nothing_is_served(server: Valkey) -> None:
    """The name is for people who look; nothing depends on it."""
    server.ask("ACL", "SETUSER", "me", "on", ">word", "~*", "+echo")
    async with client(f"{server.url}?username=me&password=word") as asked:
        told = await asked.call("ECHO", "a")
        error = await refused(asked.call("GET", "a"))

    assert told == "a"
    assert error.code == "NOPERM"


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority of the company's own."""
    return trustme.CA()


def serving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """What a server of this name shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls_with_an_authority_of_ones_own(
    valkey: Valkey, authority: trustme.CA, tmp_path: Path
) -> None:
    """Many calls at once go through it, and closing closes it."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with relay(valkey.path, serving(authority, "127.0.0.1")) as seen:
        url = f"rediss://127.0.0.1:{seen.port}?ca_file={file}"
        async with client(url) as asked:
            told = await asyncio.gather(*[asked.call("ECHO", number) for number in range(100)])

    assert told == [str(number) for number in range(100)]


@pytest.mark.parametrize(
    ("name", "own", "told"),
    [
        ("127.0.0.1", False, "unable to get local issuer|self.signed"),
        ("cache.example", True, "IP address mismatch"),
    ],
)
async def test_a_server_that_cannot_be_verified_gets_nothing(
    valkey: Valkey, authority: trustme.CA, tmp_path: Path, name: str, own: bool, told: str
) -> None:
    """Not signed by whom we trust, or for another name: not a byte of a password."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with relay(valkey.path, serving(authority, name)) as seen:
        query = f"?ca_file={file}" if own else ""
        async with client(f"rediss://:secret@127.0.0.1:{seen.port}{query}") as asked:
            with pytest.raises(StoreError, match=told):
                await asked.call("PING")

    assert seen.written == []
