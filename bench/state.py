"""What a write costs state that remembers many posts: time, memory, disk, and the start.

Per engine: the posts are remembered as `seed` does it, then writes with the shipped kinds of
questions (three caps, two look-ups) are reserved and settled, one by one and 16 at once. Prints
medians and the share that one post takes. A SQLite of a million posts takes some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import uvloop

from gateway.model import (
    Api,
    Charge,
    Fingerprint,
    Lookup,
    Outcome,
    Published,
    Reservation,
    Settlement,
    Window,
    Write,
)
from gateway.ports import Administered
from gateway.state import Terms, open_store

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.servers import Valkey  # the tests' real server

_BATCH = 500
_TRIES = 2_000
_KEEP = 90 * 86_400.0


def post(number: int) -> Published:
    """A post of its own."""
    text = f"{number:032x}"
    return Published(
        post=f"question/{number}",
        author=f"person:{number % 5000}",
        operation="question.create",
        team=None,
        thread=None,
        url=f"https://soe.example.com/questions/{number}",
        fingerprint=Fingerprint(text=text, event=text[::-1], words=60),
    )


def question(number: int) -> Reservation:
    """What the shipped policies ask for a question."""
    text = f"{number:031x}x"
    write = Write(
        id=f"w{number:024x}",
        at=time.time(),
        integration="help-bot",
        token="t" * 32,
        api=Api.V3,
        operation="question.create",
        publishes=True,
        fingerprint=Fingerprint(text=text, event=text[::-1], words=60),
        request=f"{number:032x}",
    )
    caps = {
        f"cap-{seconds}": Charge(
            cap=f"cap-{seconds}|token={number % 997}", windows=(Window(limit=100, seconds=seconds),)
        )
        for seconds in (60.0, 3600.0, 86_400.0)
    }
    looks = {
        kind: Lookup(compare=kind, digest=digest, within=_KEEP, team=None)
        for kind, digest in (("text", text), ("event", text[::-1]))
    }
    return Reservation(write=write, groups=({**caps, **looks},))


async def timed(store: Administered, number: int) -> float:
    """Reserve and settle a write; the seconds of the reservation."""
    asked = question(number)
    began = time.perf_counter()
    await store.reserve(asked)
    took = time.perf_counter() - began
    await store.settle(asked.write.id, Settlement(outcome=Outcome.OK, post=f"question/{number}"))
    return took


def on_cpu(process: int) -> float:
    """The seconds that the first thread of a process was on a CPU; 0 without a process."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9 if process else 0.0


async def measure(url: str, posts: int, server: int) -> dict[str, Any]:
    """Fill an empty store and measure it; `server` is the process id of its server, or 0."""
    store = open_store(url, Terms(keep=_KEEP, timeout=30))
    began = time.perf_counter()
    for first in range(0, posts, _BATCH):
        batch = [post(number) for number in range(first, min(first + _BATCH, posts))]
        await store.remember(batch, time.time())
        if sys.stderr.isatty():
            print(
                f"\r{url.split(':', maxsplit=1)[0]}: {first + len(batch)} posts",
                end="",
                file=sys.stderr,
            )
    filled = time.perf_counter() - began
    await store.close()
    began = time.perf_counter()
    store = open_store(url, Terms(keep=_KEEP, timeout=30))
    await store.peek(question(0))
    started = time.perf_counter() - began
    numbers = iter(range(10**9, 10**9 + 10 * _TRIES))
    alone = [await timed(store, next(numbers)) for _ in range(_TRIES)]
    cpu, wall, together = time.process_time(), time.perf_counter(), []
    served = on_cpu(server)
    for _ in range(_TRIES // 16):
        together += await asyncio.gather(*(timed(store, next(numbers)) for _ in range(16)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    served = on_cpu(server) - served
    await store.close()
    return {
        "fill us/post": filled / posts * 1e6,
        "start ms": started * 1e3,
        "alone p50 us": median(alone) * 1e6,
        "alone p99 us": quantiles(alone, n=100)[-1] * 1e6,
        "16 at once p50 us": median(together) * 1e6,
        "writes/s": len(together) / wall,
        "own CPU us/write": cpu / len(together) * 1e6,
        "server CPU us/write": served / len(together) * 1e6,
        "own RSS MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def alone(url: str, posts: int, server: int = 0) -> dict[str, Any]:
    """Measure in a process of its own, for its memory."""
    command = [sys.executable, __file__, "--measure", url, "--posts", str(posts)]
    command += ["--server", str(server)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    figures: dict[str, Any] = eval(told.stdout, {"__builtins__": {}})
    return figures


def main() -> None:
    """Run it; --short for a look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20,000 posts")
    parser.add_argument("--posts", type=int, default=1_000_000, help="posts remembered")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--server", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    posts = 20_000 if args.short else args.posts
    if args.measure:
        print(repr(uvloop.run(measure(args.measure, posts, args.server))))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        rows["sqlite"] = alone(f"sqlite:///{path}", posts)
        disk = sum(each.stat().st_size for each in path.parent.iterdir())
        rows["sqlite"]["bytes/post"] = disk / posts
    server = Valkey()
    try:
        before = server.memory()
        rows["valkey"] = alone(server.url, posts, server.pid)
        rows["valkey"]["bytes/post"] = (server.memory() - before) / posts
    finally:
        server.close()
    rows["memory"] = alone("memory:", posts) if posts <= 1_000_000 else {}
    print(f"{posts} posts remembered")
    names = list(rows["sqlite"])
    print(f"{'':22}" + "".join(f"{engine:>12}" for engine in rows))
    for name in names:
        cells = (f"{row[name]:12.1f}" if name in row else f"{'-':>12}" for row in rows.values())
        print(f"{name:22}" + "".join(cells))


if __name__ == "__main__":
    main()
