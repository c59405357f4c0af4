"""Log lines: whole, in order, never in the way of what they tell of."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import select
from collections.abc import Iterator

import orjson
import pytest

from gateway.observe.logs import EVENTS, Output, events_reference, logger
from tests.shared import ROOT


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that nobody reads but the test: its reading end, its writing end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


def lines(reading: int) -> list[bytes]:
    """The lines that stand in the pipe, taken out."""
    read = bytearray()
    try:
        while chunk := os.read(reading, 65_536):
            read += chunk
    except BlockingIOError:
        pass
    return bytes(read).splitlines()


def fill(writing: int) -> int:
    """Fill the pipe to its last byte; give how many lines of one byte that took."""
    os.set_blocking(writing, False)
    filled = 0
    try:
        while True:
            filled += os.write(writing, b"\n" * 65_536)
    except BlockingIOError:
        os.set_blocking(writing, True)
        return filled


def test_a_line_is_one_json_object_with_level_and_time(pipe: tuple[int, int]) -> None:
    """What is told comes out as it was given, under its event, with an ISO time."""
    log = logger("info", Output(pipe[1]))
    log.warning("settings.weak", setting="state.url: …\n\u2028")

    (line,) = lines(pipe[0])
    told = orjson.loads(line)
    assert told.pop("at") > 1_700_000_000
    assert told == {"event": "settings.weak", "level": "warning", "setting": "state.url: …\n\u2028"}


def test_a_name_that_is_no_utf8_does_not_break_the_line(pipe: tuple[int, int]) -> None:
    """A file's name may hold any bytes; it is shown escaped."""
    log = logger("info", Output(pipe[1]))
    log.error("policies.refused", problems=["caf\udce9.yaml:1:1: no"])

    (line,) = lines(pipe[0])
    assert rb"caf\udce9.yaml" in line


def test_levels_below_the_chosen_one_are_silent(pipe: tuple[int, int]) -> None:
    """`log.level: error` tells errors alone."""
    log = logger("error", Output(pipe[1]))
    log.info("request.finished")
    log.warning("settings.weak")
    log.error("audit.failed")

    assert [orjson.loads(line)["event"] for line in lines(pipe[0])] == ["audit.failed"]


async def test_daily_lines_come_out_by_themselves(pipe: tuple[int, int]) -> None:
    """Nobody has to flush: a line is written a moment after it was told."""
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe[0], readable.set)
    output = Output(pipe[1])
    output.later(b"a")
    output.later(b"b")
    assert lines(pipe[0]) == []
    await readable.wait()
    asyncio.get_running_loop().remove_reader(pipe[0])

    assert lines(pipe[0]) == [b"a", b"b"]


def test_a_warning_brings_what_was_told_before_it(pipe: tuple[int, int]) -> None:
    """Lines stay in their order, and one that matters does not wait."""
    output = Output(pipe[1])
    output.later(b"a")
    output.now(b"b")

    assert lines(pipe[0]) == [b"a", b"b"]


def test_a_reader_that_stands_still_stops_nothing(pipe: tuple[int, int]) -> None:
    """With the pipe full, lines wait up to a bound, then they are dropped and counted."""
    dropped: list[int] = []
    output = Output(pipe[1], dropped.append)
    filled = fill(pipe[1])
    told = [b"%06d" % number + bytes(1000) for number in range(1000)]
    for line in told:
        output.now(line)
    assert dropped
    taken = lines(pipe[0])[filled:]
    for _ in range(100):
        output.flush()
        taken += lines(pipe[0])

    assert taken == told[: 1000 - sum(dropped)]


def test_lines_are_written_whole_where_they_fit(pipe: tuple[int, int]) -> None:
    """No write to a pipe ends in the middle of a line that another writer could cut in two."""
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
    output = Output(pipe[1])
    for number in range(30):
        output.later(b"%03d" % number + b"x" * 497)
    output.flush()

    assert [len(line) for line in lines(pipe[0])] == [500] * 8


def test_a_line_longer_than_a_pipe_takes_at_once_arrives(pipe: tuple[int, int]) -> None:
    """A long line is written in pieces and blocks nobody."""
    output = Output(pipe[1])
    output.now(b"x" * 10_000)

    assert lines(pipe[0]) == [b"x" * 10_000]


def test_a_reader_that_went_away_is_counted() -> None:
    """With nobody at the other end, lines are lost, and nothing else happens."""
    dropped: list[int] = []
    reading, writing = os.pipe()
    os.close(reading)
    output = Output(writing, dropped.append)
    output.later(b"a")
    output.now(b"b")
    os.close(writing)

    assert sum(dropped) == 2


def test_every_event_that_is_told_is_listed() -> None:
    """No line can come out whose event the reference does not explain, and none is listed in vain."""
    source = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    told = re.findall(r"(?:_log\.\w+|observer\.event|\b_?tell)\(\s*\"(\w+\.\w+)\"", source)
    told += re.findall(r'"event": "(\w+\.\w+)"', source)

    assert {event for event in told if not event.startswith("sandbox.")} == set(EVENTS)


def test_the_reference_has_every_event() -> None:
    """The page that is made from the table leaves nothing out."""
    rows = events_reference().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == list(EVENTS)
