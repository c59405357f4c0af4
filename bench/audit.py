"""What a durable record costs: rate, CPU and delay, against the device's own sync one by one.

Device and writer take turns in the same directory, in many short rounds, so that what else the
machine does meets both; the median of the ratios counts. Between them stands the least that a group
commit can be: the same tasks, one write and one sync, without a record, a chain or an account. What
it costs, the loop and the machine take for themselves: the aims are those of an idle machine, on a
disk whose sync takes milliseconds. The making of a record is not the writer's: what it adds to the
bare group commit, in place and not in a loop of its own, is left out of the writer's CPU. Give a
directory of a real disk by TMPDIR: a disk in memory syncs nothing. A disk that syncs in a fraction of
a millisecond is quicker than 64 tasks can be woken, and no group commit comes near the first aim:
with --steady each sync takes 4 ms, as on the disk for which the aims were set.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Protocol

import orjson
import uvloop
from common import folder

from gateway.audit import record
from gateway.audit.chain import begun
from gateway.audit.key import only
from gateway.audit.record import NOTHING
from gateway.audit.sinks import Disk, FileSink
from gateway.audit.writer import AuditWriter
from gateway.clock import SystemClock
from gateway.model import Api, Decision, Effect, Write

CONCURRENT = 64
KEY = only(b"k" * 64)
REFUSED = Decision(effect=Effect.REFUSE, revision="bench", findings=())
WRITE = Write(id="w", at=0.0, integration="bench", api=Api.V3, operation="question.create")
RECORD = record.decision(WRITE, REFUSED, 0.0, NOTHING)
LENGTH = len(begun("w", KEY).lines([orjson.dumps(RECORD)])[0])
AT_LEAST, CPU_AT_MOST, SYNCS_AT_MOST = 50, 8.0, 2.0
"""The aims: times the device's own rate, microseconds of CPU a record, syncs of the device."""


_STEADY = 0.004


def steady(fd: int) -> None:
    """Sync, and take as long as the disk of the aims."""
    ends = time.perf_counter() + _STEADY
    os.fdatasync(fd)
    time.sleep(max(0.0, ends - time.perf_counter()))


sync = steady if "--steady" in sys.argv else os.fdatasync


class Log(Protocol):
    """What is measured."""

    async def decided(self, write: Write, decision: Decision) -> None:
        """Return when it is durable."""

    async def close(self) -> None:
        """End."""


class Bare:
    """A group commit and nothing else: so many bytes for each that waits."""

    def __init__(self, path: Path, *, makes_records: bool) -> None:
        self._makes_records = makes_records
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._sync_on)
        self._thread.start()

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `Log.decided`."""
        if self._makes_records:
            record.decision(write, decision, 0.0, NOTHING)
        durable = self._loop.create_future()
        self._waiting.append(durable)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._wake.set)
        await durable

    async def close(self) -> None:
        """As `Log.close`."""
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        os.close(self._fd)

    def _sync_on(self) -> None:
        while self._wake.wait() and not self._stopping:
            self._wake.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            os.write(self._fd, b"".join([b"x" * LENGTH for _ in waiting]))
            sync(self._fd)
            self._loop.call_soon_threadsafe(self._tell, waiting)

    def _tell(self, waiting: list[asyncio.Future[None]]) -> None:
        for each in waiting:
            each.set_result(None)


@dataclass(frozen=True)
class Measured:
    """Records a second, microseconds of CPU a record, and seconds of which 1 in 100 took more."""

    rate: float
    micros: float
    p99: float


@dataclass(frozen=True)
class Round:
    """What one round gave."""

    device: Measured
    sync: float
    bare: Measured
    making: Measured
    audit: Measured


def device(files: Path, seconds: float) -> tuple[Measured, float]:
    """Append and sync one by one; gives the median of a sync too."""
    syncs = []
    fd = os.open(files / "device", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    cpu, begun_at = time.process_time(), time.perf_counter()
    while time.perf_counter() - begun_at < seconds:
        os.write(fd, b"x" * LENGTH)
        before = time.perf_counter()
        sync(fd)
        syncs.append(time.perf_counter() - before)
    took, used = time.perf_counter() - begun_at, time.process_time() - cpu
    os.close(fd)
    return _measured(syncs, took, used), median(syncs)


async def many(open_log: Callable[[], Log], seconds: float) -> Measured:
    """Record decisions from many tasks at once."""
    log = open_log()
    delays: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        while (before := time.perf_counter()) < end:
            await log.decided(WRITE, REFUSED)
            delays.append(time.perf_counter() - before)

    cpu, begun_at = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONCURRENT)))
    took, used = time.perf_counter() - begun_at, time.process_time() - cpu
    await log.close()
    return _measured(delays, took, used)


def _measured(delays: list[float], took: float, used: float) -> Measured:
    return Measured(len(delays) / took, used / len(delays) * 1e6, quantiles(delays, n=100)[98])


def measure(files: Path, number: int, seconds: float) -> Round:
    """Let device, bare group commit and writer take their turn."""

    def audit() -> AuditWriter:
        name = f"w{number}"
        sink = FileSink(files / "audit", name, disk=Disk(sync=sync))
        return AuditWriter([sink], begun(name, KEY), SystemClock())

    one_by_one, took = device(files, seconds)
    bare, making = (
        uvloop.run(many(partial(Bare, files / "bare", makes_records=makes), seconds))
        for makes in (False, True)
    )
    return Round(one_by_one, took, bare, making, uvloop.run(many(audit, seconds)))


def row(name: str, found: Sequence[Round], of: Callable[[Round], Measured], less: float = 0) -> str:
    """Give the medians of one that was measured, with so much less CPU."""
    rate = median(of(each).rate for each in found)
    times = median(of(each).rate / each.device.rate for each in found)
    micros = median(of(each).micros for each in found) - less
    syncs = median(of(each).p99 / each.sync for each in found)
    return f"{name:28}{rate:10.0f}{times:10.1f}{micros:15.1f}{syncs:12.2f}"


def main() -> None:
    """Measure in rounds; --short for a look, --steady for the disk of the aims."""
    rounds, seconds = (4, 0.5) if "--short" in sys.argv else (15, 1.0)
    with folder() as files:
        found = [measure(files, number, seconds) for number in range(rounds)]
    making = median(each.making.micros - each.bare.micros for each in found)
    print(
        f"{CONCURRENT} at once; a sync takes {median(each.sync for each in found) * 1e3:.2f} ms; "
        f"the making of a record, {making:.1f} us, is left out below\n"
        f"{'':28}{'records/s':>10}{'x device':>10}{'CPU us/record':>15}{'p99, syncs':>12}\n"
        f"{row('device, one by one', found, lambda each: each.device)}\n"
        f"{row('bare group commit', found, lambda each: each.bare)}\n"
        f"{row('  that makes records', found, lambda each: each.making, making)}\n"
        f"{row('audit', found, lambda each: each.audit, making)}\n"
        f"{'aims':28}{'':10}{AT_LEAST:10.1f}{CPU_AT_MOST:15.1f}{SYNCS_AT_MOST:12.2f}"
    )


if __name__ == "__main__":
    main()
