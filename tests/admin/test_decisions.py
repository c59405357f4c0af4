"""The feed of decisions, and each of them explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from gateway.admin.decision import Explained
from gateway.admin.feed import Feed
from gateway.admin.followed import Followed
from gateway.errors import RequestError
from tests.admin.rig import OPERATOR, VIEWER, drawn, following, shipped, show
from tests.audit.written import AT, decision, outcome

SECRETS = (
    "the merger",
    "secret-tag",
    "question/77",
    "answer/78",
    "questions/4711",
    "team:platform-x",
)
COPIED = "https://soe.example.com/questions/5"


def refusal(write_id: str = "copy", at: float = AT + 5, **facts: Any) -> dict[str, Any]:
    """A decision by which a copy was refused, with all that a record may tell of it."""
    told = decision(
        write_id,
        at,
        effect="refuse",
        text={"title": "", "body": "the merger"},
        tags=["secret-tag"],
        sizes={"title": 0, "body": 10, "tags": 1, "user_agent": 12},
        thread="question/77",
        target="answer/78",
        fingerprint={
            "text": "t",
            "event": "e",
            "words": 9,
            "prints": "",
            "sketch": "",
            "counts": None,
        },
        explicit_action=['act="button", to="team:platform-x"'],
        **facts,
    )
    told["findings"] = [
        found("already-posted", "fail", similarity=0.96, threshold=0.84, relation="other"),
        found("much-like-another", "fail", mode="warn", similarity=0.96, threshold=0.6, relation="other"),
        found("person-asked", "pass"),
    ]  # fmt: skip
    return told


def found(rule: str, result: str, *, mode: str = "enforce", **evidence: Any) -> dict[str, Any]:
    """What a rule found."""
    told = {"rule": rule, "check": "duplicate", "mode": mode, "result": result, "open": False}
    if result == "pass":
        return told | {"code": None}
    earlier = {"url": COPIED, "at": AT, "integration": "docs-bot"}
    return told | {"code": "duplicate", "status": 400, "evidence": evidence, "earlier": earlier}


def the_feed(followed: Followed) -> Feed:
    """The feed under the shipped policies."""
    return Feed(followed=followed, policies=shipped)


def of_address(address: str) -> dict[str, str]:
    """The fields of an address."""
    return dict(parse_qsl(urlsplit(address).query))


async def test_pages_follow_each_other_by_cursor(tmp_path: Path) -> None:
    """Each decision that fits stands on one page, the newest first; what narrows stays."""
    made = [
        decision(f"w{n:03}", AT + n // 3, integration=("a", "b")[n % 2]) for n in range(212)
    ]  # some at the same instant
    async with following(tmp_path, *made) as followed:
        seen, query = list[str](), {"integration": "a"}
        while True:
            told = await show(the_feed(followed).view, query=query)
            seen += [each["id"] for each in told["decisions"]]
            if told["older"] is None:
                break
            query = of_address(told["older"])

    assert seen == [each["write_id"] for each in made[::-1] if each["integration"] == "a"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["copy", "held", "first"]),
        ({"effect": "refuse"}, ["copy"]),
        ({"effect": "hold"}, ["held"]),
        ({"rule": "already-posted"}, ["copy"]),
        ({"operation": "comment.create"}, ["held"]),
        ({"person": "p-1"}, ["held"]),
        ({"q": "first"}, ["first"]),
        ({"q": " copy "}, ["copy"]),
        ({"q": COPIED}, ["first"]),
        ({"q": "https://soe.example.com/a/78"}, ["copy"]),
        ({"q": "nothing-of-the-sort"}, []),
        ({"from": "2026-11-18T11:06:42"}, ["copy", "held"]),
        ({"to": "2026-11-18T11:06:42"}, ["first"]),
        ({"from": "2026-11-18T13:06:42+02:00", "effect": "hold"}, ["held"]),
    ],
)
async def test_what_stands_in_the_address_narrows_the_feed(
    tmp_path: Path, query: dict[str, str], expected: list[str]
) -> None:
    """So that an address can be handed on; search takes an id, or where a post stands."""
    records = (
        decision("first", AT),
        outcome("first", AT, post="question/5", url=COPIED),
        decision("held", AT + 2, effect="hold", operation="comment.create", person="p-1"),
        refusal(),
    )
    async with following(tmp_path, *records) as followed:
        told = await show(the_feed(followed).view, query=query)

    assert [each["id"] for each in told["decisions"]] == expected


@pytest.mark.parametrize("query", [{"from": "yesterday"}, {"before": "x"}, {"before": "_w"}])
async def test_what_cannot_be_read_in_an_address_is_refused(
    tmp_path: Path, query: dict[str, str]
) -> None:
    """And the page says how it is written."""
    async with following(tmp_path) as followed:
        with pytest.raises(RequestError) as refused:
            await show(the_feed(followed).view, query=query)

    assert (refused.value.status, refused.value.code) == (400, "no_such_filter")


async def test_a_decision_is_explained_rule_by_rule(tmp_path: Path) -> None:
    """Who decided, who found something beside, who had nothing against it, and who did not judge."""
    made = outcome("first", AT + 1, post="question/5", url=COPIED)
    async with following(tmp_path, decision("first", AT), made, refusal()) as followed:
        told = await show(Explained(followed=followed, policies=shipped).view, rest="copy")
        page = drawn("decision.html", told)

    groups = told["groups"]
    [decided], [beside], [passed] = groups["decided"], groups["found"], groups["passed"]
    assert (decided["rule"], beside["rule"], passed["rule"]) == (
        *("already-posted", "much-like-another"),
        "person-asked",
    )
    assert ("likeness", "96%") in decided["figures"]
    assert decided["earlier"] == {
        "url": COPIED,
        "at": AT,
        "integration": "docs-bot",
        "decision": "first",
    }
    assert decided["asked"].startswith("earlier posts of the main site within 90 days")
    away = {each["rule"]: each["reasons"] for each in groups["away"]}
    assert away["same-answer-elsewhere"] == [
        ("for: answer.create, comment.create; this is question.create", False)
    ]
    assert told["decision"]["seq"] == 3
    assert "the merger" in page
    assert "From 84% on that is too much." in page


async def test_a_viewer_sees_nothing_of_what_a_private_team_writes(tmp_path: Path) -> None:
    """Neither its text nor what it is about, in the feed, in the decision, or by looking for it."""
    record = refusal(team="platform")
    record["findings"][0]["earlier"]["url"] = "https://soe.example.com/c/platform/questions/4711"
    seen: dict[str, bytes] = {}
    async with following(tmp_path, record) as followed:
        explained = Explained(followed=followed, policies=shipped).view
        for who in (VIEWER, OPERATOR):
            told = await show(explained, who, rest="copy")
            page = drawn("decision.html", told).encode()
            listed = await show(the_feed(followed).view, who)
            seen[who.name] = orjson.dumps(told) + page + orjson.dumps(listed)
        address = {"q": "https://soe.example.com/c/platform/a/78"}
        by_post = [
            await show(the_feed(followed).view, who, query=address) for who in (VIEWER, OPERATOR)
        ]

    assert [secret for secret in SECRETS if secret.encode() in seen["max"]] == []
    assert [secret for secret in SECRETS if secret.encode() not in seen["jane"]] == []
    assert b"only operators see" in seen["max"]
    assert [len(each["decisions"]) for each in by_post] == [0, 1]


async def test_of_a_decision_that_is_not_there_the_page_says_so(tmp_path: Path) -> None:
    """With what may be the reason."""
    async with following(tmp_path, refusal()) as followed:
        with pytest.raises(RequestError) as missing:
            await show(Explained(followed=followed, policies=shipped).view, rest="nobody")

    assert missing.value.status == 404
    assert "may be of another replica" in missing.value.detail
