"""Logs of thousands of records on a disk: rotated, restarted, under two keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from gateway.audit import record
from gateway.audit.chain import Chain, Head, begun
from gateway.audit.checkpoints import Checkpoint
from gateway.audit.key import Keys
from gateway.audit.proof import Proven, prove
from gateway.audit.record import Record
from gateway.audit.recovery import continued
from gateway.audit.segments import lines, segments
from gateway.audit.sinks import Disk, FileSink, Rotation
from gateway.model import Outcome
from tests.audit.disks import KEY, NOW

OLD = Keys({"1": KEY})
KEYS = Keys({"1": KEY, "2": b"n" * 64})
WRITER = "host-1"
_SYNC_EVERY = 250
UNSYNCED = Disk(sync=lambda _: None)


def append(folder: Path, chain: Chain, told: Sequence[Record], size: int = 2**20) -> None:
    """Write records as a process that lives so long."""
    sink = FileSink(folder, chain.writer, rotation=Rotation(size=size), disk=UNSYNCED)
    for number, each in enumerate(told, 1):
        lines = [a_line(chain, each)]
        sink.append(lines)
        chain.advance(lines)
        if number % _SYNC_EVERY == 0:
            sink.sync()
    sink.sync()
    sink.close()


def a_line(chain: Chain, told: Record) -> bytes:
    """The next line of a chain."""
    return chain.lines([orjson.dumps(told)])[0]


def outcomes(count: int, at: float = NOW) -> list[Record]:
    """So many records, one a second."""
    return [record.recovered(f"write-{number}", Outcome.UNKNOWN, at + number)
            for number in range(count)]  # fmt: skip


def closed(at: float = NOW) -> Record:
    """The record with which a writer ends."""
    return record.admin("audit.closed", at)


def a_long_log(folder: Path, count: int) -> None:
    """A log of one writer: in several segments, of two processes, the second with a new key."""
    half = count // 2
    append(folder, begun(WRITER, OLD), [*outcomes(half - 1), closed()], size=count * 40)
    chain = continued([folder], "host", KEYS)
    assert chain is not None
    append(folder, chain, outcomes(count - half), size=count * 40)


def lines_of(folder: Path, writer: str = WRITER) -> list[list[bytes]]:
    """The lines of each segment."""
    return [path.read_bytes().splitlines(keepends=True) for path in segments(folder)[writer]]


def of_writer(folder: Path, writer: str = WRITER) -> list[bytes]:
    """The whole lines of a writer, packed or not; none where all are gone."""
    return list(lines(segments(folder).get(writer, ())))


def proven(folder: Path, told: Sequence[Checkpoint] = (), keys: Keys = KEYS) -> list[Proven]:
    """What a folder's log proves."""
    return prove(segments(folder), keys, told)


def a_checkpoint(line: bytes, seq: int, writer: str = WRITER, at: float = NOW) -> Checkpoint:
    """That a writer's record of this number was this line."""
    head = Head(seq, line[-67:-3].decode())
    return Checkpoint(writer=writer, head=head, at=at, told="checkpoints:1")
