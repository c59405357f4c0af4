"""What conditions hold of, field by field and operator by operator; and what narrows beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.model import Post, Write
from gateway.policy.decide import select
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from tests.policy.bad_files import TODAY
from tests.samples import a_write

MONDAY_8 = 1_767_600_000.0
HOUR = 3_600.0


def rules(
    directory: Path, narrowing: str, body: str = "if: {body: {words: {at_least: 0}}}"
) -> PolicySet:
    """A set of one rule, and an integration in each tier."""
    (directory / "integrations.yaml").write_text(
        "integrations:\n"
        "  a-bot: {owner: o, contact: c, purpose: p}\n"
        "  b-bot: {owner: o, contact: c, purpose: p, tier: trusted}\n"
    )
    (directory / "rules.yaml").write_text(
        "policy: p\nowner: o\nrules:\n"
        f"  r: {{title: T, mode: warn, for: ['question.*'], {narrowing}{body}}}\n"
    )
    return load(directory, today=TODAY)


def post(title: str = "", body: str = "", tags: tuple[str, ...] = ()) -> Write:
    """A write of a post, on a Monday at eight."""
    return a_write(post=Post(title=title, body=body, tags=tags), at=MONDAY_8)


@pytest.mark.parametrize(
    ("condition", "write", "holds"),
    [
        ("title: {contains: VPN}", post(title="The vpn is down"), True),
        ("title: {contains: VPN}", post(body="The vpn is down"), False),
        ("body: {contains: [desk, STRASSE]}", post(body="in der Straße"), True),
        ("body: {contains: [desk, hotline]}", post(body="Nobody knows."), False),
        ("body: {matches: 'ticket$'}", post(body="open a ticket"), True),
        ("body: {matches: 'Ticket'}", post(body="open a ticket"), False),
        ("body: {matches: ['(?i)TICKET', 'x']}", post(body="open a ticket"), True),
        ("body: {words: {at_least: 3}}", post(body="open a ticket"), True),
        ("body: {words: {below: 3}}", post(body="open a ticket"), False),
        ("title: {length: {at_least: 3, below: 4}}", post(title="abc"), True),
        ("title: {length: {at_least: 3, below: 4}}", post(title="abcd"), False),
        ("body: {links: {at_least: 2}}", post(body="http://a and HTTPS://b"), True),
        ("body: {html: {at_least: 2}}", post(body="<p class='x'>a</p>"), True),
        ("body: {html: {at_least: 1}}", post(body="a < b > c"), False),
        ("body: {entities: {at_least: 3}}", post(body="&amp; &#38; &#x26;"), True),
        ("user_agent: {contains: BOT}", post(), True),
        ("tags: {any_of: [a, b]}", post(tags=("B",)), True),
        ("tags: {all_of: [a, b]}", post(tags=("b",)), False),
        ("tags: {all_of: [a, b]}", post(tags=("a", "B", "c")), True),
        ("tags: {none_of: [a]}", post(tags=("A",)), False),
        ("tags: {none_of: [a]}", post(), True),
        ("tags: {any_of: [a], none_of: [b]}", post(tags=("a", "b")), False),
        ("hour: {at_least: 8, below: 9}", post(), True),
        ("hour: {below: 8}", post(), False),
        ("weekday: {any_of: [mon]}", post(), True),
        ("weekday: {any_of: [sat, sun]}", post(), False),
        ("not: {weekday: {any_of: [mon]}}", post(), False),
        ("any: [{hour: {below: 8}}, {title: {contains: x}}]", post(title="x"), True),
        ("all: [{hour: {below: 8}}, {title: {contains: x}}]", post(title="x"), False),
        ("title: {contains: x}, body: {contains: z}", post(title="x"), False),
        ("title: {contains: x, length: {below: 2}}", post(title="xx"), False),
    ],
)
def test_a_condition_holds_of_what_it_says(
    condition: str, write: Write, holds: bool, tmp_path: Path
) -> None:
    """Keys together, entries of a list each by itself."""
    (rule,) = rules(tmp_path, "", f"if: {{{condition}}}").rules

    assert rule.condition is not None
    assert rule.condition(write) is holds


@pytest.mark.parametrize(
    ("narrowing", "changes", "judged"),
    [
        ("", {}, True),
        ("", {"operation": "answer.create"}, False),
        ("except: [a-bot], ", {"integration": "a-bot"}, False),
        ("except: [a-bot], ", {"integration": "b-bot"}, True),
        ("integrations: [a-bot, anonymous], ", {"integration": "anonymous"}, True),
        ("integrations: [a-bot], ", {"integration": "b-bot"}, False),
        ("tiers: [trusted], ", {"tier": "trusted"}, True),
        ("tiers: [trusted], ", {"tier": ""}, False),
        ("teams: [red], ", {"team": "red"}, True),
        ("teams: [red], ", {"team": None}, False),
        ("teams: [red, ''], ", {"team": None}, True),
        ("tags: [Keys], ", {"post": Post(body="b", tags=("keys",))}, True),
        ("tags: [locks], ", {"post": Post(body="b", tags=("keys",))}, False),
    ],
)
def test_a_rule_judges_what_its_keys_leave(
    narrowing: str, changes: dict[str, Any], judged: bool, tmp_path: Path
) -> None:
    """Each key takes away; of its list any entry does."""
    policies = rules(tmp_path, narrowing)

    assert bool(select(policies, a_write(**changes))) is judged


def test_of_two_exceptions_the_later_day_counts(tmp_path: Path) -> None:
    """And its whole last day, in UTC; nobody is excepted who is not known."""
    rules(tmp_path, "")
    text = (tmp_path / "rules.yaml").read_text()
    exception = "{{rules: [r], integrations: [a-bot], reason: x, ticket: T, owner: o, expires: {}}}"
    (tmp_path / "rules.yaml").write_text(
        f"{text}exceptions: [{exception.format('2026-12-02')}, {exception.format('2026-12-01')}]\n"
    )
    policies = load(tmp_path, today=TODAY)
    midnight = 1_796_256_000.0  # after 2026-12-02

    def is_judged(at: float, integration: str) -> bool:
        return bool(select(policies, a_write(at=at, integration=integration)))

    assert not is_judged(midnight - 1, "a-bot")
    assert is_judged(midnight, "a-bot")
    assert is_judged(midnight - 1, "b-bot")
    assert is_judged(midnight - 1, "anonymous")
