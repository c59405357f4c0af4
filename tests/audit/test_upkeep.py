"""Checkpoints are told, complete files are packed, and what is too old goes; all verifies after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit import record, retention
from gateway.audit.chain import begun
from gateway.audit.checkpoints import Checkpoint, read_checkpoints
from gateway.audit.packing import complete, pack
from gateway.audit.people import Pseudonyms
from gateway.audit.recovery import continued, recover
from gateway.audit.schema.published import schema
from gateway.audit.segments import lines, raw_lines, segment, segments
from gateway.audit.sinks import FileSink
from gateway.audit.upkeep import Upkeep
from gateway.audit.writer import AuditWriter
from gateway.errors import AuditError
from tests.audit.chains import (
    KEYS,
    WRITER,
    a_checkpoint,
    append,
    closed,
    of_writer,
    outcomes,
    proven,
)
from tests.audit.disks import KEYS as ONE_KEY
from tests.audit.disks import NOW, REFUSE, StoppedClock, raw
from tests.patience import PATIENCE
from tests.samples import a_write


class Events:
    """What was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))


@contextlib.asynccontextmanager
async def kept(
    folder: Path, writer: str, events: Events, **changes: Any
) -> AsyncIterator[tuple[AuditWriter, Upkeep]]:
    """A log with its upkeep, whose turns the test takes itself."""
    terms: dict[str, Any] = {"checkpoints": ["stdout:"], "every": 3600.0, **changes}
    upkeep = Upkeep([folder], ONE_KEY, StoppedClock(), events, **terms)
    log = AuditWriter(
        [FileSink(folder, writer)],
        begun(writer, ONE_KEY),
        StoppedClock(),
        durable_within=PATIENCE,
        upkeep=upkeep,
    )
    try:
        yield log, upkeep
    finally:
        await log.close()


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────


async def test_a_checkpoint_tells_what_is_durable(tmp_path: Path) -> None:
    """In the log and in a file, once for each state; the last one at the end."""
    events, place = Events(), tmp_path / "elsewhere"
    places = ["stdout:", f"file://{place}"]
    async with kept(tmp_path / "audit", "w", events, checkpoints=places) as (log, upkeep):
        await log.decided(a_write(), REFUSE)
        await log.decided(a_write(), REFUSE)
        upkeep.turn()
        upkeep.turn()
    found = list(read_checkpoints([place], ONE_KEY))
    macs = [line[-67:-3].decode() for line in raw(tmp_path / "audit")]

    assert [(each["seq"], each["last"]) for _, each in events.told] == [(2, macs[1]), (3, macs[2])]
    assert [each.head for each in found if isinstance(each, Checkpoint)] == [
        (2, macs[1]),
        (3, macs[2]),
    ]
    assert (
        proven(tmp_path / "audit", [e for e in found if isinstance(e, Checkpoint)])[0].unproven == 0
    )


