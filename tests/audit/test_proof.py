"""Whatever is done to a log of 10,000 records is found, and the first record of it is named."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit import record
from gateway.audit.chain import Chain, Head, begun
from gateway.audit.proof import Fault
from gateway.audit.recovery import recover
from gateway.audit.segments import segment, segments
from tests.audit.chains import (
    KEYS,
    OLD,
    WRITER,
    a_checkpoint,
    a_line,
    a_long_log,
    append,
    closed,
    lines_of,
    of_writer,
    outcomes,
    proven,
)
from tests.audit.disks import KEY, NOW
from tests.audit.disks import KEYS as ONE_KEY

COUNT = 10_000
PLACES = st.integers(0, COUNT - 1)
often = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Place(NamedTuple):
    """Where a record stands."""

    segment: int
    line: int


class Log:
    """The log on the disk, as it was written; each change of it is taken back."""

    def __init__(self, folder: Path) -> None:
        a_long_log(folder, COUNT)
        self.folder = folder
        self.paths = segments(folder)[WRITER]
        self.was = lines_of(folder)
        self.places = [
            Place(number, line)
            for number, lines in enumerate(self.was)
            for line in range(len(lines))
        ]

    def line(self, seq: int) -> bytes:
        """A record's line; records count from 0 here."""
        place = self.places[seq]
        return self.was[place.segment][place.line]

    @contextlib.contextmanager
    def changed(self, *changes: tuple[int, bytes]) -> Iterator[None]:
        """Other bytes in the place of records."""
        now = {place.segment: list(self.was[place.segment]) for place in map(self._at, changes)}
        for seq, instead in changes:
            place = self.places[seq]
            now[place.segment][place.line] = instead
        try:
            for number, lines in now.items():
                self.paths[number].write_bytes(b"".join(lines))
            yield
        finally:
            for number in now:
                self.paths[number].write_bytes(b"".join(self.was[number]))

    def _at(self, change: tuple[int, bytes]) -> Place:
        return self.places[change[0]]

    def fault(self) -> Fault:
        """What is wrong with it."""
        [found] = proven(self.folder)
        assert found.fault is not None
        return found.fault

    def stands(self, fault: Fault, seq: int, *, further: int = 0) -> bool:
        """Whether a fault names a record's place, or one so many lines after it."""
        place = self.places[seq]
        at = (self.paths[place.segment], place.line + 1 + further)
        return (fault.path, fault.line, fault.seq) == (*at, seq + 1 + further)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of several segments, with a restart and a change of the key."""
    return Log(tmp_path_factory.mktemp("log"))


def test_what_was_written_is_whole(log: Log) -> None:
    """Over segments, a restart and a change of the key; its end is unproven without a checkpoint."""
    [found] = proven(log.folder)

    assert len(log.paths) > 4
    assert b'"key_id":"2"' in log.line(COUNT // 2)
    assert (found.fault, found.first, found.last, found.unproven) == (None, 1, COUNT, COUNT)


@often
@given(seq=PLACES, data=st.data())
def test_a_changed_byte_is_found(log: Log, seq: int, data: st.DataObject) -> None:
    """Whichever, whatever it becomes; a line break too."""
    line = log.line(seq)
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    with log.changed((seq, line[:at] + bytes([byte]) + line[at + 1 :])):
        fault = log.fault()

    assert log.stands(fault, seq)


@often
@given(seq=st.integers(0, COUNT - 2))
def test_a_dropped_record_is_found(log: Log, seq: int) -> None:
    """The record that stands where it stood is the first that is wrong."""
    with log.changed((seq, b"")):
        fault = log.fault()

    assert fault.seq == seq + 1
    last_of_segment = log.places[seq].segment != log.places[seq + 1].segment
    assert last_of_segment or log.stands(fault, seq)


@often
@given(seqs=st.lists(PLACES, min_size=2, max_size=2, unique=True).map(sorted))
def test_swapped_records_are_found(log: Log, seqs: list[int]) -> None:
    """Each proves itself, but not at that place."""
    first, second = seqs
    with log.changed((first, log.line(second)), (second, log.line(first))):
        fault = log.fault()

    assert log.stands(fault, first)


@often
@given(seq=PLACES, place=PLACES)
def test_a_record_that_stands_twice_is_found(log: Log, seq: int, place: int) -> None:
    """Wherever the copy stands; a record counts once."""
    with log.changed((place, log.line(seq) + log.line(place))):
        fault = log.fault()

    assert log.stands(fault, place, further=1 if place == seq else 0)


@often
@given(place=PLACES, told=st.text(max_size=20))
def test_a_record_that_was_put_in_is_found(log: Log, place: int, told: str) -> None:
    """Under a key that is not ours, though number and predecessor are right."""
    before = Head(place, log.line(place - 1)[-67:-3].decode() if place else "")
    forged = a_line(Chain(b"x" * 64, WRITER, before), record.admin(told, NOW))
    with log.changed((place, forged + log.line(place))):
        fault = log.fault()

    assert log.stands(fault, place)


@often
@given(kept=st.integers(1, COUNT - 1), known=st.integers(1, COUNT))
def test_a_cut_at_the_end_is_unproven_or_found_by_a_checkpoint(
    log: Log, kept: int, known: int
) -> None:
    """What the checkpoint knows must be there; what came after it nobody can miss."""
    place = log.places[kept]
    checkpoint = a_checkpoint(log.line(known - 1), known)
    rest = [log.paths[number] for number in range(place.segment + 1, len(log.paths))]
    cut = [(seq, b"") for seq in range(kept, COUNT) if log.places[seq].segment == place.segment]
    aside = [path.rename(path.with_suffix(".aside")) for path in rest]
    with log.changed(*cut):
        [alone], [held] = proven(log.folder), proven(log.folder, [checkpoint])
    for path in aside:
        path.rename(path.with_suffix(".jsonl"))

    assert (alone.fault, alone.last, alone.unproven) == (None, kept, kept)
    if known <= kept:
        assert (held.fault, held.unproven) == (None, kept - known)
    else:
        assert held.fault is not None
        assert held.fault.seq == kept + 1


def test_a_segment_that_is_gone_is_found(log: Log) -> None:
    """Its first record is the first that is missing."""
    log.paths[1].rename(log.paths[1].with_suffix(".aside"))
    fault = log.fault()
    log.paths[1].with_suffix(".aside").rename(log.paths[1])

    assert fault.seq == len(log.was[0]) + 1
    assert (fault.path, fault.line) == (log.paths[2], 1)


def test_the_first_segment_may_not_be_gone(log: Log) -> None:
    """Unless a record says that it was cut."""
    log.paths[0].rename(log.paths[0].with_suffix(".aside"))
    fault = log.fault()
    log.paths[0].with_suffix(".aside").rename(log.paths[0])

    assert (fault.seq, fault.path, fault.line) == (1, log.paths[1], 1)
    assert "no record says" in fault.why


# ── keys ─────────────────────────────────────────────────────────────────────────────────────


def test_a_key_that_was_replaced_signs_nothing_any_more(tmp_path: Path) -> None:
    """Whoever has it can put nothing after the record that says that the key changed."""
    a_long_log(tmp_path, 20)
    last = of_writer(tmp_path)[-1]
    forged = a_line(Chain(KEY, WRITER, a_checkpoint(last, 20).head), closed())
    path = segments(tmp_path)[WRITER][-1]
    path.write_bytes(path.read_bytes() + forged)
    [found] = proven(tmp_path)

    assert found.fault is not None
    assert found.fault.seq == 21
    assert "no record says that the key changed" in found.fault.why


def test_nor_does_saying_so_help(tmp_path: Path) -> None:
    """A key that is older than the one before it is no change of keys."""
    a_long_log(tmp_path, 20)
    last = of_writer(tmp_path)[-1]
    forged = a_line(Chain(KEY, WRITER, a_checkpoint(last, 20).head, "1"), closed())
    path = segments(tmp_path)[WRITER][-1]
    path.write_bytes(path.read_bytes() + forged)
    [found] = proven(tmp_path)

    assert found.fault is not None
    assert "older than" in found.fault.why


def test_a_log_whose_key_is_unknown_is_not_proven(tmp_path: Path) -> None:
    """From the first record on that it signed."""
    a_long_log(tmp_path, 20)
    [found] = proven(tmp_path, keys=OLD)

    assert found.fault is not None
    assert (found.fault.seq, found.last) == (11, 10)


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────


def test_a_record_that_was_replaced_by_whoever_has_the_key_is_found(tmp_path: Path) -> None:
    """The chain is right in itself; the checkpoint has another record."""
    append(tmp_path / "was", begun(WRITER, KEYS), outcomes(5))
    append(tmp_path / "is", begun(WRITER, KEYS), outcomes(5, NOW + 1))
    [found] = proven(tmp_path / "is", [a_checkpoint(lines_of(tmp_path / "was")[0][2], 3)])

    assert found.fault is not None
    assert found.fault.seq == 3
    assert "another than the one" in found.fault.why


def other(folder: Path, last: bytes, seq: int) -> None:
    """A writer that records how far the first had come."""
    told = {WRITER: {"seq": seq, "mac": last[-67:-3].decode(), "at": NOW}}
    record_of_it = record.admin("audit.checkpoint", NOW + 60, writers=told)
    append(folder, begun("host-2", KEYS), [record_of_it])


def test_a_cut_shows_in_the_chain_of_another_writer(tmp_path: Path) -> None:
    """It recorded how far the first had come; so it does where all of its files are gone."""
    append(tmp_path, begun(WRITER, KEYS), outcomes(5))
    path = segment(tmp_path, WRITER, 1)
    lines = lines_of(tmp_path)[0]
    other(tmp_path, lines[4], 5)
    whole = [each.fault for each in proven(tmp_path)]
    path.write_bytes(b"".join(lines[:3]))
    [cut] = [each.fault for each in proven(tmp_path) if each.writer == WRITER]
    path.unlink()
    [gone] = [each.fault for each in proven(tmp_path) if each.writer == WRITER]

    assert whole == [None, None]
    assert cut is not None
    assert cut.seq == 4
    assert gone is not None
    assert "are gone" in gone.why


# ── what a crash leaves ──────────────────────────────────────────────────────────────────────


def crashed(folder: Path, torn: bytes) -> Path:
    """A log whose process died while it wrote, and the next start's word on it."""
    append(folder, begun(WRITER, ONE_KEY), outcomes(3))
    path = segment(folder, WRITER, 1)
    path.write_bytes(path.read_bytes() + torn)
    return path


