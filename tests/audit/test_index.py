"""The index of the audit log: how it follows, and what it sums up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.index.entries import (
    Found,
    Hour,
    IntegrationTotals,
    Place,
    RuleHour,
    RuleTotals,
    Selection,
)
from gateway.audit.index.file import path_in
from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from tests.audit.written import AT, Writer, decision, outcome, pack

HOUR = AT - AT % 3600


@pytest.fixture
def log(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "audit")


@pytest.fixture
def index(log: Writer) -> Iterator[Index]:
    with closing(Index(log.directory)) as opened:
        yield opened


def read(index: Index) -> Index:
    while index.step():
        pass
    return index


def record_at(log: Writer, place: Place) -> Mapping[str, Any] | None:
    with closing(Lines(log.directory)) as records:
        return records.record(place)


def ids(index: Index) -> list[str]:
    return [each.id for each in read(index).entries()]


def test_an_entry_joins_a_decision_with_its_outcome(log: Writer, index: Index) -> None:
    """What was decided and what became of it stand in one row, with what rules found."""
    found = [("copies", "observe", "fail", "duplicate"), ("acted", "enforce", "pass", None)]
    log.write(
        decision("1", person="p", thread="question/7", findings=found),
        outcome("1", post="answer/9", url="https://soe/a/9", upstream_status=200),
    )

    entry = read(index).one("1")

    assert entry is not None
    assert (entry.outcome, entry.post, entry.url) == ("ok", "answer/9", "https://soe/a/9")
    assert (entry.person, entry.thread, entry.upstream_status) == ("p", "question/7", 200)
    assert entry.found == (Found(rule="copies", mode="observe", result="fail", code="duplicate"),)
    assert (entry.latency, entry.place.offset) == (0.25, 0)


def test_a_line_is_read_when_it_ends(log: Writer, index: Index) -> None:
    """A torn line is no record; one whose rest comes later is."""
    log.write(decision("1"))
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-20])
    before = ids(index)
    log.path.write_bytes(whole)

    assert (before, ids(index)) == ([], ["1"])


def test_a_packed_segment_is_not_read_again(log: Writer, index: Index) -> None:
    """The same bytes under another name are known; reading goes on behind them."""
    log.write(decision("1"), outcome("1"))
    read(index)
    pack(log.path)

    assert index.step() == 0
    assert index.behind() == 0
    assert ids(index) == ["1"]


def test_what_was_cut_from_the_log_goes(log: Writer, index: Index) -> None:
    """With a segment go its writes, what rules found against them, and its deeds."""
    log.write(decision("1", findings=[("copies", "enforce", "fail", "duplicate")]))
    log.write({"schema": 2, "kind": "admin", "event": "state.reset", "at": AT})
    first = log.path
    log.rotate()
    log.write(outcome("1"), decision("2"))
    read(index)
    first.unlink()

    assert ids(index) == ["2"]
    assert (index.rules(), index.deeds()) == ((), ())


def test_what_was_rewritten_is_read_anew_with_all_that_follows(log: Writer, index: Index) -> None:
    """A file put in the place of another is believed, and outcomes in later ones stay joined."""
    log.write(decision("1", person="jane"))
    log.rotate()
    log.write(outcome("1", post="question/5"))
    read(index)
    first = log.path.with_name(log.path.name.replace("000002", "000001"))
    other = log.directory / "other"
    other.write_bytes(first.read_bytes().replace(b'"jane"', b'"gone"'))
    other.replace(first)

    entry = read(index).one("1")

    assert entry is not None
    assert (entry.person, entry.post) == ("gone", "question/5")


def test_a_damaged_packed_segment_ends_where_it_is_damaged(log: Writer, index: Index) -> None:
    """What can be read is there, what cannot is counted, and the next segments are read."""
    log.write(*(decision(str(number)) for number in range(100)))
    pack(log.path)
    packed = next(log.directory.iterdir())
    packed.write_bytes(packed.read_bytes()[:-200])
    log.rotate()
    log.write(decision("last"))

    found = ids(index)

    assert (found[0], found[-1]) == ("0", "last")
    assert len(found) < 101
    assert index.spoilt() == 1


@pytest.mark.parametrize(
    "line", [b"no json\n", b"[]\n", b'{"kind":"decision","at":1}\n', b'{"kind":"outcome"}\n', b"\n"]
)
def test_what_is_no_record_is_counted_and_passed_over(
    log: Writer, index: Index, line: bytes
) -> None:
    """A damaged line hides no other."""
    log.path.write_bytes(line)
    log.write(decision("1"))

    assert ids(index) == ["1"]
    assert index.spoilt() == 1


def test_a_write_has_its_turn_when_it_ends(log: Writer, index: Index) -> None:
    """Who waits for news is told of each write once, when all of it is known."""
    log.write(decision("1"), decision("2", effect="refuse"))
    first = read(index).ended_after(0)
    log.write(outcome("1"))
    then = read(index).ended_after(index.turn() - 1)

    assert [each.id for each in first] == ["2"]
    assert [each.id for each in then] == ["1"]


def test_pages_go_on_where_the_one_before_ended(log: Writer, index: Index) -> None:
    """A cursor passes nothing over and gives nothing twice, also among writes of one instant."""
    log.write(*(decision(str(number), AT + number // 3) for number in range(9)))
    read(index)
    seen, before = [], None
    while page := index.newest(limit=2, before=before):
        seen += [each.id for each in page]
        before = page[-1].cursor

    assert seen == [str(number) for number in range(8, -1, -1)]


def test_the_sums_of_the_last_day(log: Writer, index: Index) -> None:
    """By hour, integration and effect; by rule; with what a softer rule would have denied."""
    log.write(
        decision("1", findings=[("copies", "observe", "fail", "duplicate")]),
        decision("2", AT + 1, effect="refuse", findings=[("acted", "enforce", "fail", "no_act")]),
        decision("3", AT + 2, effect="hold", findings=[("caps", "enforce", "error", None)]),
        decision("4", AT - 86_400, integration="ops-bot"),
    )
    read(index)

    assert index.hours(HOUR) == (
        Hour(at=HOUR, integration="help-bot", effect="allow", writes=1),
        Hour(at=HOUR, integration="help-bot", effect="hold", writes=1),
        Hour(at=HOUR, integration="help-bot", effect="refuse", writes=1),
    )
    assert index.rule_hours(HOUR) == (
        RuleHour(at=HOUR, rule="acted", mode="enforce", hits=1),
        RuleHour(at=HOUR, rule="copies", mode="observe", hits=1),
    )
    assert index.integrations() == (
        IntegrationTotals(integration="help-bot", writes=3, refused=1, held=1, last=AT + 2),
        IntegrationTotals(integration="ops-bot", writes=1, refused=0, held=0, last=AT - 86_400),
    )
    assert index.rules() == (
        RuleTotals(rule="acted", hits=1, would_deny=0, errors=0, last=AT + 1),
        RuleTotals(rule="caps", hits=0, would_deny=0, errors=1, last=AT + 2),
        RuleTotals(rule="copies", hits=1, would_deny=1, errors=0, last=AT),
    )


def test_deeds_are_told_with_their_facts(log: Writer, index: Index) -> None:
    """What was done to the gateway is there, the newest first, without the chain's members."""
    log.write(
        {"schema": 2, "kind": "admin", "event": "state.reset", "at": AT, "what": "cap", "by": "jo"},
        {"schema": 2, "kind": "admin", "event": "audit.closed", "at": AT + 1},
    )

    deeds = read(index).deeds()

    assert [(each.event, each.facts) for each in deeds] == [
        ("audit.closed", {}),
        ("state.reset", {"what": "cap", "by": "jo"}),
    ]


