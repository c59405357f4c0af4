"""`python -m tests.e2e.patient`: `soe-gateway` as it is, but patient where no setting makes it so.

What it waits for no longer than a second or some is a disk, another process, or SOE's word on who
acts; each may be late on a machine that is busy, and what the gateway does then is tested where
tests are about that. What settings can change, `tests/conftest.py` sets.

A test that names a file in CLOCK_AHEAD moves the clock: by the seconds that stand in it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from gateway.audit import people
from gateway.audit.writer import AuditWriter
from gateway.cli import main
from gateway.clock import SystemClock
from gateway.proxy import persons, switches, titles
from tests.patience import PATIENCE

CLOCK_AHEAD = "CLOCK_AHEAD"


def be_patient() -> None:
    """Let this process wait."""
    defaults = AuditWriter.__init__.__kwdefaults__
    assert defaults is not None
    defaults["durable_within"] = PATIENCE
    people._BUSY_SECONDS = PATIENCE
    persons._ASKED_SECONDS = PATIENCE
    switches._WAITS_AT_MOST = PATIENCE
    titles._SECONDS = PATIENCE


def move_clock(by: Path) -> None:
    """Let the clock be ahead, as far as a file says."""
    SystemClock.__init__.__defaults__ = (lambda: time.time() + float(by.read_text()),)


def patiently(words: list[str] | None = None) -> int:
    """Run a command; without words, the one that this process was called with."""
    be_patient()
    if CLOCK_AHEAD in os.environ:
        move_clock(Path(os.environ[CLOCK_AHEAD]))
    return main(words)


if __name__ == "__main__":
    sys.exit(patiently())
