"""What a write costs state that remembers many posts: time, memory, disk, and the start.

Per engine: posts are written, or remembered as `seed` does it (`--seeded`), then writes with the
shipped kinds of questions (three caps, two look-ups) are reserved and settled, one by one and 16 at
once: with near-copies looked for and without, in turn. Every twentieth is a near-copy of an earlier
post. Prints are made up: log-normal numbers of them, a tenth out of a pool of phrases. Says medians,
how many originals were found, and the share that one post takes. A SQLite of a million posts takes
some minutes. Below stands what the table of prints takes of that, by itself in memory: to look up all
prints of a post and to list it.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import exp
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import uvloop

from gateway.model import (
    Api,
    Charge,
    Fingerprint,
    Found,
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
from gateway.state.prints import (
    REMEMBERED,
    PrintTable,
    listed,
    rows_for,
    table_size,
)

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.servers import Valkey  # the tests' real server

_BATCH = 500
_TRIES = 2_000
_KEEP = 90 * 86_400.0
_PHRASES = 50_000
_MOST = 512
_PROCESS = random.Random(1).randbytes(6).hex()
_EVERY = 20
"""Of so many posts one is a near-copy."""


class Texts:
    """What posts leave of their text, by number: the same each time."""

    def __init__(self) -> None:
        chance = random.Random(7)
        self._phrases = [chance.getrandbits(32) for _ in range(_PHRASES)]
        self._often = list(accumulate(1 / rank**1.05 for rank in range(1, _PHRASES + 1)))

    def fingerprint(self, number: int, copied: int | None = None) -> Fingerprint:
        """Give that of a post; of a near-copy, which keeps 80 to 95 of 100 prints."""
        chance = random.Random(number)
        prints = self._prints(number)
        if copied is not None:
            whole = self._prints(copied)
            kept = chance.sample(
                sorted(whole), max(1, round(len(whole) * chance.uniform(0.8, 0.95)))
            )
            prints = {*kept, *(chance.getrandbits(32) for _ in range(len(whole) - len(kept)))}
        packed = array("I", sorted(prints)[:_MOST]).tobytes()
        sketch = chance.randbytes(min(440, 26 + 2 * len(prints)))  # 210 bytes in the mean
        text, event = chance.randbytes(16).hex(), chance.randbytes(16).hex()
        return Fingerprint(text=text, event=event, words=60, prints=packed, sketch=sketch)

    def _prints(self, number: int) -> set[int]:
        chance = random.Random(number ^ 0x5EED)
        count = max(1, int(exp(chance.gauss(4.07, 1.0))))  # mean 97
        common = round(count * 0.1)
        often = chance.choices(self._phrases, cum_weights=self._often, k=common)
        return {*often, *array("I", chance.randbytes(4 * (count - common)))}


TEXTS = Texts()


def post(number: int) -> Published:
    """A post of its own."""
    return Published(
        post=f"question/{number}",
        author=f"person:{number % 5000}",
        operation="question.create",
        team=None,
        thread=None,
        url=address(number),
        fingerprint=TEXTS.fingerprint(number),
    )


def address(number: int) -> str:
    """Where a post stands."""
    return f"https://soe.example.com/questions/{number}"


def question(number: int, *, near: bool = True, copied: int | None = None) -> Reservation:
    """What the shipped policies ask for a question."""
    found = TEXTS.fingerprint(number, copied)
    write = Write(
        id=f"{int(time.time() * 1000):012x}{_PROCESS}{number:08x}",
        at=time.time(),
        integration="help-bot",
        token=f"{number % 5000:032x}",
        api=Api.V3,
        operation="question.create",
        publishes=True,
        fingerprint=found,
        request=random.Random(-number).randbytes(16).hex(),
    )
    caps = {
        f"cap-{seconds}": Charge(
            cap=f"cap-{seconds}|token={number % 997}", windows=(Window(limit=100, seconds=seconds),)
        )
        for seconds in (60.0, 3600.0, 86_400.0)
    }
    looks = {
        kind: Lookup(compare=kind, digest=digest, within=_KEEP, team=None, near=near)
        for kind, digest in (("text", found.text), ("event", found.event))
    }
    return Reservation(write=write, groups=({**caps, **looks},))


async def fill(store: Administered, posts: int, *, seeded: bool) -> None:
    """Remember posts: written through the gateway, or as they stand on the site."""
    for first in range(0, posts, _BATCH):
        numbers = range(first, min(first + _BATCH, posts))
        if seeded:
            await store.remember([post(number) for number in numbers], time.time())
        else:
            await asyncio.gather(*(written(store, number) for number in numbers))
        if sys.stderr.isatty():
            print(f"\r{first + len(numbers)} posts", end="", file=sys.stderr)


async def written(store: Administered, number: int) -> None:
    """Write a post that no cap counts."""
    asked = replace(question(number), groups=({},))
    await store.reserve(asked)
    ends = Settlement(outcome=Outcome.OK, post=f"question/{number}", url=address(number))
    await store.settle(asked.write.id, ends)


@dataclass
class Seen:
    """Seconds of reservations, and how many near-copies found their original."""

    took: list[float] = field(default_factory=list)
    copies: int = 0
    found: int = 0


async def timed(store: Administered, number: int, posts: int, seen: Seen, *, near: bool) -> None:
    """Reserve and settle a write."""
    copied = number % posts if number % _EVERY == 0 else None
    asked = question(number, near=near, copied=copied)
    began = time.perf_counter()
    reserved = await store.reserve(asked)
    seen.took.append(time.perf_counter() - began)
    answer = reserved.answers["text"]
    assert isinstance(answer, Found)
    if near and copied is not None:
        seen.copies += 1
        seen.found += f"question/{copied}" in [each.post for each in answer.posts]
    ends = Settlement(outcome=Outcome.OK, post=f"question/{number}", url=address(number))
    await store.settle(asked.write.id, ends)


def on_cpu(process: int) -> float:
    """The seconds that the first thread of a process was on a CPU; 0 without a process."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9 if process else 0.0


