"""Several workers behind one port: they serve, count, die and stop as one gateway."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import local
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.process import (
    CONTACT,
    OPEN,
    Running,
    alive,
    gateway,
    nursery,
    processor_seconds,
    workers,
)
from tests.e2e.recorder import Recorded, Recorder, created, recorder
from tests.patience import PATIENCE, until
from tests.shared import ROOT

pytestmark = pytest.mark.slow

REFUSED, SLOW, RESET = -1, -2, -3
AT_ONCE = 0.2
"""Seconds in which a client has connected and sent its request, unless its machine is busy: a stop
waits a little longer for the first request of a connection."""


def metric(running: Running, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    text = local.get(f"{running.admin}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"soe_gateway_{name}" and labels.items() <= sample.labels.items()
    )


def post(running: Running, number: int) -> int:
    """Send a question on a connection of its own; 0 without an answer, -1 without a connection."""
    return answer_to(running, number)[0]


def question(number: int) -> tuple[dict[str, object], dict[str, str]]:
    """A question that nobody else asks, and the header fields it goes with."""
    headers = {"authorization": f"Bearer {number}", "x-explicit-action": "true"}
    title = f"How do I rotate key {number}?"
    return {"title": title, "body": "It runs out.", "tags": ["a"]}, headers


def answer_to(running: Running, number: int) -> tuple[int, str]:
    """As `post`; gives what the answer says, too."""
    document, headers = question(number)
    try:
        answer = local.post(f"{running.proxy}/api/v3/questions", json=document, headers=headers)
    except httpx.ConnectError as error:
        return REFUSED, str(error)
    except httpx.HTTPError as error:
        return 0, repr(error)
    return answer.status_code, answer.text


def answer_at_once(running: Running, number: int) -> tuple[int, str]:
    """As `answer_to`; SLOW where the client took long to send, and has no answer.

    RESET where the system ended the connection: it does so with one that comes into the queue of a
    listening socket between the last look at that and its end.

    Raises:
        ConnectionRefusedError: nobody listens.
    """
    document, headers = question(number)
    fields = headers | {"content-type": "application/json"}
    connection = HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    began, sent = time.monotonic(), 0.0
    try:
        connection.request("POST", "/api/v3/questions", json.dumps(document), fields)
        sent = time.monotonic()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        raise
    except (OSError, HTTPException) as error:
        if isinstance(error, ConnectionResetError):
            return RESET, repr(error)
        was_slow = (sent or time.monotonic()) - began > AT_ONCE
        return SLOW if was_slow else 0, repr(error)
    finally:
        connection.close()


def outcomes(running: Running) -> tuple[Counter[object], Counter[object]]:
    """How often each allowed write got an outcome, and how often there was each outcome."""
    records = running.audit()
    allowed = [r["write_id"] for r in records if r["kind"] == "decision" and r["effect"] == "allow"]
    ended = [(r["write_id"], r["outcome"]) for r in records if r["kind"] == "outcome"]
    times = Counter(write_id for write_id, _ in ended)
    assert times.keys() <= set(allowed)
    return Counter({each: times[each] for each in allowed}), Counter(what for _, what in ended)


def events(running: Running, name: str) -> list[dict[str, object]]:
    """The log lines of an event; every line is whole."""
    log = running.data / "stdout"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("\n")]
    return [each for each in told if each["event"] == name]


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose only rule asks for the user's act."""
    directory: Path = tmp_path_factory.mktemp("policies")
    (directory / "action.yaml").write_text(ACTION_ONLY)
    return directory


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, policies: Path
) -> Iterator[tuple[Running, Recorder]]:
    """A gateway of two workers on a free port."""
    data: Path = tmp_path_factory.mktemp("gateway")
    with (
        recorder() as soe,
        gateway(soe.url, data, "--policies", str(policies), "--workers", "2") as running,
    ):
        yield running, soe


def test_both_workers_answer_and_count_together(two: tuple[Running, Recorder]) -> None:
    """Connections are dealt out to all, each is logged once, and the metrics add up."""
    running, soe = two
    answers = [post(running, number) for number in range(40)]
    until(lambda: len(events(running, "request.finished")) == 40)

    assert answers == [201] * 40
    assert len(soe.requests) == 40
    assert {each["worker"] for each in events(running, "request.finished")} == {1, 2}
    until(lambda: metric(running, "requests_total", status="2xx") == 40)
    until(lambda: metric(running, "added_latency_seconds_count") == 40)
    assert metric(running, "outcomes_total", outcome="ok") == 40
    assert metric(running, "audit_sync_seconds_count") > 0
    assert metric(running, "workers") == 2
    assert metric(running, "enforcing") == 1


