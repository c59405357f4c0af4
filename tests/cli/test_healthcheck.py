"""A probe that asks a gateway whether it is well."""

from __future__ import annotations

import argparse
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.cli import healthcheck
from tests.patience import PATIENCE


class Admin(BaseHTTPRequestHandler):
    """An admin listener that is alive and not ready."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(503 if self.path == "/readyz" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe waits as long as it must."""
    monkeypatch.setattr(healthcheck, "_SECONDS", PATIENCE)


@pytest.fixture
def admin() -> Iterator[str]:
    """Where the listener is."""
    with HTTPServer(("127.0.0.1", 0), Admin) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(*words: str) -> tuple[int, str]:
    """Exit code and output of a call."""
    parser = argparse.ArgumentParser()
    healthcheck.add_arguments(parser)
    out = io.StringIO()
    return healthcheck.run(parser.parse_args(words), out), out.getvalue()


def test_a_gateway_that_answers_is_well(admin: str) -> None:
    """Alive is 0."""
    assert run("--admin", admin) == (0, f"http://{admin}/healthz: 200\n")


def test_a_gateway_that_does_not_serve_is_not_ready(admin: str) -> None:
    """Ready is asked for by a flag."""
    assert run("--admin", f"http://{admin}/", "--ready") == (1, f"http://{admin}/readyz: 503\n")


def test_the_listener_is_found_where_the_settings_put_it(
    admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, probe and gateway share their environment."""
    monkeypatch.setenv("SOE_GATEWAY_SERVER_ADMIN_LISTEN", admin)

    assert run()[0] == 0


@pytest.mark.parametrize("where", ["127.0.0.1:1", "127.0.0.1:x", "no such host:80", "[::1"])
def test_nobody_there_is_not_well(where: str) -> None:
    """Whatever goes wrong is one line and exit 1."""
    code, told = run("--admin", where)

    assert code == 1
    assert told.count("\n") == 1


def test_the_answer_is_json_where_asked_for(admin: str) -> None:
    """For programs: the URL, the verdict, the answer."""
    code, told = run("--admin", admin, "--json")

    assert code == 0
    assert json.loads(told) == {"url": f"http://{admin}/healthz", "well": True, "answer": "200"}