def test_a_record_is_read_at_its_place(log: Writer, index: Index) -> None:
    """The whole record comes from the log itself, packed or not; None when it went."""
    log.write(decision("1"), decision("2", user_agent="other/1"))
    entry = read(index).one("2")
    assert entry is not None
    told = [record_at(log, entry.place)]
    pack(log.path)
    told.append(record_at(log, entry.place))
    next(log.directory.iterdir()).unlink()
    told.append(record_at(log, entry.place))

    assert [each and each["user_agent"] for each in told] == ["other/1", "other/1", None]


@pytest.mark.parametrize("damage", ["gone", "no database", "another version", "cut short"])
def test_a_file_that_is_of_no_use_is_made_anew(log: Writer, tmp_path: Path, damage: str) -> None:
    """It may be deleted, damaged or of another version: the log is read again."""
    log.write(decision("1"))
    path = path_in(tmp_path, log.directory)
    with closing(Index(log.directory, path)) as first:
        read(first)
    if damage == "gone":
        path.unlink()
    elif damage == "another version":
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")
    else:
        path.write_bytes(b"rubbish" * 1000 if damage == "no database" else path.read_bytes()[:50])

    with closing(Index(log.directory, path)) as second:
        assert ids(second) == ["1"]


def test_two_build_one_file_together(log: Writer, tmp_path: Path) -> None:
    """A command beside the gateway reads on where it stands, and nothing twice."""
    log.write(*(decision(str(number)) for number in range(10)))
    path = path_in(tmp_path, log.directory)
    with closing(Index(log.directory, path)) as one, closing(Index(log.directory, path)) as other:
        one.step(4)
        other.step(4)
        one.step(4)

        assert one.count() == other.count() == 10
        assert one.newest(Selection(), 1) == other.newest(Selection(), 1)
