"""Processes that write to a state file until they are killed.

    python -m tests.state.sqlite.victim FILE

For each line that it reads, the number of a round and that of a statement, it forks one that tells
its process id and then each call that came back: `+ID` for a reservation that was taken, `-ID` for
another, `=ID` for a settlement. Before that statement it kills itself; 0 is none. When it is dead,
that is told.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.model import Need, Outcome, Settlement, Sharers
from gateway.state import Terms
from gateway.state.sqlite import SqliteStore
from tests.contract.test_stores import NOW, asks, cap, look, write
from tests.patience import PATIENCE

LIMIT = 40
"""Writes of a sort that pass in all."""
ENDINGS: tuple[Outcome | None, ...] = (
    *(Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.OK),
    *(None, Outcome.FAILED, Outcome.NOT_SENT, Outcome.OK),
)
"""How writes end, by their number; None is never told."""
_REPEATS = 3
_KEYED = (0, 4, 6)
_WORKERS = 4


def needs(number: int) -> dict[str, Need]:
    """What a write is charged to: two caps or three, and a try."""
    limited = {"limited": cap("limited", (LIMIT, 3600.0))} if number % 2 else {}
    return {
        "every": cap("every", (1_000_000, 3600.0)),
        "third": cap(f"third{number % 3}", (1_000_000, 3600.0)),
        "tries": cap("tries", (1_000_000, 3600.0), attempts=True),
        "copies": look(),
        "shared": Sharers(name="token", member=f"m{number % 3}", within=3600.0),
        **limited,
    }


def key(name: str, number: int) -> str | None:
    """The key of a write; what is repeated has none, for its repeat takes its place."""
    return f"key-{name}" if number % len(ENDINGS) in _KEYED else None


def name_of(round_: int, number: int) -> str:
    """The id of a write."""
    return f"{round_}-{number}"


async def _work(store: SqliteStore, round_: int, numbers: Iterator[int]) -> None:
    for number in numbers:
        name = name_of(round_, number)
        kind = number % len(ENDINGS)
        request = name_of(round_, number - 1) if kind == _REPEATS else name
        asked = write(number, id=name, request=request, key=key(name, number), at=NOW + round_)
        taken = (await store.reserve(asks(asked, needs(number)))).taken
        _tell(f"{'+' if taken else '-'}{name}")
        outcome = ENDINGS[kind]
        if outcome is not None:
            await store.settle(name, Settlement(outcome=outcome))
            _tell(f"={name}")


def _tell(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())  # at once: nobody flushes the dead


def _die(_statement: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _write(path: Path, round_: int, last: int) -> None:
    store = SqliteStore(path, Terms(keep=86_400.0, timeout=PATIENCE))
    statements = itertools.count(1)
    store._db.set_trace_callback(lambda told: _die(told) if next(statements) == last else None)
    _tell(str(os.getpid()))
    numbers = itertools.count()
    await asyncio.gather(*(_work(store, round_, numbers) for _ in range(_WORKERS)))


def main(path: Path) -> None:
    """Fork, and wait until that one is dead."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(_write(path, *map(int, line.split())))
        os.waitpid(child, 0)
        _tell("dead")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
