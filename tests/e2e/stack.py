"""The sandbox with the gateway before it, as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import local
from tests.e2e.forked import piped
from tests.e2e.process import OPEN, Running, gateway


@dataclass(frozen=True, slots=True)
class Stack:
    """A running pair, and what the sandbox was asked."""

    sandbox: str
    running: Running

    @property
    def url(self) -> str:
        """Where clients go."""
        return self.running.proxy

    def writes(self) -> list[dict[str, Any]]:
        """What arrived at the sandbox and was no read, in order."""
        log = local.get(f"{self.sandbox}/_sandbox/log").json()
        return [entry for entry in log if entry["method"] not in ("GET", "HEAD")]

    def reset(self) -> None:
        """Let the sandbox begin anew."""
        local.post(f"{self.sandbox}/_sandbox/reset")


@contextlib.contextmanager
def sandbox(*arguments: str) -> Iterator[str]:
    """Run a sandbox on a free port."""
    words = ["sandbox", "--listen", "127.0.0.1:0", *arguments]
    process, out = piped(words, 2, os.environ)  # its errors are ours
    try:
        yield json.loads(out.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        out.close()


@contextlib.contextmanager
def stack(
    data: Path, policies: Path, *arguments: str, environ: Mapping[str, str] = OPEN
) -> Iterator[Stack]:
    """Run both; writers need not be registered unless `environ` says so."""
    with (
        sandbox() as soe,
        gateway(soe, data, "--policies", str(policies), *arguments, environ=environ) as running,
    ):
        yield Stack(soe, running)
