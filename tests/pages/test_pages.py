"""What developers of integrations see under /_gateway/."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Api, Contact, Mode, Reservation, Write
from gateway.pages.pages import Pages
from gateway.policy.registry import Registry
from gateway.proxy.identify import identify
from gateway.soe.read import Credentials
from gateway.state.memory import MemoryStore
from tests.proxy.rig import Broken, Rig, Scripted, Ticking, build

TOKEN = identify(Registry(), (), Credentials(token="secret-token"), b"s" * 32).token
A_WRITE = Write(
    id="w", at=Ticking.at, integration="anonymous", api=Api.V3, operation="vote.up", token=TOKEN
)
HTML = ((b"accept", b"text/html,application/xhtml+xml"),)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway whose SOE would be on a closed port: nothing here may ask it."""
    rig = build(tmp_path, 1, MemoryStore(86_400.0), Scripted())
    yield rig
    await rig.audit.close()


async def asked(
    rig: Rig, path: bytes, *fields: tuple[bytes, bytes], method: str = "GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    return await rig.send(method=method, target=b"/_gateway/" + path, fields=fields, act=False)


def pages(rig: Rig) -> Pages:
    found = rig.app.pages
    assert isinstance(found, Pages)
    return found


async def rules(rig: Rig) -> dict[str, Any]:
    _, _, body = await asked(rig, b"rules")
    return {rule["rule"]: rule for rule in json.loads(body)["rules"]}


async def test_the_rules_that_judge_the_caller_are_told(rig: Rig) -> None:
    """Each with what it does, what it judges and what it wants."""
    status, fields, body = await asked(rig, b"rules")

    told = json.loads(body)
    assert (status, fields[b"content-type"]) == (200, b"application/json")
    assert (told["integration"], told["posture"]) == ("anonymous", "guard")
    found = {rule["rule"]: (rule["mode"], rule["operations"]) for rule in told["rules"]}
    assert found["acted"] == ("enforce", ["*"])
    assert found["no-copy"] == ("enforce", ["question.create"])
    assert told["rules"][0]["wants"] == "X-Explicit-Action: true"


async def test_what_is_left_of_a_cap_is_told_and_asking_takes_nothing(rig: Rig) -> None:
    """One a minute: one is left however often it is asked, and none after a post."""
    for _ in range(3):
        assert (await rules(rig))["one-a-minute"]["budgets"] == [
            {"operation": "*", "limit": 1, "window": 60.0, "left": 1, "retry_after": 0.0}
        ]
    cap = rig.app.policies.current.rules[1]
    assert cap.check is not None
    need = cap.check.need(A_WRITE, cap.id)
    assert need is not None
    await pages(rig).store.reserve(Reservation(write=A_WRITE, groups=({cap.id: need},)))

    left = (await rules(rig))["one-a-minute"]["budgets"][0]
    assert (left["left"], left["retry_after"]) == (0, 60.0)


async def test_a_browser_gets_a_page_that_runs_nothing(rig: Rig) -> None:
    """Titles are text, whatever stands in them, and no script, frame or form may run."""
    current = rig.app.policies.current
    hostile = replace(current.rules[0], title="<script>alert(1)</script>", docs="javascript:x")
    rig.app.policies.current = replace(current, rules=(hostile, *current.rules[1:]))

    status, fields, body = await asked(rig, b"rules", *HTML)

    assert status == 200
    assert fields[b"content-security-policy"].startswith(b"default-src 'none'")
    seen = _Seen()
    seen.feed(body.decode())
    assert "script" not in seen.tags
    assert seen.links <= {"/_gateway/style.css", "mailto:team@example.com"}
    assert "<script>alert(1)</script>" in seen.text


class _Seen(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_how_to_register_is_told_to_everybody(rig: Rig) -> None:
    """With the contact, of which only an address of the web becomes a link."""
    odd = Contact(name="<b>", url="javascript:alert(1)")
    rig.app = replace(rig.app, pages=replace(pages(rig), contact=odd))

    _, _, body = await asked(rig, b"")

    seen = _Seen()
    seen.feed(body.decode())
    assert "<b>" in seen.text
    assert not any(link.startswith("javascript") for link in seen.links)


async def test_a_caller_whom_nobody_registered_is_told_so(rig: Rig) -> None:
    """Where registration is asked for, nothing of theirs passes, and the page says whom to ask."""
    rig.app = replace(rig.app, pages=replace(pages(rig), anonymous="refuse"))

    told = json.loads((await asked(rig, b"rules"))[2])

    assert (told["registered"], told["may_write"]) == (False, False)
    assert told["contact"]["email"] == "team@example.com"
    assert b"Nobody registered you" in (await asked(rig, b"rules", *HTML))[2]


async def test_rules_that_do_not_judge_the_caller_are_left_out(rig: Rig) -> None:
    """Those switched off, those for others, and those that except it."""
    current = rig.app.policies.current
    one, two, three, *rest = current.rules
    changed = (
        replace(one, mode=Mode.DISABLED),
        replace(two, integrations=frozenset({"other"})),
        replace(three, excepted=frozenset({"anonymous"})),
        *rest,
    )
    rig.app.policies.current = replace(current, rules=changed)

    assert set(await rules(rig)) == {rule.id for rule in rest}


async def test_the_page_outlives_state(tmp_path: Path) -> None:
    """Without it the rules are told, and nothing of what is left."""
    rig = build(tmp_path, 1, Broken(), Scripted())

    assert (await rules(rig))["one-a-minute"]["budgets"] == []


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (b"nothing", "GET", 404),
        (b"../api/v3/questions", "GET", 404),
        (b"rules/", "GET", 404),
        (b"rules", "POST", 405),
        (b"RULES", "GET", 404),
    ],
)
async def test_nothing_else_lies_there(rig: Rig, path: bytes, method: str, status: int) -> None:
    """No other path below it, in no other spelling, and none of it reaches SOE."""
    assert (await asked(rig, path, method=method))[0] == status
    assert rig.received == []


async def test_the_stylesheet_is_its_own(rig: Rig) -> None:
    """The one thing that a page loads."""
    status, fields, _ = await asked(rig, b"style.css")

    assert (status, fields[b"content-type"]) == (200, b"text/css")
