"""A small disk of its own, which can be filled and freed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOM = {"SOE_GATEWAY_AUDIT_MIN_FREE": "1KiB"}
"""What a gateway needs whose audit log is on a small disk: by default, more stays free of one."""

_BLOCK = bytes(4096)


@dataclass(frozen=True)
class Disk:
    """A mounted disk."""

    path: Path

    def fill(self) -> None:
        """Leave no room, to the last byte."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            for block in (_BLOCK * 64, _BLOCK, b"0"):
                with contextlib.suppress(OSError):
                    while filler.write(block):
                        pass

    def free(self) -> None:
        """Give the room back."""
        (self.path / "filler").unlink()


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Mount a disk of 8 MB in memory; the test is skipped where that is not allowed."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        refusal = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError as error:
        refusal = str(error)
    if refusal:
        pytest.skip(f"a full disk needs a disk of its own, and none may be mounted: {refusal}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