def test_the_gateway_is_ready_and_well(two: tuple[Running, Recorder]) -> None:
    """Probes ask the supervisor, who speaks for all."""
    running, _ = two
    ready = local.get(f"{running.admin}/readyz")

    assert local.get(f"{running.admin}/healthz").status_code == 200
    assert ready.status_code == 200
    assert metric(running, "policy_info", revision=ready.json()["policy_revision"]) == 1


def test_all_workers_look_at_the_policies(two: tuple[Running, Recorder], policies: Path) -> None:
    """SIGHUP reaches each; the old revision is in force nowhere, and 0 in the metrics."""
    running, _ = two

    def revision() -> str:
        return str(local.get(f"{running.admin}/readyz").json()["policy_revision"])

    before = revision()
    (policies / "action.yaml").write_text(ACTION_ONLY.replace("names", "tells"))
    running.process.send_signal(signal.SIGHUP)
    until(lambda: revision() != before)
    until(lambda: metric(running, "policy_info", revision=before) == 0)

    assert metric(running, "policy_info", revision=revision()) == 1
    assert metric(running, "policy_reload_success") == 1


def test_a_worker_begins_without_the_work_of_importing(two: tuple[Running, Recorder]) -> None:
    """Until it serves it uses a small part of what the gateway's start used."""
    running, _ = two
    killed, other = workers(running)
    os.kill(killed, signal.SIGKILL)
    until(lambda: metric(running, "worker_restarts_total") == 1)
    until(lambda: metric(running, "workers") == 2)
    [new] = {*workers(running)} - {killed, other}

    assert processor_seconds(new) < processor_seconds(running.process.pid) / 3


def test_a_killed_worker_is_replaced_and_its_writes_get_their_outcomes(
    tmp_path: Path, policies: Path
) -> None:
    """The other worker goes on; who starts in its place says `unknown` of what it left open."""
    free = threading.Event()
    arrived = threading.Semaphore(0)

    def answer(request: Recorded) -> bytes:
        arrived.release()
        free.wait(PATIENCE)
        return created(request)

    arguments = ("--policies", str(policies), "--workers", "2")
    with recorder(answer) as soe, gateway(soe.url, tmp_path, *arguments) as running:
        with ThreadPoolExecutor(24) as clients:
            asked = [clients.submit(post, running, number) for number in range(24)]
            for _ in range(24):
                assert arrived.acquire(timeout=PATIENCE)
            killed, other = workers(running)
            os.kill(killed, signal.SIGKILL)
            until(lambda: metric(running, "worker_restarts_total") == 1)
            until(lambda: metric(running, "workers") == 2)
            recovered = outcomes(running)[1]
            free.set()
            answers = Counter(each.result() for each in asked)
        counted = metric(running, "decisions_total", effect="allow")
        again = [post(running, number) for number in range(8)]
        until(lambda: events(running, "worker.died") != [])
        (died,) = events(running, "worker.died")
        now = workers(running)
    times, what = outcomes(running)

    assert answers.keys() == {0, 201}
    assert recovered == {"unknown": answers[0]}
    assert counted == 24
    assert again == [201] * 8
    assert (died["pid"], died["status"]) == (killed, -signal.SIGKILL)
    assert other in now
    assert killed not in now
    assert set(times.values()) == {1}
    assert what == {"unknown": answers[0], "ok": answers[201] + 8}


def test_a_stop_under_load_loses_nothing(tmp_path: Path, policies: Path) -> None:
    """Who got a connection gets an answer, and every decision its outcome; all processes end.

    Who was slow to send his request may find his connection closed; nothing was decided then.
    """

    def answer(request: Recorded) -> bytes:
        time.sleep(0.02)
        return created(request)

    def ask(first: int) -> list[tuple[int, str]]:
        answers: list[tuple[int, str]] = []
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                answers.append(answer_at_once(running, first + len(answers)))
        return answers

    arguments = ("--policies", str(policies), "--workers", "2")
    with recorder(answer) as soe, gateway(soe.url, tmp_path, *arguments) as running:
        pids = workers(running)
        with ThreadPoolExecutor(8) as clients:
            asked = [clients.submit(ask, 1000 * number) for number in range(8)]
            until(lambda: len(soe.requests) > 100)
            running.process.send_signal(signal.SIGTERM)
            told = [answer for each in asked for answer in each.result()]
        code = running.process.wait(PATIENCE)
    answers = Counter(status for status, _ in told)
    unlike = [answer for answer in told if answer[0] not in (201, SLOW, RESET)]
    times, what = outcomes(running)

    assert code == 0
    assert not any(map(alive, pids))
    assert unlike == [], (tmp_path / "stdout").read_text()
    assert answers[RESET] <= len(pids)  # one for each socket; below: nothing was decided about it
    assert set(times.values()) == {1}
    assert what == {"ok": answers[201]}
    assert len(soe.requests) == answers[201]


