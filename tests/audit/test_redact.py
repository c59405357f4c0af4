"""What looks like a credential is masked, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.redact import LOOKED_AT, masked, masked_words
from tests.pace import TIMES, grows_linearly

AGENTS = (
    "help-bot/1.0",
    "help-bot/1.0 (+https://wiki.example.com/help-bot; team@example.com)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
    "python-requests/2.32.3",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "Apache-HttpClient/4.5.14 (Java/17.0.11) monkey:fine",
)


@pytest.mark.parametrize("agent", AGENTS)
def test_what_a_program_says_of_itself_stays(agent: str) -> None:
    """Rules look at it, also when they are tried on old records."""
    assert masked_words(agent) == agent


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("bot/1 (token=S3CRET)", "bot/1 (token=-)"),
        ("bot/1 access_token: S3CRET; ok", "bot/1 access_token: -; ok"),
        ('bot {"client_secret":"S3CRET"}', 'bot {"client_secret":"-"}'),
        ("Authorization: Bearer S3CRET-AGAIN", "Authorization: - -"),
        ("bot Basic c2VjcmV0OnNlY3JldA==", "bot Basic -"),
        ("bot https://user:S3CRET@host/x", "bot https://-@host/x"),
        ("redis://:S3CRET@cache:6379", "redis://-@cache:6379"),
        ("/x?key=S3CRET&page=2", "/x?key=-&page=2"),
    ],
)
def test_what_is_told_as_a_credential_is_masked(text: str, left: str) -> None:
    """By its name, its scheme, or its place in an address."""
    assert masked(text) == left


@given(
    st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789_-", min_size=20, max_size=60).filter(
        lambda word: any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    )
)
def test_a_long_word_of_letters_and_digits_is_masked(word: str) -> None:
    """Whatever surrounds it: tokens of SOE and keys of the gateway are such words."""
    word = f"a{word}1"

    assert word not in masked_words(f"bot/1 {word} (x)")
    assert len(masked_words(f"bot {word}")) < len(f"bot {word}")


@given(st.text(max_size=200))
def test_what_is_masked_stays_masked(text: str) -> None:
    """Once more changes nothing."""
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "part", ["a_-", "key", "token", "client-", "x:", "://", "bearer ", "_", "a1"]
)
def test_no_text_takes_long(part: str) -> None:
    """A header may have 32 KiB, and whoever sends it may choose them."""
    assert grows_linearly(lambda size: masked_words(part * (size // len(part))), LOOKED_AT // TIMES)