@pytest.mark.parametrize("change", [(b'"seq":1', b'"seq":2'), (b'"w"', b'"v"')])
async def test_a_checkpoint_that_was_changed_is_told(
    tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    """It proves itself, by a key of the log."""
    place = tmp_path / "elsewhere"
    async with kept(tmp_path / "audit", "w", Events(), checkpoints=[f"file://{place}"]):
        pass
    path = place / "checkpoints-w.jsonl"
    path.write_bytes(b"other\n" + path.read_bytes().replace(*change))
    [found] = read_checkpoints([path], ONE_KEY)

    assert isinstance(found, str)
    assert found.startswith(f"{path}:2: ")


async def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """It is told, and tried again at the next turn."""
    (tmp_path / "file").touch()
    events, places = Events(), [f"file://{tmp_path / 'file'}"]
    async with kept(tmp_path / "audit", "w", events, checkpoints=places) as (log, upkeep):
        await log.decided(a_write(), REFUSE)
        upkeep.turn()
        await log.decided(a_write(), REFUSE)

    assert {event for event, _ in events.told} == {"audit.upkeep_failed"}


async def test_writers_record_how_far_the_others_came(tmp_path: Path) -> None:
    """As it was at the turn before; then two that are idle say nothing more."""
    async with (
        kept(tmp_path, "a", Events()) as (one, of_one),
        kept(tmp_path, "b", Events()) as (two, of_two),
    ):
        await one.decided(a_write(id="1"), REFUSE)
        await two.decided(a_write(id="2"), REFUSE)
        for _ in range(6):
            of_one.turn()
            of_two.turn()
    found = [line for writer in "ab" for line in lines(segments(tmp_path)[writer])]

    assert 2 <= sum(b"audit.checkpoint" in line for line in found) <= 4
    assert [(each.fault, each.proven is not None) for each in proven(tmp_path)] == [
        (None, True)
    ] * 2


# ── packing ──────────────────────────────────────────────────────────────────────────────────


def three_segments(folder: Path, count: int = 60, at: float = NOW) -> None:
    """A log of a process that ended."""
    chain = begun(WRITER, KEYS)
    for number in range(3):
        told = outcomes(count // 3, at + number * 1000)
        append(folder, chain, told if number < 2 else [*told, closed(at + 3000)])


def test_complete_segments_are_packed_and_read_as_before(tmp_path: Path) -> None:
    """The last of a writer stays as it is: a start looks at its end."""
    three_segments(tmp_path)
    before = of_writer(tmp_path)
    for path in complete(tmp_path):
        assert pack(path)

    assert [path.suffix for path in segments(tmp_path)[WRITER]] == [".gz", ".gz", ".jsonl"]
    assert list(lines(segments(tmp_path)[WRITER])) == before
    assert proven(tmp_path)[0].fault is None
    assert {path.stat().st_mode & 0o777 for path in segments(tmp_path)[WRITER]} == {0o600}


def test_a_crash_while_packing_loses_nothing(tmp_path: Path) -> None:
    """Before the file has its name it is begun anew; after that both are there, and one counts."""
    three_segments(tmp_path)
    first, second, _ = segments(tmp_path)[WRITER]
    (tmp_path / f".{first.name}.gz.part").write_bytes(b"half of it")
    was = second.read_bytes()
    pack(second)
    second.write_bytes(was)
    seen = proven(tmp_path)[0].fault
    for path in complete(tmp_path):
        pack(path)

    assert seen is None
    assert proven(tmp_path)[0].fault is None
    assert len(list(tmp_path.iterdir())) == 3


def test_a_segment_that_is_written_is_not_packed(tmp_path: Path) -> None:
    """Its writer holds it; nor is one while we are to stop."""
    three_segments(tmp_path)
    path = next(complete(tmp_path))
    stopped = pack(path, lambda: True)
    sink = FileSink(tmp_path, "w")
    held = pack(segment(tmp_path, "w", 1))
    sink.close()

    assert (stopped, held) == (False, False)
    assert path.exists()


def test_a_segment_that_is_packed_while_it_is_read_is_found(tmp_path: Path) -> None:
    """Whoever listed the directory before finds the packed file."""
    three_segments(tmp_path)
    paths = segments(tmp_path)[WRITER]
    for path in complete(tmp_path):
        pack(path)

    assert len(list(raw_lines(paths))) == 61


# ── what is too old ──────────────────────────────────────────────────────────────────────────


class Recorder:
    """Records what is cut, as another writer."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._chain = folder, begun("host-9", KEYS)

    def __call__(self, event: str, **facts: Any) -> None:
        append(self._folder, self._chain, [record.admin(event, NOW, **facts)])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    befores=st.lists(st.floats(NOW - 100, NOW + 4000), min_size=1, max_size=4),
    packed=st.booleans(),
    last=st.booleans(),
)
def test_whatever_is_cut_the_rest_verifies(
    tmp_path_factory: pytest.TempPathFactory, befores: list[float], packed: bool, last: bool
) -> None:
    """No record goes that is not older; what is left is whole, and says that it was cut."""
    folder = tmp_path_factory.mktemp("log")
    three_segments(folder)
    was = of_writer(folder)
    if packed:
        for path in complete(folder):
            pack(path)
    recorder = Recorder(folder)
    for before in befores:
        retention.cut(folder, before, recorder)
    found = proven(folder)
    left = of_writer(folder)

    assert [each.fault for each in found] == [None] * len(found)
    assert left == was[len(was) - len(left) :]
    gone = was[: len(was) - len(left)]
    assert all(instant(line) < max(befores) for line in gone)
    if gone and left:
        assert [each.cut for each in found if each.writer == WRITER] == [NOW]


def instant(line: bytes) -> float:
    """When a record was made."""
    return float(orjson.loads(line)["at"])


def test_a_cut_that_nobody_recorded_is_a_fault(tmp_path: Path) -> None:
    """Nor one of which the record says another."""
    three_segments(tmp_path)
    retention.cut(tmp_path, NOW + 1500, Recorder(tmp_path))
    segments(tmp_path)[WRITER][0].unlink()
    [fault] = [each.fault for each in proven(tmp_path) if each.writer == WRITER]

    assert fault is not None
    assert "no record says" in fault.why


def test_a_cut_that_was_broken_off_verifies(tmp_path: Path) -> None:
    """It was recorded before the first file went; some may be there still."""
    three_segments(tmp_path)
    kept = {path: path.read_bytes() for path in segments(tmp_path)[WRITER]}
    retention.cut(tmp_path, NOW + 2500, Recorder(tmp_path))
    second = list(kept)[1]
    second.write_bytes(kept[second])

    assert [each.fault for each in proven(tmp_path)] == [None, None]


def test_nothing_goes_that_could_not_be_recorded(tmp_path: Path) -> None:
    """The record is durable before the first file goes."""
    three_segments(tmp_path)

    def fails(_event: str, **_facts: object) -> None:
        raise AuditError("no")

    with pytest.raises(AuditError):
        retention.cut(tmp_path, NOW + 9999, fails)
    assert len(segments(tmp_path)[WRITER]) == 3


def test_a_writer_that_is_gone_altogether_is_not_missed(tmp_path: Path) -> None:
    """Though checkpoints know it, from here and from elsewhere, as the record says that it went."""
    three_segments(tmp_path)
    last = of_writer(tmp_path)[-1]
    retention.cut(tmp_path, NOW + 9999, Recorder(tmp_path))
    found = proven(tmp_path, [a_checkpoint(last, 61)])
    beyond = proven(tmp_path, [a_checkpoint(last, 62, at=NOW + 10_000)])

    assert [(each.writer, each.fault) for each in found] == [("host-9", None)]
    assert beyond[1].fault is not None


def test_a_start_copes_with_a_log_whose_beginning_was_cut(tmp_path: Path) -> None:
    """A dead writer is closed, and its chain goes on, from where it stands."""
    chain = begun(WRITER, KEYS)
    for number in range(3):
        append(tmp_path, chain, outcomes(20, NOW + number * 1000))
    retention.cut(tmp_path, NOW + 2500, Recorder(tmp_path))
    recover(tmp_path, KEYS, NOW)
    again = continued([tmp_path], "host", KEYS)

    assert again is not None
    assert again.head.seq == 61
    assert [each.fault for each in proven(tmp_path)] == [None, None]


async def test_old_records_go_by_themselves(tmp_path: Path) -> None:
    """With `audit.retention`, and complete files are packed, by one process at a time."""
    three_segments(tmp_path, at=NOW - 5000)
    three_segments(tmp_path / "elsewhere")
    events = Events()
    async with kept(tmp_path, "w", events, retention=3500.0, compress=True) as (_, upkeep):
        with retention.alone(tmp_path) as alone:
            await asyncio.to_thread(upkeep.turn)
            before = len(segments(tmp_path)[WRITER])
        await asyncio.to_thread(upkeep.turn)

    assert (alone, before) == (True, 3)
    assert [path.suffix for path in segments(tmp_path)[WRITER]] == [".gz", ".jsonl"]
    assert ("audit.cut", {"segments": 1, "before": NOW - 3500.0}) in events.told
    assert [each.fault for each in proven(tmp_path, keys=KEYS)] == [None, None]


DAY = 86_400.0


class Days:
    """A clock that is set to an instant."""

    at = NOW

    def now(self) -> float:
        """As `ports.Clock.now`."""
        return self.at


def named(folder: Path) -> set[str]:
    """The pseudonyms that stand in the records that are left."""
    found = [orjson.loads(line) for paths in segments(folder).values() for line in lines(paths)]
    return {each["by"] for each in found if "by" in each}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), max_size=6),
    step=st.floats(0.1 * DAY, 3 * DAY),
    befores=st.lists(st.floats(-4 * DAY, 12 * DAY), min_size=1, max_size=3),
)
def test_whoever_stands_in_a_record_that_is_left_is_known(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[str]],
    step: float,
    befores: list[float],
) -> None:
    """Files that were not cut keep whom their oldest records name; others go a day later."""
    folder, clock = tmp_path_factory.mktemp("log"), Days()
    people = Pseudonyms(folder / "people.db", b"p" * 32, clock)
    chains = [begun(f"host-{number}", KEYS) for number in range(2)]
    last: dict[str, float] = {}
    for number, names in enumerate(files):
        told = []
        for name in names:
            told.append(record.admin("state.reset_done", clock.at, by=people.told(name)))
            last[name] = clock.at
            clock.at += step
        append(folder, chains[number % 2], told)
    recorder = Recorder(folder)
    recorder("audit.opened")
    gone = 0
    for before in befores:
        retention.cut(folder, NOW + before, recorder)
        gone += retention.erase_people([folder], NOW + before, people, recorder)
    known = {entry.told: entry.pseudonym for entry in people.entries()}

    assert named(folder) <= set(known.values())
    assert len(known) == len(last) - gone
    assert {name for name, at in last.items() if at >= NOW + max(befores) - DAY} <= set(known)
    assert [each.fault for each in proven(folder) if each.fault] == []


async def test_people_of_whom_no_record_is_left_go_by_themselves(tmp_path: Path) -> None:
    """Once, and the log says how many; who is told still stays, and the chain verifies."""
    folder, clock, events = tmp_path / "audit", Days(), Events()
    people = Pseudonyms(tmp_path / "people.db", b"p" * 32, clock)
    clock.at = NOW - 5 * DAY
    gone, stays = people.told("jane@example.com"), people.told("joe@example.com")
    three_segments(folder, at=clock.at)
    clock.at = NOW
    people.told("joe@example.com")
    async with kept(folder, "w", events, retention=2 * DAY, people=people) as (log, upkeep):
        await log.decided(a_write(), REFUSE)
        await asyncio.to_thread(upkeep.turn)
        await asyncio.to_thread(upkeep.turn)
    told = [orjson.loads(line) for line in of_writer(folder, "w")]
    left = b"".join(path.read_bytes() for path in tmp_path.glob("people.db*"))

    assert [each for each in told if each.get("event") == "people.erased"] == [
        {**told[2], "before": NOW - 3 * DAY, "count": 1}
    ]
    assert [facts for event, facts in events.told if event == "people.erased"] == [{"count": 1}]
    assert [entry.pseudonym for entry in people.entries()] == [stays]
    assert gone.encode() not in left
    assert [(each.writer, each.fault) for each in proven(folder, keys=KEYS)] == [("w", None)]


def test_nobody_is_erased_where_no_record_says_when(tmp_path: Path) -> None:
    """Neither where a file is damaged, nor where a log is not in its place."""
    clock, log, away = Days(), tmp_path / "audit", tmp_path / "away"
    people = Pseudonyms(tmp_path / "people.db", b"p" * 32, clock)
    people.told("jane@example.com")
    away.mkdir()
    three_segments(log)
    segments(log)[WRITER][0].write_bytes(b"{}\n")

    with pytest.raises(AuditError, match="damaged"):
        retention.erase_people([log], NOW + 9 * DAY, people, Recorder(away))
    assert retention.erase_people([away], NOW + 9 * DAY, people, Recorder(away)) == 0
    assert len(list(people.entries())) == 1


def test_who_keeps_up_several_directories_is_alone_with_all(tmp_path: Path) -> None:
    """And gives none away that it could not have."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with retention.alone(other):
        with retention.alone(one, other) as both:
            pass
        with retention.alone(one) as first:
            pass

    assert (both, first) == (False, True)


async def test_what_is_recorded_has_the_published_shape(tmp_path: Path) -> None:
    """Cuts, checkpoints and torn ends stand in the schema, with all of their members."""
    append(tmp_path, begun("host-3", ONE_KEY), outcomes(3))
    path = segment(tmp_path, "host-3", 1)
    path.write_bytes(path.read_bytes() + b"torn")
    recover(tmp_path, ONE_KEY, NOW)
    three_segments(tmp_path, at=NOW - 5000)
    clock = Days()
    clock.at = NOW - 9 * DAY
    people = Pseudonyms(tmp_path / "people.db", b"p" * 32, clock)
    people.told("jane@example.com")
    async with kept(tmp_path, "w", Events(), retention=3500.0, people=people) as (_, upkeep):
        await asyncio.to_thread(upkeep.turn)
        await asyncio.to_thread(upkeep.turn)
    published = jsonschema_rs.validator_for(schema())
    told = [orjson.loads(line) for name in ("host-3", "w") for line in of_writer(tmp_path, name)]

    expected = {"audit.torn", "audit.cut", "audit.checkpoint", "people.erased"}
    assert expected <= {each.get("event") for each in told}
    assert [list(published.iter_errors(each)) for each in told] == [[]] * len(told)
