"""A process that records the steps of writes and then waits to be killed.

    python -m tests.audit.victim DIRECTORY WRITE=STEP…

A step is `refused`, or how far a write got: `decided`, `sending`, `settled`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from gateway.audit.chain import Chain
from gateway.audit.sinks import FileSink
from gateway.audit.writer import AuditWriter
from gateway.model import Outcome, Settlement
from tests.audit.disks import ALLOW, KEY, REFUSE, StoppedClock
from tests.samples import a_write


async def main(directory: Path, steps: list[str]) -> None:
    """Record, say so, and wait."""
    log = AuditWriter([FileSink(directory, "victim")], Chain(KEY, "victim"), StoppedClock())
    for step in steps:
        name, _, end = step.partition("=")
        await log.decided(a_write(id=name), REFUSE if end == "refused" else ALLOW)
        if end in ("sending", "settled"):
            log.sending(name)
        if end == "settled":
            await log.settled(a_write(id=name), Settlement(outcome=Outcome.OK), 201)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
