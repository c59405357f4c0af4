"""Who acts, as the site itself tells it: one person's tokens share what is theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import local
from tests.e2e.stack import Stack, stack

pytestmark = pytest.mark.slow

RULES = """\
policy: persons
owner: tests
rules:
  two-a-day: {title: Two a day, mode: enforce, for: [question.create], rate_cap: {limit: 2, window: 1d, per: [person]}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stack]:
    """A sandbox, and a gateway with a cap per person."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "persons.yaml").write_text(RULES)
    with stack(tmp_path, tmp_path / "policies") as pair:
        yield pair


def ask(site: Stack, token: str, number: int, team: str | None = None) -> int:
    """Ask a question by v3."""
    path = f"/api/v3/teams/{team}/questions" if team else "/api/v3/questions"
    question = {
        "title": f"What is the number {number}?",
        "body": f"Nobody knows {number}.",
        "tags": ["a"],
    }
    fields = {"authorization": f"Bearer {token}"}
    return local.post(site.url + path, json=question, headers=fields).status_code


def ask_v23(site: Stack, token: str, number: int) -> int:
    """Ask a question by v2.3."""
    form = {
        "title": f"What is the number {number}?",
        "body": f"Nobody knows {number}.",
        "tags": "a",
    }
    fields = {"x-api-access-token": token, "x-api-key": "key"}
    return local.post(f"{site.url}/api/2.3/questions/add", data=form, headers=fields).status_code


def impersonating(site: Stack, account: int) -> str:
    """A token that writes as another account."""
    told = local.post(
        f"{site.sandbox}/api/2.3/access-tokens/exchange",
        data={"access_tokens": "alan", "exchange_type": "impersonate", "account_id": str(account)},
        headers={"x-api-key": "key"},
    ).json()
    token: str = told["items"][0]["access_token"]
    return token


def lookups(site: Stack) -> list[dict[str, Any]]:
    """What the sandbox was asked about people."""
    log = local.get(f"{site.sandbox}/_sandbox/log").json()
    return [each for each in log if each["target"].endswith("/me")]


def test_a_persons_tokens_share_a_cap_in_both_apis_and_in_teams(site: Stack) -> None:
    """`demo` and `ada` are both Ada's; whoever impersonates her spends hers; Grace has her own."""
    as_ada = impersonating(site, 1)

    assert [ask(site, "demo", 1), ask(site, "ada", 2, team="red")] == [201, 201]
    assert [ask(site, "demo", 3), ask_v23(site, "ada", 4), ask(site, as_ada, 5)] == [429, 400, 429]
    assert [ask(site, "grace", 6), ask_v23(site, impersonating(site, 2), 7)] == [201, 200]
    assert ask(site, "grace", 8) == 429
    people = [each["person"] for each in site.running.audit() if each["kind"] == "decision"]
    assert len(set(people)) == 2


def test_each_token_is_asked_about_once_and_counted_apart(site: Stack) -> None:
    """Whatever it writes in these minutes, with nothing of the caller beside."""
    for number in range(4):
        ask(site, "grace", number)

    assert len(lookups(site)) == 1
    metrics = local.get(f"{site.running.admin}/metrics").text
    assert 'soe_gateway_person_lookups_total{result="found"} 1.0' in metrics
    assert not re.search(r'requests_total\{kind="read"[^}]*\} [^0]', metrics)
    assert "grace" not in json.dumps(site.running.audit())
