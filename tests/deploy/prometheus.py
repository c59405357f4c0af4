"""A real Prometheus that scrapes every second, and what it answers."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import local
from tests.patience import PATIENCE, until
from tests.ports import kept_port

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

    def has_begun(self) -> bool:
        """Whether it answers, and has scraped the gateway."""
        try:
            return self.last_scrape() > 0
        except (httpx.TransportError, json.JSONDecodeError):
            return False

    def last_scrape(self) -> float:
        """When the last scrape began, if it did not fail; else 0."""
        found = self.ask("query", query="timestamp(up == 1)")["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def scraped(self) -> None:
        """Wait for a scrape that begins from now on."""
        now = time.time()
        until(lambda: self.last_scrape() > now)

    def shows(self, expression: str) -> bool:
        """Whether an expression gives something."""
        return bool(self.ask("query", query=expression)["result"])


@contextlib.contextmanager
def prometheus(admin: str, data: Path) -> Iterator[Prometheus]:
    """Run one that scrapes the admin listener, with its files in `data`."""
    assert BINARY is not None
    config = data / "prometheus.yml"
    config.write_text(_CONFIG.format(target=admin.removeprefix("http://")))
    log = data / "prometheus.log"
    with kept_port() as port, log.open("wb") as told:
        command = [BINARY, f"--config.file={config}", f"--storage.tsdb.path={data / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        process = subprocess.Popen(command, stdout=told, stderr=told)
        try:
            with local.client(base_url=f"http://127.0.0.1:{port}") as http:
                running = Prometheus(http)
                until(lambda: process.poll() is not None or running.has_begun())
                assert process.poll() is None, log.read_text()
                yield running
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
            process.wait()
