"""Promise 14 over replicas: a post that is sent again is posted once, and answered twice."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import local
from tests.e2e.process import OPEN, Running, gateway
from tests.e2e.recorder import Recorded, Recorder, created, recorder
from tests.servers import Valkey

pytestmark = pytest.mark.slow

RULES = """\
policy: repeats
owner: tests
rules:
  no-copy: {title: No copies, mode: enforce, for: ["*"], duplicate: {within: 1d}}
"""


class Held:
    """An SOE that answers when it may."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def __call__(self, request: Recorded) -> bytes:
        self.asked.set()
        self.free.wait(10)
        return created(request)


Replicas = tuple[list[Running], Recorder, Held]


def about(what: str) -> bytes:
    """A question; each test has one of its own, as the gateways stay the same."""
    title = f"How do I rotate the key of {what}?"
    body = {"title": title, "body": f"It runs out in {what} next week.", "tags": ["keys"]}
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all files lie."""
    made: Path = tmp_path_factory.mktemp("repeats")
    return made


@pytest.fixture(scope="module", params=["valkey", "sqlite"])
def started(request: pytest.FixtureRequest, folder: Path) -> Iterator[Replicas]:
    """Two gateways that share their state and their key."""
    tmp_path = folder / request.param
    tmp_path.mkdir()
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "repeats.yaml").write_text(RULES)
    key = tmp_path / "audit.key"
    key.write_text("k" * 64)
    valkey = Valkey() if request.param == "valkey" else None
    state = valkey.url if valkey else f"sqlite:///{tmp_path / 'state.db'}"
    words = ("--policies", str(policies), "--state", state)
    environ = OPEN | {"SOE_GATEWAY_AUDIT_KEY_FILE": str(key)}
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    held = Held()
    with (
        recorder(held) as soe,
        gateway(soe.url, folders[0], *words, environ=environ) as one,
        gateway(soe.url, folders[1], *words, environ=environ) as other,
    ):
        yield [one, other], soe, held
    if valkey:
        valkey.close()


@pytest.fixture
def replicas(started: Replicas) -> Replicas:
    """Both, where SOE got nothing yet."""
    started[1].requests.clear()
    started[2].asked.clear()
    return started


def post(running: Running, question: bytes, **headers: str) -> httpx.Response:
    """Send a question; two underscores stand for a hyphen."""
    return local.post(
        f"{running.proxy}/api/v3/questions",
        content=question,
        headers={
            "content-type": "application/json",
            "authorization": "Bearer t",
            **{name.replace("__", "-"): value for name, value in headers.items()},
        },
        timeout=20,
    )


def test_a_key_holds_over_replicas(replicas: Replicas) -> None:
    """The other replica gives the same answer; a third try, too."""
    (one, other), soe, _ = replicas
    answers = [post(each, about("payments"), idempotency__key="k") for each in (one, other, one)]

    assert [each.status_code for each in answers] == [201] * 3
    assert len({each.content for each in answers}) == 1
    assert [each.headers.get("idempotent-replayed") for each in answers] == [None, "true", "true"]
    assert len(soe.requests) == 1


def test_a_client_that_gave_up_gets_its_answer_from_the_other_replica(
    replicas: Replicas,
) -> None:
    """It left while SOE was at work, and sends the same bytes again until it hears how that went."""
    (one, other), soe, held = replicas
    held.free.clear()
    body = about("search")
    with socket.create_connection(("127.0.0.1", one.port)) as client:
        client.sendall(
            b"POST /api/v3/questions HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer t\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert held.asked.wait(10)
    meanwhile = [post(each, body) for each in (other, one)]  # by then, one knows that it left
    held.free.set()
    deadline = time.monotonic() + 30
    while (answer := post(other, body)).status_code == 409:  # never 400: of its own post
        assert time.monotonic() < deadline

    told = {(each.status_code, each.json()["code"]) for each in meanwhile}
    assert told == {(409, "duplicate_in_flight")}
    assert answer.status_code == 201, answer.text
    assert answer.headers["idempotent-replayed"] == "true"
    assert len(soe.requests) == 1


@pytest.mark.parametrize("started", ["sqlite"], indirect=True)
def test_what_state_keeps_shows_no_text(replicas: Replicas, folder: Path) -> None:
    """Neither the answer nor the token is readable in the database."""
    (one, _), _, _ = replicas
    answer = post(one, about("mail"), idempotency__key="mail")
    kept = b"".join(path.read_bytes() for path in folder.glob("sqlite/state.db*"))

    assert answer.status_code == 201
    assert len(kept) > 1000
    assert b"4711" not in kept.replace(b"question/4711", b"").replace(b"questions/4711", b"")
    assert b"Bearer" not in kept