def test_a_torn_end_is_known_from_a_change(tmp_path: Path) -> None:
    """The next start records what was torn; before and after, nothing is wrong."""
    path = crashed(tmp_path, b'{"schema":2,"ki')
    [before] = proven(tmp_path)
    recover(tmp_path, ONE_KEY, NOW)
    [after] = proven(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    [changed] = proven(tmp_path)

    assert before.fault is None
    assert before.torn == [f"{path}:4: the line does not end, as a crash or a full disk leaves it"]
    assert after.fault is None
    assert after.torn == [f"{path}:4: torn by a crash, as a record after it says"]
    assert changed.fault is not None
    assert "changed after it was recorded" in changed.fault.why


def test_a_record_that_lacks_its_line_break_alone_was_torn(tmp_path: Path) -> None:
    """Nobody was told that it was recorded; its number is given again."""
    path = crashed(tmp_path, b"")
    path.write_bytes(path.read_bytes()[:-1])
    recover(tmp_path, ONE_KEY, NOW)
    [found] = proven(tmp_path)

    assert (found.fault, found.last) == (None, 4)


def test_a_file_that_cannot_be_read_on_is_a_fault(tmp_path: Path) -> None:
    """As a packed one of which a part is gone."""
    append(tmp_path, begun(WRITER, KEYS), outcomes(50))
    path = segment(tmp_path, WRITER, 1)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-100])
    path.unlink()
    [found] = proven(tmp_path)

    assert found.fault is not None
    assert "cannot be read on" in found.fault.why
