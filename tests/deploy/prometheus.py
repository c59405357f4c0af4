"""A real Prometheus that scrapes every second, and what it answers."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

BINARY = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    BINARY is None,
    reason="Prometheus is not installed (apt-get install prometheus): nobody asks for the panels",
)
_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: soe-write-gateway
    static_configs: [{{targets: ["{target}"]}}]
"""

Series = tuple[dict[str, str], list[tuple[float, float]]]
"""Labels, and values with their instants; what is no number is left out."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    http: httpx.Client

    def ask(self, path: str, **parameters: Any) -> Any:
        """Ask its HTTP API; what it calls an error fails the test, with its words."""
        answer = self.http.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{answer.get('error')}: {parameters}"
        return answer["data"]

    def series(self, expression: str, start: float, end: float, *, instant: bool) -> list[Series]:
        """Ask for the values of an expression at the end, or in every second until then."""
        if instant:
            found = self.ask("query", query=expression, time=end)["result"]
            found = [{**each, "values": [each["value"]]} for each in found]
        else:
            found = self.ask("query_range", query=expression, start=start, end=end, step=1)[
                "result"
            ]
        read = [
            (each["metric"], [(at, float(value)) for at, value in each["values"]]) for each in found
        ]
        return [
            (labels, known)
            for labels, values in read
            if (known := [(at, value) for at, value in values if math.isfinite(value)])
        ]

    def scrapes(self) -> int:
        """How often the gateway was scraped."""
        found = self.ask("query", query="count_over_time(up[1h])")["result"]
        return int(found[0]["value"][1]) if found else 0

    def scraped(self, more: int = 1) -> None:
        """Wait until the gateway was scraped as often again."""
        wanted = self.scrapes() + more
        while self.scrapes() < wanted:
            time.sleep(0.05)

    def shows(self, expression: str, *, while_: Future[None]) -> None:
        """Wait until an expression gives something, which it does only while something is done."""
        while not self.ask("query", query=expression)["result"]:
            assert not while_.done(), expression
            time.sleep(0.05)


@contextlib.contextmanager
def prometheus(admin: str, data: Path) -> Iterator[Prometheus]:
    """Run one that scrapes the admin listener, with its files in `data`."""
    assert BINARY is not None
    config = data / "prometheus.yml"
    config.write_text(_CONFIG.format(target=admin.removeprefix("http://")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [BINARY, f"--config.file={config}", f"--storage.tsdb.path={data / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (data / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            running = Prometheus(http)
            _wait(running, process, data)
            yield running
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _wait(running: Prometheus, process: subprocess.Popen[bytes], data: Path) -> None:
    while process.poll() is None:
        with contextlib.suppress(httpx.TransportError, json.JSONDecodeError):
            if running.scrapes():
                return
        time.sleep(0.05)
    raise AssertionError((data / "prometheus.log").read_text())
