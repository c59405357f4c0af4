"""Records become lines of a chain, the same in all sinks.

The lock is held for building and writing lines, never during a sync: a line has the same place in
the chain and in the files. Where there are several sinks, the lines that one of them could not take
are the first that it gets when it works again, and until then no other line is written: each holds
the whole chain.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import orjson

from gateway.audit.chain import Chain, Head
from gateway.audit.record import Record
from gateway.audit.sinks import NotTakenError, Segment, Sink
from gateway.errors import AuditError
from gateway.model import Effect

OWED_AT_MOST = 10_000

Told = tuple[Record, bytes]
"""A record, and how it is written."""


def encoded(record: Record) -> Told:
    """Encode a record; by its caller, so that one that cannot be is nobody else's failure."""
    return record, orjson.dumps(record)


class Lines:
    """The lines of one writer, over all its sinks.

    Attributes:
        open: the writes that may be sent and have no outcome yet.
    """

    open: set[str]

    def __init__(
        self, sinks: Sequence[Sink], chain: Chain, on_write: Callable[[str], None]
    ) -> None:
        """Begin where a chain stands; `on_write` is called with the kind of each record."""
        self._sinks = sinks
        self._chain = chain
        self._on_write = on_write
        self._lock = threading.Lock()
        self._owed: deque[Told] = deque()
        self._behind: dict[int, Sequence[bytes]] = {}  # by sink, the lines that it could not take
        self.open = set()

    @property
    def writer(self) -> str:
        """The name of this writer."""
        return self._chain.writer

    @property
    def owed(self) -> int:
        """Records that could not be written yet."""
        return len(self._owed)

    def append(self, told: Sequence[Told]) -> tuple[Segment, ...]:
        """Write records, after what is owed; gives the segments that they stand in.

        Raises:
            AuditError: they are not in all sinks.
        """
        with self._lock:
            self._pay()
            return self._write(told)

    def append_or_owe(self, told: Record) -> None:
        """Write a record, or owe it where it cannot be written now.

        Raises:
            AuditError: it is owed, or one of several sinks is.
        """
        with self._lock:
            self._owed.append(encoded(told))
            try:
                self._pay()
            except AuditError:
                # Only what was sent before the disk failed is settled after it: they are few.
                if len(self._owed) > OWED_AT_MOST:
                    self._owed.pop()
                raise

    def pay(self) -> None:
        """Write what should have been written before. Raises `AuditError`."""
        if self._behind or self._owed:
            with self._lock:
                self._pay()

    def reached(self) -> tuple[Head, bool]:
        """Give the last record, and whether all sinks were given all up to it."""
        with self._lock:
            return self._chain.head, not self._behind

    def _pay(self) -> None:
        for number, missed in list(self._behind.items()):
            try:
                self._sinks[number].append(missed)
            except NotTakenError as error:
                self._behind[number] = missed[error.whole :]
                raise
            del self._behind[number]
        while self._owed:
            try:
                self._write([self._owed[0]])
            except NotTakenError as error:
                if error.whole:  # it stands: the sink that lacks it gets it first
                    self._owed.popleft()
                raise
            self._owed.popleft()

    def _write(self, told: Sequence[Told]) -> tuple[Segment, ...]:
        lines = self._chain.lines(each for _, each in told)
        segments = []
        failures: dict[int, NotTakenError] = {}
        for number, sink in enumerate(self._sinks):
            try:
                segments.append(sink.append(lines))
            except NotTakenError as error:
                failures[number] = error
        # What one sink has stands: no other line may take its place in the chain.
        whole = len(lines) if segments else max(each.whole for each in failures.values())
        if whole:
            self._chain.advance(lines[:whole])
            for record, _ in told[:whole]:
                self._keep_account(record)
        if not failures:
            return tuple(segments)
        self._behind = {
            number: lines[each.whole : whole]
            for number, each in failures.items()
            if each.whole < whole
        }
        failure = next(iter(failures.values()))
        raise NotTakenError(str(failure), whole) from failure

    def _keep_account(self, told: Record) -> None:
        self._on_write(told["kind"])
        if told["kind"] == "decision" and told["effect"] == Effect.ALLOW:
            self.open.add(told["write_id"])
        elif told["kind"] == "outcome":
            self.open.discard(told["write_id"])
