"""Audit files as a stream of records."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest

from gateway.audit import record
from gateway.audit.record import NOTHING
from gateway.offline.records.read import Spoilt, files, records
from tests.audit.disks import ALLOW, NOW
from tests.samples import a_write


def line(write_id: str, at: float) -> bytes:
    """A decision of an instant."""
    return orjson.dumps(record.decision(a_write(id=write_id, at=at), ALLOW, at, NOTHING)) + b"\n"


def read(*paths: Path) -> tuple[list[str], Spoilt]:
    """The ids of the decisions in some files, in order, and what could not be read."""
    spoilt = Spoilt()
    return [each.record["write_id"] for each in records(paths, spoilt)], spoilt


def test_the_lines_of_all_writers_come_in_the_order_of_their_instants(tmp_path: Path) -> None:
    """Packed or not; of one writer the order is that of its numbers and lines."""
    one, two, packed = (
        tmp_path / f"audit-{name}.jsonl" for name in ("a-000001", "a-000002", "b-000001")
    )
    one.write_bytes(line("a", NOW) + line("c", NOW + 2))
    two.write_bytes(line("e", NOW + 4))
    packed = packed.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(line("b", NOW + 1) + line("d", NOW + 3)))

    assert files([tmp_path]) == [one, two, packed]
    assert read(two, packed, one)[0] == ["a", "b", "c", "d", "e"]


def test_a_clock_that_steps_back_changes_no_order(tmp_path: Path) -> None:
    """What a writer wrote later happened later."""
    path = tmp_path / "audit-a-000001.jsonl"
    path.write_bytes(line("a", NOW) + line("b", NOW - 60) + line("c", NOW + 1))

    assert read(path)[0] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("spoils", "why"),
    [
        (b"rubbish\n", "no audit record"),
        (b"[1]\n", "no audit record"),
        (b'{"kind":"decision","schema":2,"at":1}\n', "no audit record"),
        (b'{"kind":"outcome","schema":2,"at":1,"write_id":"w","outcome":"lost"}\n', "no audit record"),
        (b'{"kind":"decision","schema":"2","at":1}\n', "no audit record"),
        (b'{"kind":"decision","schema":3,"at":1}\n', "schema 3 is newer than this gateway, which reads 2"),
        (b'{"kind":"deci', "torn: the line does not end"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_counted_and_named(tmp_path: Path, spoils: bytes, why: str) -> None:
    """And the lines beside it are read."""
    path = tmp_path / "audit-a-000001.jsonl"
    path.write_bytes(line("a", NOW) + spoils)
    found, spoilt = read(path)

    assert found == ["a"]
    assert spoilt.told == [f"{path}:2: {why}"]


def test_a_decision_that_lost_any_of_its_facts_is_no_crash(tmp_path: Path) -> None:
    """Each that is needed is missed; the others are not."""
    whole = orjson.loads(line("a", NOW))
    path = tmp_path / "audit-a-000001.jsonl"
    for name in whole:
        path.write_bytes(orjson.dumps({k: v for k, v in whole.items() if k != name}) + b"\n")
        found, spoilt = read(path)
        assert len(found) + spoilt.count == 1


def test_a_packed_file_that_is_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A copy that was not finished."""
    path = tmp_path / "audit-a-000001.jsonl.gz"
    whole = gzip.compress(b"".join(line(str(n), NOW + n) for n in range(2000)), 1)
    path.write_bytes(whole[: len(whole) // 2])
    found, spoilt = read(path)

    assert 0 < len(found) < 2000
    assert "cannot be read on" in spoilt.told[0]


def test_a_folder_without_records_is_told(tmp_path: Path) -> None:
    """Rather than an empty result."""
    with pytest.raises(FileNotFoundError, match="holds no audit files"):
        files([tmp_path])
