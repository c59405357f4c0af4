"""A log that another process reads comes as it does where it is read here."""

from __future__ import annotations

import asyncio
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.offline.records.order import Decided, Event, in_order
from gateway.offline.records.read import Spoilt, records
from gateway.offline.replaying.ahead import read_ahead
from gateway.state.memory import MemoryStore
from tests.offline.replaying.test_replay import COPIES, TEXT, a_set
from tests.recording import Sent, play


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of some hundred writes, the last line torn."""
    policies = a_set(tmp_path / "policies", COPIES)
    sent = [Sent(body=f"{TEXT} {number}", act=None) for number in range(150)]
    played = asyncio.run(play(policies, sent, MemoryStore(90 * 86_400.0)))
    path = played.log.write(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"kind":"deci')
    return path


def without_records(events: list[Event]) -> list[Event]:
    """Events, as they are sent."""
    return [
        Decided(replace(each.decision, record={}), each.writer)
        if isinstance(each, Decided)
        else each
        for each in events
    ]


def test_what_is_read_ahead_is_what_stands_there(log: Path) -> None:
    """All events in their order, every byte told of, and what could not be read."""
    here, ahead, done = Spoilt(), Spoilt(), list[int]()
    expected = without_records(list(in_order(records([log], here))))
    found = list(read_ahead([log], ahead, done.append))

    assert found == expected
    assert (ahead.count, ahead.told) == (here.count, here.told)
    assert sum(done) == log.stat().st_size


def test_who_reads_ahead_ends_when_nobody_wants_more(log: Path) -> None:
    """So nothing runs on after Ctrl-C."""
    read = read_ahead([log], Spoilt(), lambda _: None)
    next(read)
    read.close()

    assert not multiprocessing.active_children()


def test_a_file_that_cannot_be_opened_is_told_of_here(tmp_path: Path) -> None:
    """As if it had been read here."""
    with pytest.raises(FileNotFoundError):
        list(read_ahead([tmp_path / "audit-a-000001.jsonl"], Spoilt(), lambda _: None))
