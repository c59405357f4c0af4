"""What reads the same has the same digest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Post
from gateway.text.fingerprint import fingerprint
from gateway.text.words import split, words

TEXTS = st.text(st.characters(codec="utf-8"), max_size=120)
UNSEEN = st.sampled_from(["\u200b", "\u2060", "\ufeff", "\u00ad"])


def digest(body: str, title: str = "") -> str:
    return fingerprint(Post(title=title, body=body)).text


@given(TEXTS)
def test_letter_case_and_white_space_make_no_difference(text: str) -> None:
    """A reader sees the same words."""
    assert digest(text) == digest(f"  {text}\n\n")
    assert digest("Restart the Agent") == digest("restart\tthe   AGENT!")


@given(st.lists(st.text("abcdefg", min_size=1, max_size=8), min_size=1, max_size=8), UNSEEN)
def test_characters_that_nobody_sees_make_no_difference(parts: list[str], unseen: str) -> None:
    """Zero-width characters between letters change nothing."""
    assert digest(" ".join(parts)) == digest(" ".join(unseen.join(part) for part in parts))


def test_markdown_makes_no_difference() -> None:
    """Emphasis, code marks and headings are not words."""
    assert digest("# Restart **the** `agent`") == digest("Restart the agent")


def test_other_words_are_another_text() -> None:
    """One word more is another text; title and body do not run together."""
    assert digest("restart the agent") != digest("restart the agent now")
    assert digest("b", title="a") != digest("a b")


def test_an_event_is_the_same_whatever_its_numbers() -> None:
    """Times, ids, counts, paths and addresses are masked."""
    one = (
        "Job 4711 failed on node-3 at 10:04:55 after 30s, see /var/log/4711.log or https://ci/4711"
    )
    two = "Job 4712 failed on node-8 at 11:59:01 after 31s, see /tmp/x.log or https://ci.example/9?a=b"

    assert split(one).masked == split(two).masked
    assert words(one) != words(two)


@given(TEXTS)
def test_ascii_takes_the_same_way_as_the_rest(text: str) -> None:
    """The fast path gives what the slow one would."""
    plain = text.encode("ascii", "ignore").decode()

    assert words(plain) == words(f"{plain} \u00e9")[:-1]
