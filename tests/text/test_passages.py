"""Which passages of a new text stand in an earlier one."""

from __future__ import annotations

from gateway.model import Post
from gateway.text.fingerprint import fingerprint
from gateway.text.passages import passages
from gateway.text.sketch import Sketch, read
from tests.text.posts import HONEST


def sketch(body: str) -> Sketch:
    """What state keeps of a text."""
    return read(fingerprint(Post(body=body)).sketch)


def test_the_longest_come_first_in_the_words_of_the_new_text() -> None:
    """With its letter case and its numbers; of what is between them nothing."""
    first, second = HONEST["vpn"].split(" Set ")
    between = "By the way: my office moved in the spring of 2026."
    new = Post(body=f"Hello! {first.upper()} {between} Set {second}")

    found = passages(new, sketch(HONEST["vpn"]))

    assert len(found) == 2
    assert found[0].startswith("Set the keep alive of the client to ten")
    assert found[1].startswith("ON THE TRAIN THE TUNNEL BREAKS")
    assert not any("office" in passage for passage in found)


def test_nothing_is_shown_of_a_text_that_shares_nothing() -> None:
    """Not even single words."""
    assert passages(Post(body=HONEST["badge"]), sketch(HONEST["schema"])) == ()
    assert passages(Post(), sketch(HONEST["schema"])) == ()


def test_a_passage_is_cut_after_two_hundred_characters() -> None:
    """A refusal is no place for a whole text."""
    found = passages(Post(body=HONEST["badge"] * 3), sketch(HONEST["badge"]))

    assert len(found[0]) == 200


def test_of_a_long_text_the_sample_is_enough() -> None:
    """Of 1,200 prints a sixth is kept, and the passage is still found."""
    earlier = " ".join(HONEST.values()) * 2 + " ".join(reversed(" ".join(HONEST.values()).split()))

    found = passages(Post(body=HONEST["pipeline"]), sketch(earlier))

    assert len(found[0]) > 100
