"""What a durable record costs: rate, CPU and delay, against the device's own sync one by one.

Device and writer take turns in the same directory, in several rounds; the median of the ratios
counts. Give a directory of a real disk by TMPDIR: a disk in memory syncs nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from common import folder

from gateway.audit import record
from gateway.audit.chain import begun
from gateway.audit.key import only
from gateway.audit.record import NOTHING
from gateway.audit.sinks import FileSink
from gateway.audit.writer import AuditWriter
from gateway.clock import SystemClock
from gateway.model import Api, Decision, Effect, Write

CONCURRENT = 64
KEY = only(b"k" * 64)
REFUSED = Decision(effect=Effect.REFUSE, revision="bench", findings=())
WRITE = Write(id="w", at=0.0, integration="bench", api=Api.V3, operation="question.create")
LENGTH = len(begun("w", KEY).line(record.decision(WRITE, REFUSED, 0.0, NOTHING)))
AT_LEAST, CPU_AT_MOST, SYNCS_AT_MOST = 50, 8.0, 2.0
"""The aims: times the device's own rate, microseconds of CPU a record, syncs of the device."""


@dataclass(frozen=True)
class Round:
    """What one round of the device and the writer gave."""

    device_rate: float
    device_sync: float
    rate: float
    micros: float
    p99: float


def device(files: Path, seconds: float) -> tuple[float, float]:
    """Append and sync one by one; gives the rate and the median of a sync."""
    syncs = []
    fd = os.open(files / "device", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    begun_at = time.perf_counter()
    while time.perf_counter() - begun_at < seconds:
        os.write(fd, b"x" * LENGTH)
        before = time.perf_counter()
        os.fdatasync(fd)
        syncs.append(time.perf_counter() - before)
    took = time.perf_counter() - begun_at
    os.close(fd)
    return len(syncs) / took, median(syncs)


async def writer(files: Path, name: str, seconds: float) -> tuple[float, float, float]:
    """Record decisions from many tasks at once; gives rate, CPU and the 99th of a hundred delays."""
    log = AuditWriter([FileSink(files, name)], begun(name, KEY), SystemClock())
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
    return len(delays) / took, used / len(delays) * 1e6, quantiles(delays, n=100)[98]


def building() -> float:
    """Give the microseconds of making a record, which are not the writer's."""
    count, cpu = 20_000, time.process_time()
    for _ in range(count):
        record.decision(WRITE, REFUSED, 0.0, NOTHING)
    return (time.process_time() - cpu) / count * 1e6


def measure(files: Path, number: int, seconds: float) -> Round:
    """Let device and writer take their turn."""
    device_rate, device_sync = device(files, seconds)
    rate, micros, p99 = asyncio.run(writer(files / "audit", f"w{number}", seconds))
    return Round(device_rate, device_sync, rate, micros - building(), p99)


def main() -> None:
    """Measure in rounds; --short for a look."""
    rounds, seconds = (2, 1.0) if "--short" in sys.argv else (5, 3.0)
    with folder() as files:
        found = [measure(files, number, seconds) for number in range(rounds)]
    times = median(each.rate / each.device_rate for each in found)
    micros = median(each.micros for each in found)
    syncs = median(each.p99 / each.device_sync for each in found)
    print(
        f"device, one by one      {median(each.device_rate for each in found):8.0f} records/s, "
        f"{median(each.device_sync for each in found) * 1e3:.2f} ms a sync\n"
        f"audit, {CONCURRENT} at once      {median(each.rate for each in found):8.0f} records/s, "
        f"{times:.0f} times the device ({AT_LEAST} is the aim)\n"
        f"CPU a record, making it left out  {micros:.1f} us ({CPU_AT_MOST:g} is the aim)\n"
        f"99th of a hundred delays          {syncs:.2f} syncs ({SYNCS_AT_MOST:g} is the aim)"
    )


if __name__ == "__main__":
    main()
