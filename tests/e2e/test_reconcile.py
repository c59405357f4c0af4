"""What stands on the site is held against the log: what went around, what was open, what became."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.policy.registry import digest
from tests import local
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.forked import run
from tests.e2e.process import CONTACT, OPEN
from tests.e2e.stack import Stack, stack
from tests.patience import until

pytestmark = pytest.mark.slow

HELP, OPS = "sgw_help", "sgw_ops"
INTEGRATIONS = f"""\
integrations:
  help-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(HELP.encode())}"]}}
  ops-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(OPS.encode())}"]}}
"""
READING = "token-that-only-reads"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stack]:
    """A gateway with two integrations, before a sandbox."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "action.yaml").write_text(ACTION_ONLY)
    (policies / "integrations.yaml").write_text(INTEGRATIONS)
    shipped = {"SOE_GATEWAY_POLICIES_SHIPPED": "false"}
    with stack(tmp_path, policies, environ=OPEN | shipped) as running:
        yield running


def audit(site: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a sub-command of `audit` on the gateway's data, with a token that reads."""
    command = ["audit", *words, "--rate", "25"]
    command += ["--upstream", site.sandbox, "--data", str(site.running.data)]
    return run(command, {**os.environ, **CONTACT, "SOE_GATEWAY_SEED_TOKEN": READING})


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a sub-command said as JSON."""
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def post(url: str, path: str, body: Mapping[str, Any], key: str = HELP) -> httpx.Response:
    """Write something under the account of an integration."""
    headers = {"authorization": f"Bearer {key}", "x-explicit-action": "true", "x-gateway-key": key}
    return local.post(f"{url}/api/v3/{path}", json=body, headers=headers)


def ask(url: str, number: int, key: str = HELP) -> httpx.Response:
    """Ask a question."""
    title, body = f"How do I mend tap {number}?", f"It drips, *{number}* a minute & more."
    return post(url, "questions", {"title": title, "body": body, "tags": ["water"]}, key)


def next_write(site: Stack, **behaviour: Any) -> None:
    """How the sandbox answers the next write."""
    local.post(f"{site.sandbox}/_sandbox/next", json=behaviour)


def test_what_went_around_and_what_was_open_is_told_exactly(site: Stack) -> None:
    """Three through, two around, two of unknown outcome, of which one stands; recorded once."""
    began = int(time.time())
    until(lambda: int(time.time()) > began)  # what stood before the log has an earlier second
    through = [ask(site.url, number) for number in range(3)]
    around = [
        ask(site.sandbox, 10),
        post(site.sandbox, f"questions/{through[0].json()['id']}/answers", {"body": "Call us."}),
    ]
    ask(site.sandbox, 11, key="a-person")
    next_write(site, drop="after")
    published = ask(site.url, 20)
    next_write(site, drop="before")
    lost = ask(site.url, 21)

    done = audit(site, "reconcile", "--json", "--record")
    again = audit(site, "reconcile", "--urls", "--record")
    named = audit(site, "reconcile", "--json", "--author", "1")
    records = [each for each in site.running.audit() if each["kind"] == "admin"]
    log = local.get(f"{site.sandbox}/_sandbox/log").json()

    assert [each.status_code for each in through] == [201] * 3
    assert [each.status_code for each in (published, lost)] == [504] * 2
    assert done.returncode == 1, done.stderr
    found = told(done)
    names = [f"question/{around[0].json()['id']}", f"answer/{around[1].json()['id']}"]
    assert sorted(each["post"] for each in found["around"]) == sorted(names)
    assert {each["integration"] for each in found["around"]} == {"help-bot"}
    assert [(each["outcome"], each["answer"]) for each in found["outcomes"]] == [
        ("unknown", "found"),
        ("unknown", "not_found"),
    ]
    assert len(again.stdout.splitlines()) == 2
    assert len(told(named)["around"]) == 2  # the question that was there before the log is not
    events = [str(each["event"]) for each in records if "reconcile." in str(each["event"])]
    assert (
        sorted(events)
        == ["reconcile.around"] * 2 + ["reconcile.done"] * 2 + ["reconcile.outcome"] * 2
    )
    assert READING not in done.stdout + done.stderr + json.dumps(records)
    assert all(READING not in entry["target"] for entry in log)


def test_the_fate_of_posts_is_counted_and_shown_among_the_metrics(site: Stack) -> None:
    """Per integration and operation; a running gateway shows what the command left it."""
    asked = [ask(site.url, number).json()["id"] for number in range(4)]
    other = ask(site.url, 9, key=OPS).json()["id"]
    answer = {"body": "Turn the valve."}
    post(site.url, f"questions/{other}/answers", answer, key=OPS)
    moderator = {"authorization": "Bearer a-moderator"}
    with local.client(base_url=site.sandbox, headers=moderator) as http:
        http.delete(f"/api/v3/questions/{asked[0]}").raise_for_status()
        http.post(f"/_sandbox/close/{asked[1]}").raise_for_status()
        http.post(f"/api/v3/questions/{asked[1]}/downvote").raise_for_status()
        http.post(f"/api/v3/questions/{other}/downvote").raise_for_status()

    done = audit(site, "fate", "--json", "--metrics")
    metrics = local.get(f"{site.running.admin}/metrics").text

    assert done.returncode == 0, done.stderr
    counted = {
        (each["integration"], each["operation"]): tuple(
            each[fate] for fate in ("published", "deleted", "closed", "downvoted")
        )
        for each in told(done)["fates"]
    }
    assert counted == {
        ("help-bot", "question.create"): (4, 1, 1, 1),
        ("ops-bot", "answer.create"): (1, 0, 0, 0),
        ("ops-bot", "question.create"): (1, 0, 0, 1),
    }
    shown = [line for line in metrics.splitlines() if line.startswith("soe_gateway_fate_posts{")]
    assert 'soe_gateway_fate_posts{fate="deleted",integration="help-bot"} 1.0' in shown
    assert 'soe_gateway_fate_posts{fate="published",integration="ops-bot"} 2.0' in shown
    assert len(shown) == 8
    assert "soe_gateway_fate_timestamp_seconds" in metrics