@contextlib.contextmanager
def one_in_flight(
    data: Path, policies: Path
) -> Iterator[tuple[Running, Future[int], threading.Event]]:
    """Two workers, of which one waits for SOE's answer, which comes when the event is set."""
    free, arrived = threading.Event(), threading.Event()

    def answer(request: Recorded) -> bytes:
        arrived.set()
        free.wait(PATIENCE)
        return created(request)

    with (
        recorder(answer) as soe,
        gateway(soe.url, data, "--policies", str(policies), "--workers", "2") as running,
        ThreadPoolExecutor(1) as clients,
    ):
        asked = clients.submit(post, running, 1)
        assert arrived.wait(PATIENCE)
        yield running, asked, free


def test_a_stopping_gateway_is_not_ready_and_finishes(tmp_path: Path, policies: Path) -> None:
    """`/readyz` turns to 503 while what is in flight still gets its answer."""
    with one_in_flight(tmp_path, policies) as (running, asked, free):
        running.process.send_signal(signal.SIGTERM)
        url = f"{running.admin}/readyz"
        until(lambda: local.get(url).status_code == 503)
        free.set()

        assert asked.result() == 201
        assert running.process.wait(PATIENCE) == 0


def test_workers_without_a_supervisor_end(tmp_path: Path, policies: Path) -> None:
    """Whatever ended it, they stop in order, and the port is free again."""
    arguments = ("--policies", str(policies), "--workers", "2")
    environ = {**OPEN, "TMPDIR": str(tmp_path)}  # who is killed cleans nothing up
    with recorder() as soe, gateway(soe.url, tmp_path, *arguments, environ=environ) as running:
        pids = [nursery(running), *workers(running)]
        running.process.kill()
        until(lambda: not any(map(alive, pids)))
        closed = [each for each in running.audit() if each.get("event") == "audit.closed"]

        assert len(pids) == 3
        assert len(closed) == 2
        assert post(running, 1) == REFUSED


def test_where_no_worker_can_begin_any_more_all_end_in_order(
    tmp_path: Path, policies: Path
) -> None:
    """What is in flight gets its answer, and the exit code says that something is wrong."""
    with one_in_flight(tmp_path, policies) as (running, asked, free):
        pids = workers(running)
        os.kill(nursery(running), signal.SIGKILL)
        until(lambda: events(running, "server.stopping") != [])
        free.set()

        assert asked.result() == 201
        assert running.process.wait(PATIENCE) == 1
        assert not any(map(alive, pids))
    assert "the process that starts workers ended" in (tmp_path / "stdout").read_text()


def serve(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a gateway that does not start."""
    command = [sys.executable, "-m", "gateway", "serve", "--workers", "2", "--data", str(data)]
    return subprocess.run(
        [*command, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", *words],
        env={**os.environ, **CONTACT, **OPEN, "SOE_GATEWAY_UPSTREAM_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=2 * PATIENCE,
        check=False,
    )


def test_policies_that_are_wrong_are_told_once(tmp_path: Path) -> None:
    """Nothing listens, and the exit code says that something is wrong."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "bad.yaml").write_text("policy: bad\nowner: tests\nruls: {}\n")
    done = serve(tmp_path / "data", "--policies", str(policies))

    assert done.returncode == 1
    assert done.stdout.count("bad.yaml:3:1: ") == 1
    assert "worker 1 ended before it was ready: 1" in done.stdout
    assert "server.listening" not in done.stdout


@pytest.mark.parametrize("words", [("--state", "memory:"), ("--audit", "stdout:")])
def test_what_workers_cannot_share_is_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    """Caps in memory would count in each alone, lines on one pipe would mix."""
    done = serve(tmp_path, *words)

    assert done.returncode == 1
    assert f"{words[0]}: " in done.stdout
    assert "worker" in done.stdout


def test_a_port_of_another_gateway_is_not_shared(
    two: tuple[Running, Recorder], tmp_path: Path
) -> None:
    """The kernel would let two gateways of one user listen there; that is never meant."""
    running, _ = two
    done = serve(tmp_path, f"--listen=127.0.0.1:{running.port}")

    assert done.returncode == 1
    assert "Address already in use" in done.stdout
    assert post(running, 1) == 201
