"""Why a rule judges a write or does not."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Post
from gateway.policy.decide import judges
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet, Rule
from gateway.policy.why import Reason, looked, narrowing
from tests.samples import a_write

REGISTRY = "help-bot: {owner: o, contact: c, purpose: p}"
CHECK = "explicit_action: {evidence: literal}"


def a_rule(folder: Path, keys: str, exceptions: str = "") -> tuple[Rule, PolicySet]:
    """One rule, out of YAML."""
    (folder / "integrations.yaml").write_text(f"integrations:\n  {REGISTRY}\n")
    text = f"policy: tests\nowner: tests\nrules:\n  rule: {{title: T, mode: enforce, {keys}}}\n"
    (folder / "tests.yaml").write_text(text + exceptions)
    policies = load(folder, today=datetime.date(2026, 11, 24))
    return policies.rules[0], policies


@pytest.mark.parametrize(
    ("keys", "against"),
    [
        ("for: [question.create]", []),
        ("for: [answer.create]", ["for: answer.create; this is question.create"]),
        ("for: ['*'], except: [help-bot]", ["except: help-bot; this is help-bot"]),
        ("for: ['*'], integrations: [anonymous]", ["integrations: anonymous; this is help-bot"]),
        ("for: ['*'], tiers: [trusted]", ["tiers: trusted; this is probation"]),
        ("for: ['*'], teams: [red]", ["teams: red; this is the main site"]),
        ("for: ['*'], tags: [security]", ["tags: security; these are keys"]),
        ("for: ['*'], tags: [KEYS]", []),
    ],
)
def test_each_key_that_narrows_a_rule_says_what_it_wants_and_found(
    tmp_path: Path, keys: str, against: list[str]
) -> None:
    """A rule judges where none of them speaks against it, as the decision code has it."""
    rule, policies = a_rule(tmp_path, f"{keys}, {CHECK}")
    reasons = narrowing(rule, a_write(), policies)

    assert [each.text for each in reasons if not each.holds] == against
    assert judges(rule, a_write(), policies) is not bool(against)


def test_an_exception_names_its_owner_and_its_end(tmp_path: Path) -> None:
    """Whom to ask why the rule is silent."""
    told = "exceptions:\n  - {rules: [rule], integrations: [help-bot], reason: old, ticket: T-1, owner: me, expires: 2026-12-31}\n"
    rule, policies = a_rule(tmp_path, f"for: ['*'], {CHECK}", told)
    reasons = narrowing(rule, a_write(), policies)

    assert reasons[-1] == Reason(text="an exception of me until 2026-12-31: old", holds=False)


@pytest.mark.parametrize(
    ("condition", "holds", "told"),
    [
        ("body: {words: {below: 30}}", True, ["body words = 3, below 30"]),
        ("body: {length: {at_least: 2, below: 12}}", False, ["body length = 12, at least 2, below 12"]),
        ("title: {contains: [key, lock]}", True, ["title contains: key | lock"]),
        ("title: {matches: '^How.*$'}", True, ["title matches: ^How.*$"]),
        ("user_agent: {contains: curl}", False, ["user_agent contains: curl"]),
        ("tags: {any_of: [keys, locks]}", True, ["tags any_of: keys, locks; these are keys"]),
        ("hour: {below: 6}", False, ["hour = 11, below 6"]),
        ("weekday: {any_of: [sat, sun]}", False, ["weekday any_of: sat, sun; this is wed"]),
        (
            "body: {words: {below: 30}, links: {at_least: 1}}",
            False,
            ["all", "body words = 3, below 30", "body links = 0, at least 1"],
        ),
        (
            "{not: {hour: {below: 6}}, any: [{title: {length: {below: 5}}}, {tags: {any_of: [keys]}}]}",
            True,
            ["all", "not", "hour = 11, below 6", "any", "title length = 24, below 5", "tags any_of: keys; these are keys"],
        ),
    ],
)  # fmt: skip
def test_conditions_tell_what_they_looked_at(
    tmp_path: Path, condition: str, holds: bool, told: list[str]
) -> None:
    """With the numbers, and what was wanted."""
    block = condition if condition.startswith("{") else f"{{{condition}}}"
    rule, _ = a_rule(tmp_path, f"for: [question.create], if: {block}")
    assert rule.condition is not None
    reason = looked(rule.condition, a_write())

    assert texts(reason) == told
    assert reason.holds is holds
    assert rule.condition(a_write()) is holds


def texts(reason: Reason) -> list[str]:
    """The reason and its parts."""
    return [reason.text, *(text for part in reason.parts for text in texts(part))]


class _Gone(Post):
    """A post whose body nobody kept."""

    def __getattribute__(self, name: str) -> Any:
        if name == "body":
            raise LookupError("the body")
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("{body: {words: {below: 3}}}", None),
        ("{body: {words: {below: 3}}, hour: {below: 6}}", False),
        ("{any: [{body: {words: {below: 3}}}, {hour: {below: 12}}]}", True),
        ("{not: {body: {words: {below: 3}}}}", None),
    ],
)
def test_what_was_not_kept_is_unknown_unless_the_rest_decides(
    tmp_path: Path, condition: str, holds: bool | None
) -> None:
    """Nothing is guessed, and nothing is called unknown that is certain."""
    rule, _ = a_rule(tmp_path, f"for: [question.create], if: {condition}")
    assert rule.condition is not None
    write = a_write(post=_Gone(title="T"))

    assert looked(rule.condition, write).holds is holds
    assert any(
        "body: unknown: the body was not kept" in t for t in texts(looked(rule.condition, write))
    )
