"""What people wrote is read from a site, and copies of it are refused by a running gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests import local
from tests.e2e.forked import run
from tests.e2e.process import CONTACT, gateway
from tests.e2e.stack import sandbox
from tests.servers import Valkey

pytestmark = pytest.mark.slow

TOKEN = "seed-token-that-nobody-may-see"
QUESTION = {
    "title": "How do I rotate the signing key of the payment service?",
    "body": "The *key* of `payment_service` runs out next week;\n\nis there a run-book, or only "
    "[the old page](https://wiki.example.com/keys)? I tried 3 < 4 && nothing happened.",
    "tags": ["security"],
}
ANSWER = {
    "body": "Sign out of the agent, wait a minute, and in again: it reads the key at its start."
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A sandbox."""
    with sandbox() as url:
        yield url


@pytest.fixture
def soe(site: str) -> str:
    """A sandbox on which only stands what it begins with."""
    local.post(f"{site}/_sandbox/reset")
    return site


def command(url: str, data: Path, *arguments: str) -> list[str]:
    """The command that seeds from a site."""
    return ["seed", "--upstream", url, "--data", str(data), *arguments]


def environ(**more: str) -> dict[str, str]:
    """What the command finds in its environment."""
    return {**os.environ, **CONTACT, "SOE_GATEWAY_SEED_TOKEN": TOKEN, **more}


def seed(url: str, data: Path, *arguments: str, **more: str) -> dict[str, Any]:
    """Run it to its end; gives its summary."""
    done = run(command(url, data, "--rate", "25", "--json", *arguments), environ(**more))
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def post(url: str, path: str, body: Any, token: str = "t") -> httpx.Response:
    """Write something, as a person asked for."""
    headers = {"authorization": f"Bearer {token}", "x-explicit-action": "true"}
    return local.post(f"{url}{path}", json=body, headers=headers, timeout=20)


@pytest.mark.parametrize("api", ["v2.3", "v3"])
def test_a_copy_of_what_a_person_wrote_is_refused(api: str, soe: str, tmp_path: Path) -> None:
    """With the address of the earlier post; the gateway runs while the site is read."""
    asked = post(soe, "/api/v3/questions", QUESTION, token="a-person").json()
    answered = post(soe, "/api/v3/questions/1/answers", ANSWER, token="a-person").json()

    with gateway(soe, tmp_path) as running:
        told = seed(soe, tmp_path, "--api", api)
        question = post(running.proxy, "/api/v3/questions", QUESTION)
        answer = post(running.proxy, f"/api/v3/questions/{asked['id']}/answers", ANSWER)
        other = post(
            running.proxy,
            "/api/v3/questions",
            QUESTION | {"title": "Another", "body": "Text of its own."},
        )

    assert (told["read"], told["remembered"], told["skipped"]) == (4, 4, 0)
    for refused, earlier in ((question, asked), (answer, answered)):
        violations = refused.json()["violations"]
        assert refused.status_code == 400
        assert "duplicate" in [each["code"] for each in violations]
        number = earlier["webUrl"].rpartition("/")[2]
        assert {each["earlier"]["url"].rpartition("/")[2] for each in violations} == {number}
    assert other.status_code == 201


def test_a_teams_posts_are_compared_in_the_team(soe: str, tmp_path: Path) -> None:
    """A copy is refused there and passes on the main site, which has not seen it."""
    post(soe, "/api/v3/teams/red/questions", QUESTION, token="a-person")
    told = seed(soe, tmp_path, "--team", "red", "--team", "blue")

    with gateway(soe, tmp_path) as running:
        there = post(running.proxy, "/api/v3/teams/red/questions", QUESTION)
        elsewhere = post(running.proxy, "/api/v3/questions", QUESTION)

    assert told["read"] == 3
    assert there.status_code == 400
    assert elsewhere.status_code == 201


def test_an_interrupted_run_is_gone_on_with(soe: str, tmp_path: Path) -> None:
    """Ctrl-C says how, and gives the exit code that shells know."""
    with httpx.Client(base_url=soe, headers={"authorization": "Bearer t"}, trust_env=False) as site:
        for number in range(250):
            body = {"title": f"Part {number}?", "body": f"It is the {number}th part.", "tags": []}
            site.post("/api/v3/questions", json=body).raise_for_status()

    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *command(soe, tmp_path, "--rate", "1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ(),
    )
    for _ in range(600):
        if (tmp_path / "seed.json").exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    told = seed(soe, tmp_path)

    assert (process.returncode, errors) == (130, "")
    assert "the same command goes on from there" in out
    assert 100 <= 252 - told["remembered"] < 252
    assert told["remembered"] <= told["read"] <= 252  # those of one second are read again
    assert seed(soe, tmp_path)["remembered"] == 0


def test_the_token_is_nowhere(soe: str, tmp_path: Path) -> None:
    """Not in a file of the gateway's, not in the addresses that SOE sees and logs."""
    (tmp_path / "token").write_text(f"{TOKEN}-of-a-file\n")
    data = tmp_path / "data"
    seed(soe, data, "--token-file", str(tmp_path / "token"))

    log = local.get(f"{soe}/_sandbox/log").json()
    written = [path.read_bytes() for path in data.rglob("*") if path.is_file()]

    assert len(written) >= 2
    assert not any(TOKEN.encode() in content for content in written)
    assert log
    assert all(entry["method"] == "GET" and TOKEN not in entry["target"] for entry in log)


def test_a_site_behind_tls_is_verified_as_by_serve(tmp_path: Path) -> None:
    """By the authority that the settings name, and by no other."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "soe.pem")
    pem = str(tmp_path / "soe.pem")

    with sandbox("--tls-cert", pem, "--tls-key", pem) as url:
        told = seed(url, tmp_path, SOE_GATEWAY_UPSTREAM_CA_FILE=str(tmp_path / "ca.pem"))

    assert told["remembered"] == 2


def test_replicas_share_what_was_read(soe: str, valkey: Valkey, tmp_path: Path) -> None:
    """Into Valkey, by a process with a data directory of its own; the copy is refused elsewhere."""
    valkey.ask("FLUSHALL")
    post(soe, "/api/v3/questions", QUESTION, token="a-person")
    (tmp_path / "replica").mkdir()

    told = seed(soe, tmp_path / "job", "--state", valkey.url)
    with gateway(soe, tmp_path / "replica", "--state", valkey.url) as running:
        refused = post(running.proxy, "/api/v3/questions", QUESTION)
    again = seed(soe, tmp_path / "job", "--state", valkey.url)

    assert (told["remembered"], again["remembered"]) == (3, 0)
    assert refused.status_code == 400
