"""Structured logs: one JSON line an event, on standard output.

A reader that stands still must not stop the gateway: where the pipe is full, lines are dropped
and counted. (Decisions are in the audit log, which drops nothing.)
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import orjson
import structlog

EVENTS: Mapping[str, str] = {
    "server.listening": "The gateway is ready; says where it listens.",
    "server.stopping": "A stop was asked for; what is in flight is finished.",
    "server.stopped": "Everything is settled, synced and closed.",
    "settings.weak": "A setting is weaker than recommended.",
    "request.finished": "A request was answered, or its client left.",
    "request.refused_on_the_wire": "Bytes that are no request of HTTP/1.1 as the gateway takes it.",
    "policies.loaded": "A policy set is in force; says its revision.",
    "policies.refused": "Policy files are wrong; the last good set stays in force.",
    "state.failed": "State was out of reach.",
    "audit.failed": "The audit log could not be written.",
    "audit.recovered": "Writes that a dead process left open were given their outcomes.",
    "upstream.failed": "SOE could not be reached, or broke off.",
    "gateway.crashed": "A bug: the request was refused.",
}
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Output:
    """Standard output that never blocks; `dropped` counts the lines that it lost."""

    def __init__(self, fd: int = 1, on_drop: Callable[[], None] = lambda: None) -> None:
        self._fd = fd
        self._on_drop = on_drop
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def msg(self, line: bytes) -> None:
        """Write a line if the reader takes it. Lines under PIPE_BUF go whole or not at all."""
        ready = self._poll.poll(0)
        if not ready or not ready[0][1] & select.POLLOUT:
            self._on_drop()
            return
        try:
            os.write(self._fd, line + b"\n")
        except OSError:
            self._on_drop()

    debug = info = warning = error = critical = msg


def _render(_logger: object, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return orjson.dumps(event, default=str)


def logger(level: str, output: Output) -> Any:
    """Make the logger: level and ISO time on every line, and what is bound or given."""
    return structlog.wrap_logger(
        output,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="at"),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        context_class=dict,
    ).bind()


def events_reference() -> str:
    """Give the table of all events, in Markdown."""
    rows = [f"| `{event}` | {meaning} |" for event, meaning in EVENTS.items()]
    return "\n".join(["| event | meaning |", "|---|---|", *rows])
