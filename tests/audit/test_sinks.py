"""Files of a directory, one after the other, without a gap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.audit.chain import verify
from gateway.audit.segments import lines, number_of, segment, segments
from gateway.audit.sinks import Disk, FileSink, Rotation, StdoutSink, open_sink
from gateway.errors import AuditError
from tests.audit.disks import ALLOW, KEY, a_log, a_sink, raw
from tests.samples import a_write


async def test_a_full_file_is_followed_by_the_next(tmp_path: Path) -> None:
    """The chain goes on over files, no decision is refused, and all are their owner's alone."""
    log = a_log(a_sink(tmp_path, rotation=Rotation(size=2_000)))
    for number in range(12):
        await asyncio.gather(
            *(log.decided(a_write(id=f"{number}-{each}"), ALLOW) for each in range(5))
        )
    await log.close()

    paths = segments(tmp_path)["w"]
    assert [number_of(path) for path in paths] == list(range(1, len(paths) + 1))
    assert len(paths) > 5
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert len(raw(tmp_path)) == 60
    assert verify(raw(tmp_path), KEY) is None


async def test_a_file_that_is_old_is_followed_by_the_next(tmp_path: Path) -> None:
    """Also where nobody writes; an empty one stays, however old."""
    now = [0.0]
    disk = Disk(now=lambda: now[0])
    sink = FileSink(tmp_path, "w", rotation=Rotation(age=60), disk=disk)
    counts = []
    for at, line in ((100, b""), (120, b"1\n"), (159, b""), (160, b""), (300, b"")):
        now[0] = at
        if line:
            sink.append([line])
        sink.sync()
        counts.append(len(segments(tmp_path)["w"]))
    sink.close()

    assert counts == [1, 2, 2, 2, 2]


def test_files_go_on_after_those_that_are_there(tmp_path: Path) -> None:
    """A start that goes on with a writer begins the next file."""
    segment(tmp_path, "w", 7).with_suffix(".jsonl.gz").touch()
    FileSink(tmp_path, "w").close()

    assert [number_of(path) for path in segments(tmp_path)["w"]] == [7, 8]


def test_a_folder_holds_the_segments_of_several_writers(tmp_path: Path) -> None:
    """Each has its own numbers, in the order of numbers and not of letters."""
    for writer, number in [("a-b-1", 2), ("a-b-1", 1), ("c", 1_000_000), ("c", 999_999)]:
        segment(tmp_path, writer, number).touch()
    (tmp_path / "notes.txt").touch()

    found = {writer: [number_of(path) for path in paths]
             for writer, paths in segments(tmp_path).items()}  # fmt: skip
    assert found == {"a-b-1": [1, 2], "c": [999_999, 1_000_000]}


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    """Even one that lacks its end alone: nobody was told that it was recorded."""
    path = segment(tmp_path, "w", 1)
    path.write_bytes(b'{"a":1}\n{"b":2}')

    assert list(lines([path])) == [b'{"a":1}\n']


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """At the start, not at the first write."""
    (tmp_path / "file").write_text("")

    with pytest.raises(AuditError, match="cannot be written"):
        open_sink(f"file://{tmp_path}/file/audit", "w")


def test_an_unknown_sink_is_told() -> None:
    """The message names those that there are."""
    with pytest.raises(AuditError, match="there are file, stdout"):
        open_sink("syslog://host", "w")


def test_a_slow_reader_of_standard_output_is_waited_for_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond them a line is refused; none is dropped."""
    monkeypatch.setattr("gateway.audit.sinks._STDOUT_LINES_AT_MOST", 2)
    sink = StdoutSink()
    sink.append([b"1\n"])
    sink.append([b"2\n"])

    with pytest.raises(AuditError, match="nobody reads"):
        sink.append([b"3\n"])
