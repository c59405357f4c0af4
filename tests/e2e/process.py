"""Real gateway processes for tests: started on free ports, ended by process id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.audit.lines import objections
from tests.e2e.forked import Forked, piped

CONTACT = {
    "SOE_GATEWAY_SITE_CONTACT_NAME": "Knowledge Team",
    "SOE_GATEWAY_SITE_CONTACT_EMAIL": "knowledge@example.com",
}
OPEN = {"SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow"}


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens."""

    process: subprocess.Popen[bytes] | Forked
    proxy: str
    admin: str
    data: Path

    @property
    def port(self) -> int:
        """The port of the proxy listener."""
        return int(self.proxy.rpartition(":")[2])

    def audit(self) -> list[dict[str, object]]:
        """Every record of the audit log, oldest first; a torn last line is left out."""
        records = []
        for path in sorted((self.data / "audit").glob("audit-*.jsonl"), key=os.path.getmtime):
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    records.append(json.loads(line))
        return records


def nursery(running: Running) -> int:
    """The process id of the supervisor's only child, which forks the workers."""
    [pid] = _children(running.process.pid)
    return pid


def workers(running: Running) -> list[int]:
    """The process ids of the workers."""
    return _children(nursery(running))


def processor_seconds(pid: int) -> float:
    """What a process used of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def gateway(
    upstream: str, data: Path, *arguments: str, environ: Mapping[str, str] = OPEN
) -> Iterator[Running]:
    """Run `soe-gateway serve` before `upstream`, with its files in `data`."""
    words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    words += ["--upstream", upstream, "--data", str(data), *arguments]
    whole = {**os.environ, **CONTACT, **environ}
    process: subprocess.Popen[bytes] | Forked
    with (data / "stderr").open("ab") as errors:
        if "--workers" in words:  # it has its own way to import once
            command = [sys.executable, "-m", "gateway", *words]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=whole)
            assert process.stdout is not None
            out = process.stdout
        else:
            process, out = piped(words, errors.fileno(), whole)
    try:
        proxy, admin = _listening(out, data)
        running = Running(process, proxy, admin, data)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()
        out.close()
    # Whatever a test is about, the records that it leaves have the shape that is published.
    assert [problem for told in running.audit() for problem in objections(told)] == []


def _listening(out: IO[bytes], data: Path) -> tuple[str, str]:
    for line in out:
        event = json.loads(line)
        if event.get("event") == "server.listening":
            # The pipe is read on by a thread of its own, or a full pipe would stand in for a sink.
            _drain(out, data)
            return event["proxy"], event["admin"]
    raise AssertionError(f"the gateway did not start: {(data / 'stderr').read_text()}")


def _drain(out: IO[bytes], data: Path) -> None:
    import threading

    def copy() -> None:
        with (data / "stdout").open("ab") as log, contextlib.suppress(ValueError):
            for line in out:
                log.write(line)
                log.flush()

    threading.Thread(target=copy, daemon=True).start()
