"""Proves a log: every record of every writer is there, in order and as it was written.

What the chains cannot say of themselves, others say: checkpoints how far a chain had come, records
`audit.cut` where it begins since older records were removed, `audit.torn` what a crash left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import checkpoints, retention
from gateway.audit.chain import Follower, Head
from gateway.audit.checkpoints import Checkpoint
from gateway.audit.key import Keys
from gateway.audit.recovery import torn
from gateway.audit.segments import Line, raw_lines
from gateway.errors import AuditError

_ADMIN = b'"kind":"admin"'
_KIND_WITHIN = 48
"""Bytes at the beginning of a line, in which its kind stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing that is wrong with a writer's records.

    Attributes:
        seq: the number of the record that is wrong or missing.
        path, line: where it shows; None where the place is gone.
    """

    seq: int
    why: str
    path: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}: " if self.path else ""
        return f"{where}record {self.seq}: {self.why}"


@dataclass(slots=True, kw_only=True)
class Proven:
    """What is known of one writer's records.

    Attributes:
        first, last: the numbers of those that are there, as far as they are as written.
        fault: what is wrong, or None.
        proven: the checkpoint that proves most; None where there is none.
        cut: the instant before which records were removed, and told so; None where none were.
        torn: places at which a line did not end, as a crash leaves it, and what is known of it.
    """

    writer: str
    first: int = 0
    last: int = 0
    fault: Fault | None = None
    proven: Checkpoint | None = None
    cut: float | None = None
    torn: list[str] = field(default_factory=list)

    @property
    def unproven(self) -> int:
        """Records after the last checkpoint: of those behind them a cut would not show."""
        return self.last - (self.proven.head.seq if self.proven else self.first - 1)


@dataclass(slots=True)
class _Said:
    """What the log says of itself."""

    points: defaultdict[str, list[Checkpoint]]
    begins: defaultdict[str, list[tuple[Head, float]]]
    torn: dict[str, dict[str, Any]]
    cut_before: float = float("-inf")


def prove(
    log: Mapping[str, Sequence[Path]],
    keys: Keys,
    told: Iterable[Checkpoint] = (),
    advanced: Callable[[int], None] = lambda _: None,
    *,
    is_all: bool = True,
) -> list[Proven]:
    """Prove a log, writer by writer.

    Every file is read twice: once for what it says, so that each chain can be held against it.

    Args:
        log: the segments of each writer, oldest first.
        told: checkpoints from elsewhere.
        advanced: is told of bytes that were read, as they lie on the disk.
        is_all: whether these are all segments that there are; else what stands in others is not
            missed.
    """
    said = _Said(defaultdict(list), defaultdict(list), {})
    for point in told:
        said.points[point.writer].append(point)
    for paths in log.values():
        _hear(paths, said, advanced)
    found = [
        _Reading(writer, keys, said, is_all=is_all).prove(paths, advanced)
        for writer, paths in log.items()
    ]
    return found + (list(_missing(log, said)) if is_all else [])


def _missing(log: Mapping[str, Sequence[Path]], said: _Said) -> Iterator[Proven]:
    """Say which writers are gone, though a checkpoint knows them and no record says that they went."""
    for writer in sorted(said.points.keys() - log.keys()):
        point = max(said.points[writer], key=lambda point: point.head.seq)
        stated = max((head.seq for head, _ in said.begins[writer]), default=0)
        if point.head.seq > stated and point.at >= said.cut_before:
            why = f"all records of {writer} are gone, and {point.told} has it"
            yield Proven(writer=writer, fault=Fault(seq=point.head.seq, why=why))


def _hear(paths: Sequence[Path], said: _Said, advanced: Callable[[int], None]) -> None:
    try:
        for line in raw_lines(paths, advanced):
            if line.raw.find(_ADMIN, 0, _KIND_WITHIN) >= 0:
                _take(line, said)
    except AuditError:
        return  # proving the writer comes to the same place, and tells it


def _take(line: Line, said: _Said) -> None:
    try:
        told = orjson.loads(line.raw)
        at, event = told["at"], told["event"]
        if event == checkpoints.EVENT:
            where = f"{line.path}:{line.number}"
            for writer, one in told["writers"].items():
                head = Head(one["seq"], one["mac"])
                point = Checkpoint(writer=writer, head=head, at=one["at"], told=where)
                said.points[writer].append(point)
        elif event == retention.EVENT:
            said.cut_before = max(said.cut_before, told["before"])
            for writer, one in told["writers"].items():
                said.begins[writer].append((Head(one["seq"], one["mac"]), at))
        elif event == "audit.torn":
            said.torn |= {one["segment"]: one for one in told["torn"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return  # changed, which its own chain shows


class _Reading:
    """One writer's records, being read."""

    def __init__(self, writer: str, keys: Keys, said: _Said, *, is_all: bool) -> None:
        self._is_all = is_all
        self._found = Proven(writer=writer)
        self._follower = Follower(keys, writer)
        self._said = said
        self._begins = said.begins[writer]
        self._told: dict[int, dict[str, str]] = defaultdict(dict)
        for point in said.points[writer]:
            self._told[point.head.seq][point.head.mac] = f"the checkpoint {point.told}"
        for head, _ in self._begins:
            self._told[head.seq][head.mac] = "the record of the cut before it"

    def prove(self, paths: Sequence[Path], advanced: Callable[[int], None]) -> Proven:
        """Read all, up to what is wrong."""
        found = self._found
        line = Line(paths[-1], 0, b"")
        try:
            for line in raw_lines(paths, advanced):
                found.fault = self._take(line)
                if found.fault is not None:
                    break
        except AuditError as error:
            found.fault = Fault(seq=self._follower.head.seq + 1, why=str(error))
        found.first, found.last = self._follower.start.seq + 1, self._follower.head.seq
        if self._is_all:
            found.fault = self._wrong_begin(paths[0]) or found.fault or self._wrong_end(line)
        reached = [p for p in self._said.points[found.writer] if p.head.seq <= found.last]
        found.proven = max(reached, default=None, key=_seq)
        return found

    def _take(self, line: Line) -> Fault | None:
        wanted = self._follower.head.seq + 1
        if line.raw[-1:] != b"\n":
            why = self._torn(line)
        else:
            why = self._follower.follow(line.raw)
            if not why and self._follower.head.seq in self._told:
                why = self._contradicted()
        return Fault(seq=wanted, why=why, path=line.path, line=line.number) if why else None

    def _contradicted(self) -> str:
        seq, mac = self._follower.head
        others = [where for told, where in self._told[seq].items() if told != mac]
        return f"the record is another than the one that {others[0]} has" if others else ""

    def _torn(self, line: Line) -> str:
        known = self._said.torn.get(torn(line.path, b"")["segment"])
        place = f"{line.path}:{line.number}"
        if known is not None and known == torn(line.path, line.raw):
            self._found.torn.append(f"{place}: torn by a crash, as a record after it says")
            return ""
        if known is not None:
            return "what a crash tore was changed after it was recorded"
        if self._follower.is_signed(line.raw[:-1] + b"\n"):
            return "its line break was changed"
        self._found.torn.append(
            f"{place}: the line does not end, as a crash or a full disk leaves it"
        )
        return ""

    def _wrong_begin(self, first: Path) -> Fault | None:
        """Say why the chain must not begin after a record; nothing where a cut was recorded.

        Where removing stopped on the way, the chain begins before the place that was recorded; it
        comes through it then, which was looked at.
        """
        start, last = self._follower.start, self._follower.head.seq
        if not start.seq:
            return None
        for head, at in self._begins:
            if head == start or start.seq < head.seq <= last:
                self._found.cut = at
                return None
        what = "it is" if start.seq == 1 else f"it and all up to record {start.seq} are"
        why = f"{what} gone, and no record says that they were cut"
        return Fault(seq=1, why=why, path=first, line=1)

    def _wrong_end(self, line: Line) -> Fault | None:
        """Say what is known to have stood behind the last record."""
        last = self._follower.head.seq
        points = [p for p in self._said.points[self._found.writer] if p.head.seq > last]
        if not points or (not last and any(h.seq >= points[0].head.seq for h, _ in self._begins)):
            return None
        known = max(points, key=_seq)
        why = f"it is gone: {known.told} knows this writer's record {known.head.seq}"
        return Fault(seq=last + 1, why=why, path=line.path, line=line.number + 1)


def _seq(point: Checkpoint) -> int:
    return point.head.seq
