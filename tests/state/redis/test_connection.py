"""Answers belong to commands by their order, however the network cuts them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.state.redis.address import Address
from gateway.state.redis.connection import Call, Connection

texts = st.text(max_size=12)
words = st.sampled_from(["OK", "QUEUED", ""])
codes = st.sampled_from(["ERR", "OOM", "LOST"])
simple = st.one_of(
    st.tuples(st.just("+"), words),
    st.tuples(st.just("-"), codes),
    st.tuples(st.just(":"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("$"), st.none() | texts),
)
replies = st.recursive(
    simple,
    lambda inner: st.tuples(st.just("*"), st.none() | st.lists(inner, max_size=4)),
    max_leaves=8,
)


class Wire(asyncio.Transport):
    """The end of a connection that nothing is behind."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


def wired() -> tuple[Connection, Wire, list[str]]:
    """A connection, what it writes to, and why it ended."""
    ends: list[str] = []
    wire = Wire()
    made = Connection(asyncio.get_running_loop(), lambda _, trouble: ends.append(trouble))
    made.connection_made(wire)
    return made, wire, ends


def ask(connection: Connection, count: int) -> list[asyncio.Future[Any]]:
    """Write so many commands at once, whose answers are text."""
    return ask_for(connection, [True] * count)


def ask_for(connection: Connection, are_texts: list[bool]) -> list[asyncio.Future[Any]]:
    """Write commands at once, of which some are answered with text and some with bytes."""
    loop = asyncio.get_running_loop()
    calls: list[Call] = [
        (b"%d;" % number, loop.create_future(), 0.0, is_text)
        for number, is_text in enumerate(are_texts)
    ]
    connection.write(calls)
    return [answer for _, answer, *_ in calls]


def raw(reply: tuple[str, Any]) -> bytes:
    """A reply as the server writes it."""
    kind, value = reply
    if value is None:
        return kind.encode() + b"-1\r\n"
    if kind == "$":
        data = value.encode()
        return b"$%d\r\n%s\r\n" % (len(data), data)
    if kind == "*":
        return b"*%d\r\n%s" % (len(value), b"".join(map(raw, value)))
    return f"{kind}{value}\r\n".encode()


def read(reply: tuple[str, Any]) -> Any:
    """A reply as its caller sees it; an error is its code in a tuple."""
    kind, value = reply
    if kind == "*" and value is not None:
        return [read(each) for each in value]
    return (value,) if kind == "-" else value


def seen(answer: Any) -> Any:
    """The same of what came."""
    if isinstance(answer, list):
        return [seen(each) for each in answer]
    return (answer.code,) if isinstance(answer, StoreError) else answer


@given(told=st.lists(replies, min_size=1, max_size=6), data=st.data())
def test_any_cut_of_the_bytes_gives_the_same_answers(
    told: list[tuple[str, Any]], data: st.DataObject
) -> None:
    """One byte at a time or all at once: each caller gets its own answer, whole."""
    whole = b"".join(map(raw, told))
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8))
    edges = [0, *sorted(cuts), len(whole)]

    async def exchange() -> list[Any]:
        connection, _, ends = wired()
        answers = ask(connection, len(told))
        for start, stop in pairwise(edges):
            connection.data_received(whole[start:stop])
        assert not ends
        assert not connection.waiting
        return await asyncio.gather(*answers, return_exceptions=True)

    assert [seen(each) for each in asyncio.run(exchange())] == [read(each) for each in told]


@given(st.binary(max_size=64), st.integers(0, 3))
def test_whatever_comes_nothing_but_store_errors_leaves(rubbish: bytes, count: int) -> None:
    """Rubbish ends the connection, or is an answer, or the beginning of one; nobody is forgotten."""

    async def exchange() -> list[Any]:
        connection, _, _ = wired()
        answers = ask(connection, count)
        connection.data_received(rubbish)
        connection.connection_lost(None)
        assert all(answer.done() for answer in answers)
        return await asyncio.gather(*answers, return_exceptions=True)

    errors = [each for each in asyncio.run(exchange()) if isinstance(each, BaseException)]
    assert all(isinstance(each, StoreError) for each in errors)


async def test_calls_go_out_in_one_write() -> None:
    """In the order in which they were asked."""
    connection, wire, _ = wired()
    for answer in ask(connection, 3):
        answer.cancel()

    assert wire.pieces == [b"0;1;2;"]


async def test_who_left_takes_no_answer_of_another() -> None:
    """The answer comes, finds nobody and is dropped."""
    connection, _, ends = wired()
    first, second = ask(connection, 2)
    first.cancel()
    connection.data_received(b"+first\r\n+second\r\n")

    assert second.result() == "second"
    assert not ends


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    """The order is lost, and with it who is meant."""
    connection, wire, ends = wired()
    (answer,) = ask(connection, 1)
    connection.data_received(b"+one\r\n+two\r\n")

    assert answer.result() == "one"
    assert wire.aborted
    assert ends == ["the connection to the state was given up: nobody had asked"]


async def test_what_comes_after_the_end_is_not_read() -> None:
    """Not even an answer that was on its way."""
    connection, _, ends = wired()
    (answer,) = ask(connection, 1)
    connection.end("late")
    connection.data_received(b"+one\r\n")
    connection.eof_received()

    assert str(answer.exception()) == "late"
    assert ends == ["late"]


async def test_a_greeting_that_was_answered_too_late_is_none() -> None:
    """The server says yes and closes: nobody is given a connection that has ended."""
    connection, wire, _ = wired()
    greeting = asyncio.create_task(connection.greet(Address(path="/s")))
    await asyncio.sleep(0)
    connection.data_received(b"+OK\r\n")
    connection.eof_received()
    with pytest.raises(StoreError, match="closed the connection"):
        await greeting

    assert wire.pieces == [b"*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$11\r\nsoe-gateway\r\n"]


async def test_why_a_server_closes_is_told_rather_than_that_it_does() -> None:
    """Its words come first, and its end may come before anybody read them."""
    connection, _, _ = wired()
    greeting = asyncio.create_task(connection.greet(Address(path="/s", database=1)))
    await asyncio.sleep(0)
    connection.data_received(b"-ERR max number of clients reached\r\n")
    connection.eof_received()

    with pytest.raises(StoreError, match="ERR max number of clients"):
        await greeting


async def test_what_is_no_text_comes_all_the_same() -> None:
    """Somebody else's bytes in the database are no reason to fail."""
    connection, _, _ = wired()
    (answer,) = ask(connection, 1)
    connection.data_received(b"$2\r\n\xffa\r\n")

    assert answer.result() == "\ufffda"


@pytest.mark.parametrize("cut", range(1, 50))
async def test_bytes_stay_bytes_among_texts_wherever_they_are_cut(cut: int) -> None:
    """Each caller gets what it asked for, also where an answer came in two pieces."""
    connection, _, _ = wired()
    whole = b"+one\r\n*2\r\n$2\r\n\xff\x00\r\n+two\r\n$5\r\nthree\r\n-WRONG\r\n+four\r\n"
    answers = ask_for(connection, [True, False, True, False, False])
    for piece in (whole[:cut], whole[cut:]):
        connection.data_received(piece)
    told = await asyncio.gather(*answers, return_exceptions=True)

    assert [seen(each) for each in told] == [
        "one",
        [b"\xff\x00", b"two"],
        "three",
        ("WRONG",),
        b"four",
    ]
