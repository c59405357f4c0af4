"""What a rule holds is told as such, and goes nowhere, through both APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests import local
from tests.e2e.process import OPEN, Running, gateway
from tests.e2e.recorder import Recorder, created, recorder

pytestmark = pytest.mark.slow

RULES = """\
policy: people-look
owner: knowledge-team
rules:
  somebody-looks: {title: Somebody looks at links, mode: hold, approver: owner, for: ["question.create"], if: {body: {links: {at_least: 1}}}, fix: Leave the link out.}
  few: {title: Few questions, mode: hold, for: ["question.create"], rate_cap: {limit: 1, window: 1m}}
"""
LINK: dict[str, object] = {
    "title": "Where is the guide?",
    "body": "See https://wiki.example.com/",
    "tags": ["a"],
}
PLAIN: dict[str, object] = {
    "title": "Where is the other guide?",
    "body": "Nobody told me.",
    "tags": ["a"],
}
Pair = tuple[Running, Recorder]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A gateway whose rules hold, and an SOE that keeps what it gets."""
    tmp_path = tmp_path_factory.mktemp("holds")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.yaml").write_text(RULES)
    words = ("--policies", str(tmp_path / "policies"))
    with recorder(created) as soe, gateway(soe.url, tmp_path, *words, environ=OPEN) as running:
        yield running, soe


@pytest.fixture
def pair(started: Pair) -> Pair:
    """Both, where SOE got nothing yet."""
    started[1].requests.clear()
    return started


def ask(running: Running, question: dict[str, object], *, dry: bool = False) -> httpx.Response:
    """Ask a question through API v3."""
    fields = {"authorization": "Bearer t"} | ({"x-gateway-dry-run": "true"} if dry else {})
    return local.post(f"{running.proxy}/api/v3/questions", json=question, headers=fields)


def posted(soe: Recorder) -> list[str]:
    """The titles of what went to SOE; the gateway itself asks who acts."""
    return [json.loads(each.body)["title"] for each in soe.requests if each.body]


def test_v3_is_told_that_a_person_must_confirm(pair: Pair) -> None:
    """403, with a link; nothing went to SOE, and the audit log says that it was held."""
    running, soe = pair

    answer = ask(running, LINK)

    told = answer.json()
    assert answer.status_code == told["status"] == 403
    assert told["code"] == "confirmation_required"
    assert told["title"] == "A person must confirm this write"
    assert "Leave the link out." in told["detail"]
    assert told["confirm_url"] in told["detail"]
    assert told["confirm_url"].startswith(f"{running.proxy}/_gateway/holds/")
    assert told["status_url"] == f"{told['confirm_url']}/status"
    assert "retry-after" not in answer.headers
    assert posted(soe) == []
    records = [each for each in running.audit() if each.get("write_id") == told["decision_id"]]
    (record,) = records
    assert (record["kind"], record["effect"]) == ("decision", "hold")
    assert [each["result"] for each in record["findings"]] == ["fail", "skip"]  # type: ignore[attr-defined]


def test_v23_is_told_in_its_wrapper(pair: Pair) -> None:
    """`access_denied`, without anything that invites to come again."""
    running, soe = pair
    form = {"title": "Where is it?", "body": LINK["body"], "tags": "a", "key": "k", "access_token": "t"}  # fmt: skip

    answer = local.post(f"{running.proxy}/api/2.3/questions/add", data=form)

    told = answer.json()
    assert answer.status_code == 400
    assert (told["error_id"], told["error_name"]) == (403, "access_denied")
    assert told["code"] == "confirmation_required"
    assert told["confirm_url"] in told["error_message"]
    assert "backoff" not in told
    assert posted(soe) == []


def test_a_cap_that_holds_does_not_ask_to_wait(pair: Pair) -> None:
    """To wait confirms nothing; what the cap had room for passes."""
    running, soe = pair
    assert ask(running, PLAIN).status_code == 201

    answer = ask(running, PLAIN | {"title": "And where is the third one?"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "confirmation_required"
    assert answer.json()["violations"][0]["code"] == "rate_cap"
    assert "retry-after" not in answer.headers
    assert posted(soe) == [PLAIN["title"]]


def test_a_dry_run_says_that_it_would_be_held(pair: Pair) -> None:
    """With the status that it would have had."""
    running, _ = pair

    told = ask(running, LINK, dry=True).json()

    assert (told["effect"], told["status"]) == ("hold", 403)
