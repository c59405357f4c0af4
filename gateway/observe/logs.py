"""Structured logs: one JSON line an event, on standard output.

A reader that stands still must not stop the gateway: what it does not take waits, up to a bound,
and then lines are dropped and counted. (Decisions are in the audit log, which drops nothing.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
from collections.abc import Callable, Mapping
from time import time
from typing import Any

import orjson
import structlog

EVENTS: Mapping[str, str] = {
    "server.listening": "The gateway is ready; says where it listens.",
    "server.started": "The gateway serves; says its version, where it listens, and which upstream, policies, state and audit log it stands on.",
    "start.waits": "State or audit log cannot be opened while their disk is full or broken: writes are refused, reads served.",
    "start.completed": "What the start waited for is open.",
    "server.stopping": "A stop was asked for; what is in flight is finished.",
    "server.stopped": "Everything is settled, synced and closed.",
    "worker.died": "A worker ended that nobody had told to; another takes its place.",
    "settings.weak": "A setting is weaker than recommended.",
    "request.finished": "A request was answered, or its client left.",
    "request.refused_on_the_wire": "Bytes that are no request of HTTP/1.1 as the gateway takes it.",
    "policies.loaded": "A policy set is in force; says its revision.",
    "policies.refused": "Policy files are wrong; the last good set stays in force.",
    "integration.disabled": "An operator switched an integration off: its writes are refused; says who and why. Also at a start, of one that is off.",
    "integration.enabled": "An operator switched an integration on again; says who. Also at a start, of one that was off once.",
    "switches.failed": "What operators switched off cannot be read or kept in the state (`store`) or the data directory (`file`).",
    "console.signed_in": "Somebody signed in on the console by a token; says which, and as what.",
    "console.refused": "Somebody did not get into the console; says from where, and why.",
    "canary.passed": "A write that must be refused was not, or not by the rule that must: the gate is open.",
    "canary.none": "No test of an enforcing rule shows a write refused at once, so nothing proves that the gate is shut.",
    "state.failed": "State was out of reach.",
    "state.lost": "State came back without what it held; says whether that is accepted.",
    "state.put_back": "What this process knew was put back into a state that had lost it.",
    "state.set_aside": "A damaged state file got another name; an empty one took its place.",
    "state.rule_open": "A rule let a write pass because state failed (`on_error: allow`).",
    "audit.failed": "The audit log could not be written.",
    "audit.recovered": "Writes that a dead process left open were given their outcomes.",
    "audit.checkpoint": "How far a writer of the audit log has come, signed: `soe-gateway audit verify --checkpoints` reads it, and a cut before it shows.",
    "audit.cut": "Records older than `audit.retention` were removed; the log itself says which.",
    "audit.upkeep_failed": "A checkpoint could not be written, files not be compressed or removed, or people not be erased; it is tried again.",
    "people.erased": "Under `audit.retention`, those were erased from the people file of whom no record is left; says how many pseudonyms.",
    "sign_in.failed": "Nobody could be signed in at the OpenID provider; says why.",
    "upstream.failed": "SOE could not be reached, or broke off.",
    "gateway.crashed": "A bug: the request was refused.",
}
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_DELAY = 0.02
_ENOUGH = 32 * 1024
"""Bytes that are written without further delay."""
_TOO_MUCH = 256 * 1024
"""Bytes that may wait."""


class Output:
    """Standard output that never blocks. Belongs to the event loop: no other thread writes to it.

    Lines of daily business are written together, at most 20 ms late: a write for each would cost
    more than making the line. A warning or an error is written at once, and what waits before it.

    Args:
        on_drop: told how many lines were lost.

    Attributes:
        held: lines wait until this is false again: whoever started the gateway reads first where
            it listens.
    """

    def __init__(self, fd: int = 1, on_drop: Callable[[int], None] = lambda _: None) -> None:
        self.held = False
        self._fd = fd
        self._on_drop = on_drop
        self._waiting = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def later(self, line: bytes) -> None:
        """Take a line, to be written soon; drop it where too much waits already."""
        if len(self._waiting) > _TOO_MUCH:
            self._on_drop(1)
            return
        self._waiting += line
        self._waiting += b"\n"
        if len(self._waiting) > _ENOUGH:
            self.flush()
        elif self._timer is None:
            self._arm()

    def now(self, line: bytes) -> None:
        """Take a line and write it."""
        self.later(line)
        self.flush()

    def flush(self) -> None:
        """Write what the reader takes; what it leaves is tried again."""
        while self._waiting and not self.held and self._is_taken():
            # Up to PIPE_BUF bytes, a pipe that has room takes all and mixes them with nobody's.
            whole_lines = self._waiting.rfind(b"\n", 0, select.PIPE_BUF) + 1
            piece = self._waiting[: whole_lines or select.PIPE_BUF]
            try:
                del self._waiting[: os.write(self._fd, piece)]
            except BlockingIOError:  # another process was faster and took the room
                break
            except OSError:  # nobody reads any more
                self._on_drop(self._waiting.count(b"\n"))
                self._waiting.clear()
        if self._waiting and self._timer is None:
            self._arm()

    def _is_taken(self) -> bool:
        return any(event & (select.POLLOUT | select.POLLERR) for _, event in self._poll.poll(0))

    def _arm(self) -> None:
        with contextlib.suppress(RuntimeError):  # no loop runs: the next warning writes it
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.flush()


class _Log(structlog.BoundLoggerBase):
    """A structlog logger without a chain: a line is made at once, of what is bound and given.

    One line per request is most of what is logged, and a chain costs more than the line.
    """

    _level = 0

    def info(self, event: str, **facts: Any) -> None:
        """Tell what happens every day."""
        if self._level <= _LEVELS["info"]:
            self._logger.later(self._line("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        """Tell what somebody should look at."""
        if self._level <= _LEVELS["warning"]:
            self._logger.now(self._line("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        """Tell what is broken."""
        self._logger.now(self._line("error", event, facts))

    def _line(self, level: str, event: str, facts: dict[str, Any]) -> bytes:
        told = {"at": time(), "level": level, "event": event, **self._context, **facts}
        try:
            return orjson.dumps(told, default=str)
        except TypeError:  # text that is no UTF-8, as in a file's name
            return json.dumps(told, default=str).encode()


def logger(level: str, output: Output) -> Any:
    """Make the logger: level and instant on every line, and what is bound or given."""
    wrapper = type("Log", (_Log,), {"_level": _LEVELS[level]})
    return structlog.wrap_logger(output, wrapper_class=wrapper, context_class=dict).bind()


def events_reference() -> str:
    """Give the table of all events, in Markdown."""
    rows = [f"| `{event}` | {meaning} |" for event, meaning in EVENTS.items()]
    return "\n".join(["| event | meaning |", "|---|---|", *rows])
