"""`soe-gateway audit query` beside a running gateway, and over what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

from gateway.policy.registry import digest
from tests import local
from tests.audit.written import pack
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.forked import run
from tests.e2e.process import OPEN
from tests.e2e.stack import Stack, stack

pytestmark = pytest.mark.slow

HELP, OPS = "sgw_help", "sgw_ops"
INTEGRATIONS = f"""\
integrations:
  help-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(HELP.encode())}"]}}
  ops-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{digest(OPS.encode())}"]}}
"""


def query(data: Path, *words: str) -> list[str]:
    done = run(["audit", "query", "--data", str(data), *words], os.environ)
    done.check_returncode()
    return done.stdout.splitlines()


@contextmanager
def following(data: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    command = [sys.executable, "-m", "gateway", "audit", "query", "--data", str(data)]
    process = subprocess.Popen([*command, "--json", "--follow"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(site: Stack, key: str, number: int, act: str = "true") -> httpx.Response:
    body = {
        "title": f"How do I mend tap {number}?",
        "body": f"It drips, {number} a minute.",
        "tags": ["water"],
    }
    headers = {"authorization": "Bearer t", "x-explicit-action": act, "x-gateway-key": key}
    return local.post(f"{site.url}/api/v3/questions", json=body, headers=headers)


def comment(site: Stack, post: int) -> httpx.Response:
    form = {"body": f"Turn the valve of {post}.", "key": "k", "access_token": "t"}
    headers = {"x-explicit-action": "true", "x-gateway-key": OPS}
    target = f"{site.url}/api/2.3/posts/{post}/comments/add"
    return local.post(target, data=form, headers=headers)


def test_after_a_flood_the_log_tells_what_stands_on_the_site_and_whose_it_is(
    tmp_path: Path,
) -> None:
    """The list has what was published and nothing else, over packed files too; news is followed."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "action.yaml").write_text(ACTION_ONLY)
    (policies / "integrations.yaml").write_text(INTEGRATIONS)
    shipped = {"SOE_GATEWAY_POLICIES_SHIPPED": "false"}
    with stack(tmp_path, policies, environ=OPEN | shipped) as site:
        before = standing(site)
        published = [ask(site, HELP, number) for number in range(6)]
        refused = ask(site, HELP, 7, act="no")
        commented = comment(site, published[0].json()["id"])
        urls = query(tmp_path, "--urls")
        on_site = standing(site) - before
        whose = query(tmp_path, "--json", "--post", f"{published[1].json()['webUrl']}/how-do-i")
        with following(tmp_path) as (process, told):
            shown = [json.loads(told.readline()) for _ in range(8)]
            late = ask(site, OPS, 8)
            news = json.loads(told.readline())
            process.send_signal(signal.SIGINT)
            ended = process.wait(10)
    for path in (tmp_path / "audit").glob("audit-*.jsonl"):
        pack(path)
    packed = query(tmp_path, "--urls")

    assert refused.status_code == 403
    link = commented.json()["items"][0]["link"]
    assert set(urls) == on_site | {link}
    assert [json.loads(each)["integration"] for each in whose] == ["help-bot"]
    assert [each["effect"] for each in shown] == ["allow"] * 6 + ["refuse", "allow"]
    assert (news["post"]["id"], ended) == (f"question/{late.json()['id']}", 0)
    assert packed == [*urls, late.json()["webUrl"]]


def standing(site: Stack) -> set[str]:
    """The addresses of the questions on the site."""
    listed = local.get(
        f"{site.sandbox}/api/v3/questions?pageSize=100",
        headers={"authorization": "Bearer t"},
    )
    return {each["webUrl"] for each in listed.json()["items"]}
