"""Who is registered, and by what they are known."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.reader import PolicyReader
from gateway.policy.registry import Integration, Registry, digest, new_key, read_registry

KEY, TOKEN = digest(b"sgw_key"), digest(b"token")


def read(text: str) -> tuple[Registry, list[str]]:
    """The registry of a file, and what is wrong with it."""
    reader = PolicyReader("integrations.yaml")
    registry = read_registry(reader, text)
    return registry, [f"{each.line}:{each.column}: {each.text}" for each in reader.problems]


def test_an_integration_is_read_whole() -> None:
    """Everything that is written about an integration is known of it."""
    registry, problems = read(
        f"""\
integrations:
  help-bot:
    owner: support
    contact: help@example.com
    purpose: posts answers that people ask it to post
    approver: a.meier
    expires: 2027-01-31
    tier: trusted
    operations: [answer.*]
    keys: ['sha256:{KEY}']
    tokens: ['sha256:{TOKEN}']
    return_to: ['https://bot.example.com/done']
"""
    )

    assert problems == []
    assert registry.integrations == (
        Integration(
            name="help-bot",
            owner="support",
            contact="help@example.com",
            purpose="posts answers that people ask it to post",
            approver="a.meier",
            expires=datetime.date(2027, 1, 31),
            tier="trusted",
            operations=("answer.*",),
            keys=(KEY,),
            tokens=(TOKEN,),
            return_to=("https://bot.example.com/done",),
        ),
    )
    assert registry.names == {"help-bot"}


def test_who_says_little_is_on_probation_with_every_operation() -> None:
    """The defaults: probation, all operations, no end, no credentials."""
    registry, problems = read("integrations: {a: {owner: o, contact: c, purpose: p}}\n")

    assert problems == []
    assert registry.integrations == (Integration(name="a", owner="o", contact="c", purpose="p"),)
    assert registry.integrations[0].tier == "probation"
    assert registry.integrations[0].operations == ("*",)


def test_a_digest_finds_its_integration() -> None:
    """A key is found as a key, a token as a token, and anything else not at all."""
    bot = Integration(name="a", owner="o", contact="c", purpose="p", keys=(KEY,), tokens=(TOKEN,))
    registry = Registry([bot])

    assert registry.by_key(KEY) is bot
    assert registry.by_token(TOKEN) is bot
    assert registry.by_key(TOKEN) is None
    assert registry.by_token(KEY) is None
    assert registry.by_key("") is None


def test_all_problems_of_all_integrations_are_told() -> None:
    """One reading tells everything that is to be mended."""
    _, problems = read(
        f"""\
integrations:
  Help_Bot: {{owner: o, contact: c, purpose: p}}
  anonymous: {{owner: o, contact: c, purpose: p}}
  a: {{owner: o, purpose: p, tier: trused, expires: soon}}
  b: {{owner: o, contact: c, purpose: p, operations: [answers.*], user_agent: b/1}}
  c: {{owner: o, contact: c, purpose: p, keys: [secret], token: x}}
  d: {{owner: o, contact: c, purpose: p, keys: ['sha256:{KEY}'], tokens: ['sha256:{KEY}']}}
  e: {{owner: o, contact: c, purpose: p, keys: ['sha256:{KEY}']}}
"""
    )

    assert problems == [
        "2:3: 'Help_Bot' cannot name an integration; use kebab-case",
        "3:3: 'anonymous' cannot name an integration; use kebab-case",
        "4:6: the key 'contact' is missing",
        "4:35: 'trused' is none of probation, trusted; did you mean 'trusted'?",
        "4:52: expected a date such as 2026-12-31, not 'soon'",
        "5:66: user_agent identifies nobody: anybody can send it",
        "5:54: no operation is called 'answers.*'; did you mean 'answer.edit'?",
        "6:57: unknown key 'token'; did you mean 'tokens'?",
        "6:48: expected digests, as sha256: and 64 hex digits",
        "7:3: has a key or token twice",
        "8:3: shares a key or token with d",
    ]


def test_credentials_show_nowhere() -> None:
    """Digests of keys and tokens stay out of what is printed."""
    bot = Integration(name="a", owner="o", contact="c", purpose="p", keys=(KEY,), tokens=(TOKEN,))

    assert KEY not in repr(bot)
    assert TOKEN not in repr(bot)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_carries_all_its_random_bits(random: bytes) -> None:
    """A key is our prefix and 32 bytes in letters that a header may hold; its digest is SHA-256."""
    key = new_key(random)

    assert key.startswith("sgw_")
    assert len(key) == 4 + 43
    assert key.isascii()
    assert digest(key.encode()) == hashlib.sha256(key.encode()).hexdigest()


@given(st.text(max_size=200))
def test_any_file_gives_a_registry_or_problems(text: str) -> None:
    """Nothing that can be written crashes the reading."""
    registry, problems = read(text)

    assert problems or isinstance(registry, Registry)


PLACES = ("https://bot.example.com/done", "http://localhost:3000")


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://bot.example.com/done", True),
        ("https://bot.example.com/done/", True),
        ("https://bot.example.com/done/7/x?a=b#c", True),
        ("https://bot.example.com/done?x=1", True),
        ("http://localhost:3000", True),
        ("http://localhost:3000/any/place", True),
        ("https://bot.example.com/", False),
        ("https://bot.example.com/doner", False),
        ("https://bot.example.com/done/..", False),
        ("https://bot.example.com/done/../x", False),
        ("https://bot.example.com/done/.%2e/x", False),
        ("https://bot.example.com/done/%2E%2E/x", False),
        ("https://bot.example.com/done/..%2fx", False),
        ("https://bot.example.com/done\\..\\x", False),
        ("https://bot.example.com:8443/done", False),
        ("https://BOT.example.com/done", False),
        ("https://bot.example.com.evil.example/done", False),
        ("https://bot.example.com@evil.example/done", False),
        ("https://evil.example/https://bot.example.com/done", False),
        ("http://bot.example.com/done", False),
        ("http://localhost:30000/", False),
        ("//bot.example.com/done", False),
        ("/done", False),
        ("javascript://bot.example.com/done%0aalert(1)", False),
        ("https://bot.example.com/done\nx", False),
        ("", False),
    ],
)
def test_a_page_leads_to_registered_places_and_below_them_alone(url: str, leads: bool) -> None:
    """The same origin, and a path that no reader climbs out of."""
    bot = Integration(name="b", owner="o", contact="c", purpose="p", return_to=PLACES)

    assert bot.may_return_to(url) is leads
