"""How the index follows the log: a step at a time, each whole or not at all.

Per segment it knows how far it read. A segment that grew is read on; one that was packed is known
again by the digest of its bytes; one that went takes its writes with it; one that says something
else than it did is forgotten, with what its writer wrote after it, and read anew. A torn line is no
record, and is read when it ends.
"""

from __future__ import annotations

import gzip
import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from gateway.audit.segments import PACKED, number_of, segments
from gateway.model import Effect

STEP_LINES = 500
_STEP_BYTES = 8 * 2**20
_PIECE = 2**20
_SENDING = b'"kind":"sending"'
_CHAIN = frozenset(("schema", "kind", "event", "at", "seq", "writer", "prev", "mac", "key_id"))
_BY = re.compile(r'\bby="([^"\\]+)"')
_PACKED_ABOUT = 4
"""How much larger records are when they are unpacked: by this, what is left is guessed."""

_INSERT = f"INSERT OR REPLACE INTO writes VALUES ({', '.join('?' * 22)})"  # noqa: S608 - marks

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Segment:
    """What is known of a segment."""

    path: Path
    id: int
    name: str
    inode: int
    file: str
    read: int
    crc: int


class Following:
    """Brings an index up to date with the segments of a directory."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        self._connection = connection
        self._directory = directory
        self._file: BinaryIO | None = None
        self._stands = (0, "", 0)  # in which segment the open file is, and where

    def step(self, lines: int) -> int:
        """Read at most so many lines; give how many bytes they were, 0 when all is read.

        Raises:
            OSError, sqlite3.Error: a file cannot be read, or the index not written.
        """
        paths = list(self._paths())
        self._connection.execute("BEGIN IMMEDIATE")  # who else builds it waits, and goes on there
        try:
            self._forget_gone({(writer, number_of(path)) for writer, path in paths})
            readings = (self._read_on(each, lines) for each in self._news(paths))
            done = next(filter(None, readings), 0)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            self.close()
            raise
        return done

    def behind(self) -> int:
        """About how many bytes are still to be read."""
        left = 0
        known = {
            (writer, number): (file, read)
            for writer, number, file, read in self._connection.execute(
                "SELECT writer, number, file, read FROM segments"
            )
        }
        for writer, path in self._paths():
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # packed or cut since it was listed
            file, read = known.get((writer, number_of(path)), ("", 0))
            size = stat.st_size * (_PACKED_ABOUT if path.suffix == PACKED else 1)
            left += 0 if file == _file(path, stat) else max(0, size - read)
        return left

    def close(self) -> None:
        """Close the segment that is open."""
        if self._file is not None:
            self._file.close()
        self._file = None

    # ── which segments ───────────────────────────────────────────────────────────────────────

    def _paths(self) -> Iterator[tuple[str, Path]]:
        for writer, paths in segments(self._directory).items():
            for path in paths:
                yield writer, path

    def _forget_gone(self, there: set[tuple[str, int]]) -> None:
        known = self._connection.execute("SELECT id, writer, number FROM segments").fetchall()
        for each, writer, number in known:
            if (writer, number) not in there:
                self._forget(each)

    def _news(self, paths: Iterable[tuple[str, Path]]) -> Iterator[_Segment]:
        """Give the segments of which not all is read, each as far as it can be relied on."""
        for writer, path in paths:
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # packed or cut since it was listed
            segment = self._known(writer, path)
            if segment.file == _file(path, stat):
                continue
            is_other = (segment.name, segment.inode) != (path.name, stat.st_ino)
            is_other |= path.suffix != PACKED and stat.st_size < segment.read
            if is_other and segment.read and _crc(path, segment.read) != segment.crc:
                self._forget_from(writer, number_of(path))
                segment = self._known(writer, path)
            yield segment

    def _known(self, writer: str, path: Path) -> _Segment:
        found = self._connection.execute(
            "SELECT id, name, inode, file, read, crc FROM segments WHERE writer = ? AND number = ?",
            (writer, number_of(path)),
        ).fetchone()
        if found is not None:
            return _Segment(path, *found)
        self._connection.execute(
            "INSERT INTO segments (writer, number, name, inode) VALUES (?, ?, ?, 0)",
            (writer, number_of(path), path.name),
        )
        return self._known(writer, path)

    def _forget_from(self, writer: str, number: int) -> None:
        for (each,) in self._connection.execute(
            "SELECT id FROM segments WHERE writer = ? AND number >= ?", (writer, number)
        ).fetchall():
            self._forget(each)

    def _forget(self, segment: int) -> None:
        for statement in (
            "DELETE FROM findings WHERE write IN (SELECT n FROM writes WHERE segment = ?)",
            "DELETE FROM writes WHERE segment = ?",
            "UPDATE writes SET outcome = NULL, post = NULL, url = NULL, upstream_status = NULL, "
            "latency = NULL, turn = NULL, ended_in = NULL WHERE ended_in = ?",
            "DELETE FROM deeds WHERE segment = ?",
            "DELETE FROM segments WHERE id = ?",
        ):
            self._connection.execute(statement, (segment,))

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _read_on(self, segment: _Segment, lines: int) -> int:
        try:
            stat = segment.path.stat()  # before it is read: what comes meanwhile is news again
            file = self._at(segment)
        except FileNotFoundError:
            return 0
        rows = _Rows(segment.id, *self._counters())
        position, crc, is_all = segment.read, segment.crc, False
        for _ in range(lines):
            line = rows.next_of(file)
            if not line.endswith(b"\n"):
                is_all = True
                break
            rows.take(line, position)
            position += len(line)
            crc = zlib.crc32(line, crc)
            if position - segment.read >= _STEP_BYTES:
                break
        self._write(rows)
        seen = _file(segment.path, stat) if is_all else ""
        self._connection.execute(
            "UPDATE segments SET name = ?, inode = ?, file = ?, read = ?, crc = ?, "
            "spoilt = spoilt + ? WHERE id = ?",
            (segment.path.name, stat.st_ino, seen, position, crc, rows.spoilt, segment.id),
        )
        self._stands = (segment.id, segment.path.name, position)
        if is_all:
            self.close()
        return position - segment.read

    def _at(self, segment: _Segment) -> BinaryIO:
        """Give the segment, open where reading goes on; a packed one is kept open for that."""
        stands = (segment.id, segment.path.name, segment.read)
        if self._file is None or self._stands != stands:
            self.close()
            self._file = open_segment(segment.path)
            self._file.seek(segment.read)
        return self._file

    def _counters(self) -> tuple[int, int]:
        told = dict(self._connection.execute("SELECT name, value FROM counters"))
        return told["turn"], told["write"]

    def _write(self, rows: _Rows) -> None:
        run = self._connection.executemany
        run(_INSERT, rows.writes)
        run("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?)", rows.findings)
        run(
            "UPDATE writes SET outcome = ?, post = ?, url = ?, upstream_status = ?, latency = ?, "
            "turn = ?, ended_in = ? WHERE id = ? AND outcome IS NULL",
            rows.endings,
        )
        run("INSERT INTO deeds VALUES (?, ?, ?, ?, ?)", rows.deeds)
        run(
            "UPDATE counters SET value = ? WHERE name = ?",
            [(rows.turn, "turn"), (rows.write, "write")],
        )


@dataclass(slots=True)
class _Rows:
    """What a step read of a segment, as rows; writes, and the ends of writes, are numbered."""

    segment: int
    turn: int
    write: int
    spoilt: int = 0
    writes: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    endings: list[Row] = field(default_factory=list)
    deeds: list[Row] = field(default_factory=list)

    def next_of(self, file: BinaryIO) -> bytes:
        """Read a line; where a packed file is damaged, it ends there."""
        try:
            return file.readline()
        except (EOFError, OSError, zlib.error):
            self.spoilt += 1
            return b""

    def take(self, line: bytes, offset: int) -> None:
        """Take a whole line; what is no record is counted."""
        if _SENDING in line[:48]:
            return
        try:
            record = orjson.loads(line)
            kind = record["kind"]
            if kind == "decision":
                self._decision(record, offset)
            elif kind == "outcome":
                self._outcome(record)
            elif kind == "admin":
                self._deed(record, offset)
        except (LookupError, TypeError, ValueError, AttributeError):
            self.spoilt += 1

    def _decision(self, record: Mapping[str, Any], offset: int) -> None:
        number, at, effect = self.write + 1, float(record["at"]), _text(record["effect"])
        found = [
            (
                number,
                _text(each["rule"]),
                _text(each["mode"]),
                _text(each["result"]),
                _text_or_none(each["code"]),
                at,
            )
            for each in record["findings"]
            if each["result"] in ("fail", "error")
        ]
        turn = None if effect == Effect.ALLOW else self.turn + 1
        row = (
            number,
            _text(record["write_id"]),
            at,
            _text(record["integration"]),
            _text_or_none(record["person"]),
            _text_or_none(record.get("person_name")),
            _on_word_of(record),
            _text(record["operation"]),
            _text_or_none(record["team"]),
            _text_or_none(record["thread"]),
            _text_or_none(record["target"]),
            effect,
            _text(record["revision"]),
            *(None,) * 5,
            turn,
            self.segment,
            offset,
            None,
        )
        self.writes.append(row)
        self.findings += found
        self.write, self.turn = number, turn or self.turn

    def _outcome(self, record: Mapping[str, Any]) -> None:
        post = record.get("post") or {}
        status, latency = record.get("upstream_status"), record.get("latency")
        row = (
            _text(record["outcome"]),
            _text_or_none(post.get("id")),
            _text_or_none(post.get("url")),
            None if status is None else int(status),
            None if latency is None else float(latency),
            self.turn + 1,
            self.segment,
            _text(record["write_id"]),
        )
        self.endings.append(row)
        self.turn += 1

    def _deed(self, record: Mapping[str, Any], offset: int) -> None:
        facts = {name: value for name, value in record.items() if name not in _CHAIN}
        told = (float(record["at"]), _text(record["event"]), orjson.dumps(facts).decode())
        self.deeds.append((*told, self.segment, offset))


def _on_word_of(record: Mapping[str, Any]) -> str | None:
    confirmed = record.get("confirmed") or {}
    if confirmed.get("by"):
        return _text(confirmed["by"])
    acts = filter(None, record.get("explicit_action", ()))
    return next((found[1] for found in map(_BY.search, acts) if found), None)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def open_segment(path: Path) -> BinaryIO:
    """Open a segment to be read unpacked."""
    return cast("BinaryIO", gzip.open(path)) if path.suffix == PACKED else path.open("rb")


def _file(path: Path, stat: os.stat_result) -> str:
    return f"{path.name} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"


def _crc(path: Path, size: int) -> int | None:
    """Give the digest of a segment's first bytes; None where it has fewer."""
    crc, left = 0, size
    try:
        with open_segment(path) as file:
            while left and (piece := file.read(min(left, _PIECE))):
                crc, left = zlib.crc32(piece, crc), left - len(piece)
    except (EOFError, OSError, zlib.error):
        return None  # packed, and damaged
    return None if left else crc
