"""Processes that record the steps of writes and then wait to be killed.

    python -m tests.audit.victim

For each line that it reads, `DIRECTORY WRITE=STEP…`, it forks one, which takes the steps and then
tells its process id; when it is dead, that is told. A step is `refused`, or how far a write got:
`decided`, `sending`, `settled`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.audit.chain import Chain
from gateway.audit.sinks import FileSink
from gateway.audit.writer import AuditWriter
from gateway.model import Outcome, Settlement
from tests.audit.disks import ALLOW, KEY, REFUSE, StoppedClock
from tests.patience import PATIENCE
from tests.samples import a_write


async def record(directory: Path, steps: list[str]) -> None:
    """Take the steps."""
    log = AuditWriter(
        [FileSink(directory, "victim")],
        Chain(KEY, "victim"),
        StoppedClock(),
        durable_within=PATIENCE,
    )
    for step in steps:
        name, _, end = step.partition("=")
        await log.decided(a_write(id=name), REFUSE if end == "refused" else ALLOW)
        if end in ("sending", "settled"):
            log.sending(name)
        if end == "settled":
            await log.settled(a_write(id=name), Settlement(outcome=Outcome.OK), 201)


def main() -> None:
    """Fork a process for each line, one after the other."""
    for line in sys.stdin:
        directory, *steps = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(record(Path(directory), steps))
            print(os.getpid(), flush=True)
            signal.pause()
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