async def measure(url: str, posts: int, server: int, *, seeded: bool) -> dict[str, Any]:
    """Fill an empty store and measure it; `server` is the process id of its server, or 0."""
    terms = Terms(keep=_KEEP, timeout=30, posts=max(1 << 16, posts))
    store = open_store(url, terms)
    began = time.perf_counter()
    await fill(store, posts, seeded=seeded)
    filled = time.perf_counter() - began
    await store.close()
    size = on_disk(url)
    began = time.perf_counter()
    store = open_store(url, terms)
    await store.peek(question(0))
    started = time.perf_counter() - began
    numbers = iter(range(10**9, 10**9 + 10 * _TRIES))
    near, plain = Seen(), Seen()
    for _ in range(_TRIES):
        await timed(store, next(numbers), posts, near, near=True)
        await timed(store, next(numbers), posts, plain, near=False)
    cpu, wall, together = time.process_time(), time.perf_counter(), Seen()
    served = on_cpu(server)
    for _ in range(_TRIES // 16):
        batch = (timed(store, next(numbers), posts, together, near=True) for _ in range(16))
        await asyncio.gather(*batch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    served = on_cpu(server) - served
    await store.close()
    many = len(together.took)
    return {
        "fill us/post": filled / posts * 1e6,
        "start ms": started * 1e3,
        "near p50 us": median(near.took) * 1e6,
        "near p99 us": quantiles(near.took, n=100)[-1] * 1e6,
        "without p50 us": median(plain.took) * 1e6,
        "without p99 us": quantiles(plain.took, n=100)[-1] * 1e6,
        "16 at once p50 us": median(together.took) * 1e6,
        "writes/s": many / wall,
        "own CPU us/write": cpu / many * 1e6,
        "server CPU us/write": served / many * 1e6,
        "own RSS MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "originals found %": 100 * near.found / max(1, near.copies),
        **({"bytes/post": size / posts} if size else {}),
    }


def index(posts: int) -> dict[str, float]:
    """Measure the table of prints alone, with so many posts in it: microseconds of each post."""
    rows = rows_for(posts)
    table = PrintTable(mmap.mmap(-1, table_size(rows)))
    chance = random.Random(3)
    for number in range(1, posts + 1):
        table.add(number, array("I", chance.randbytes(4 * REMEMBERED)), 1)
    took, cpu = [], []
    for number in range(posts + 1, posts + _TRIES + 1):
        copied = number - posts if number % _EVERY == 0 else None
        prints = TEXTS.fingerprint(number, copied).prints
        began, began_cpu = time.perf_counter(), time.thread_time()
        table.most_hit(prints, 1, number)
        table.add(number, listed(prints), 1)
        took.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - began_cpu)
    return {
        "p50": median(took) * 1e6,
        "p99": quantiles(took, n=100)[-1] * 1e6,
        "mean CPU": sum(cpu) / len(cpu) * 1e6,
    }


def on_disk(url: str) -> int:
    """The bytes of a SQLite state and its table; 0 where there is none."""
    path = Path(url.removeprefix("sqlite:///"))
    return sum(each.stat().st_size for each in path.parent.iterdir()) if path.exists() else 0


def alone(url: str, posts: int, server: int = 0, *, seeded: bool) -> dict[str, Any]:
    """Measure in a process of its own, for its memory."""
    command = [sys.executable, __file__, "--measure", url, "--posts", str(posts)]
    command += ["--server", str(server), *(["--seeded"] if seeded else [])]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    figures: dict[str, Any] = eval(told.stdout, {"__builtins__": {}})
    return figures


def main() -> None:
    """Run it; --short for a look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20,000 posts")
    parser.add_argument("--posts", type=int, default=1_000_000, help="posts remembered")
    parser.add_argument("--seeded", action="store_true", help="remembered as seed does it")
    parser.add_argument("--engine", choices=["sqlite", "valkey", "memory"], help="this one alone")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--server", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    posts = 20_000 if args.short else args.posts
    if args.measure:
        print(repr(uvloop.run(measure(args.measure, posts, args.server, seeded=args.seeded))))
        return
    rows = {}
    if args.engine in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            rows["sqlite"] = alone(
                f"sqlite:///{Path(folder) / 'state.db'}", posts, seeded=args.seeded
            )
    if args.engine in (None, "valkey"):
        server = Valkey()
        try:
            before = server.memory()
            rows["valkey"] = alone(server.url, posts, server.pid, seeded=args.seeded)
            rows["valkey"]["bytes/post"] = (server.memory() - before) / posts
        finally:
            server.close()
    if args.engine in (None, "memory"):
        rows["memory"] = alone("memory:", posts, seeded=args.seeded)
    print(f"{posts} posts remembered")
    names = list(next(iter(rows.values())))
    print(f"{'':22}" + "".join(f"{engine:>12}" for engine in rows))
    for name in names:
        cells = (f"{row[name]:12.1f}" if name in row else f"{'-':>12}" for row in rows.values())
        print(f"{name:22}" + "".join(cells))
    figures = (f"{name} {figure:.0f}" for name, figure in index(posts).items())
    print("index: look-up + insertion us:", ", ".join(figures))


if __name__ == "__main__":
    main()
