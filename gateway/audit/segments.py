"""The files of a directory sink: their names, and how they are read.

A line that does not end is torn: what a crash or a full disk left of it. Nobody was told that it
was recorded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_NAME = re.compile(r"audit-(.+)-(\d{6,})\.jsonl")
_PACKED = ".gz"


def segment(directory: Path, writer: str, number: int) -> Path:
    """Give the path of a writer's segment, counted from 1."""
    return directory / f"audit-{writer}-{number:06d}.jsonl"


def number_of(path: Path) -> int:
    """Give the number of a segment."""
    found = _NAME.fullmatch(path.name)
    assert found is not None, path
    return int(found[2])


def named(path: Path) -> tuple[str, int] | None:
    """Give the writer and the number of a segment, packed by gzip or not; None for other files."""
    found = _NAME.fullmatch(path.name.removesuffix(_PACKED))
    return (found[1], int(found[2])) if found else None


def segments(directory: Path) -> Mapping[str, tuple[Path, ...]]:
    """Find the segments of a directory, by writer, oldest first."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in directory.iterdir():
        if name := _NAME.fullmatch(path.name):
            found[name[1]].append(path)
    return {writer: tuple(sorted(found[writer], key=number_of)) for writer in sorted(found)}


def lines(paths: Iterable[Path]) -> Iterator[bytes]:
    """Read the whole lines of segments, in order, leaving out what is torn."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
