"""An audit log, read and put in order by a process of its own, ahead of who judges it.

Reading takes a sixth of a replay, and judging is one line of steps. A short log is read where it is
judged: starting a process takes longer.
"""

from __future__ import annotations

import gc
import io
import pickle
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any

from gateway.offline.records.order import Decided, Event, in_order
from gateway.offline.records.read import Spoilt, records

_EVENTS = 256
"""That are sent at a time."""
_WORTH = 8 * 2**20
"""Bytes of a log from which on a process is worth its start."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read since the last part; the last of all has no events."""

    events: list[Event]
    advanced: int
    spoilt: Spoilt
    error: OSError | None = None


def events(
    paths: Sequence[Path], spoilt: Spoilt, advanced: Callable[[int], None] = lambda _: None
) -> Generator[Event, None, None]:
    """Give what happened, as state saw it; of a long log, decisions come without their records.

    Args:
        spoilt: takes what cannot be read.
        advanced: is told of bytes that were read, as they lie on the disk.
    """
    if sum(path.stat().st_size for path in paths) < _WORTH:
        yield from in_order(records(paths, spoilt, advanced))
    else:
        yield from read_ahead(paths, spoilt, advanced)


def read_ahead(
    paths: Sequence[Path], spoilt: Spoilt, advanced: Callable[[int], None]
) -> Generator[Event, None, None]:
    """Give events as `events`, from a process that ends with this iterator."""
    context = get_context("spawn")  # as the progress bar may have threads
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(paths, sender), daemon=True)
    ensure_running()  # which would unblock signals, were it done below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        process.start()  # Ctrl-C is not for the process, which inherits what is blocked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()
    try:
        while True:
            part: _Part = pickle.loads(receiver.recv_bytes())  # noqa: S301 - from a process of ours
            advanced(part.advanced)
            if part.error is not None:
                raise part.error
            if not part.events:
                spoilt.count, spoilt.told[:] = part.spoilt.count, part.spoilt.told
                return
            yield from part.events
    finally:
        receiver.close()  # then sending fails
        process.join()


# ── in the process ───────────────────────────────────────────────────────────────────────────


def _send(paths: Sequence[Path], sender: Connection) -> None:
    gc.disable()  # nothing that is made here is a cycle
    try:
        for part in _parts(paths):
            sender.send_bytes(_packed(part))
    except BrokenPipeError:
        pass  # nobody wants more


def _parts(paths: Sequence[Path]) -> Iterator[_Part]:
    spoilt, advanced = Spoilt(), [0]

    def advance(done: int) -> None:
        advanced[0] += done

    found = in_order(records(paths, spoilt, advance))
    some: list[Event] | None = None
    while some != []:
        try:
            some = [_without_record(event) for event in islice(found, _EVENTS)]
        except OSError as error:
            yield _Part([], 0, spoilt, error)
            return
        done, advanced[0] = advanced[0], 0
        yield _Part(some, done, spoilt)


def _without_record(event: Event) -> Event:
    """Leave out what nobody judges by, which is half of all there is to send."""
    if not isinstance(event, Decided):
        return event
    return Decided(replace(event.decision, record={}), event.writer)


def _packed(part: _Part) -> bytes:
    packed = io.BytesIO()
    _Packer(packed, pickle.HIGHEST_PROTOCOL).dump(part)
    return packed.getvalue()


class _Packer(pickle.Pickler):
    """Packs a value as a call of its class, which is read twice as fast as what it packs itself."""

    def reducer_override(self, value: Any) -> Any:
        """As `pickle.Pickler.reducer_override`."""
        names = _names(value.__class__)
        if not names:
            return NotImplemented
        return _made, (type(value), *[getattr(value, name) for name in names])


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _made(kind: type, *values: object) -> object:
    return kind(**dict(zip(_names(kind), values, strict=True)))
