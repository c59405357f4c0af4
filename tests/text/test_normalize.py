"""What reads the same has the same words."""

from __future__ import annotations

import base64
from collections import Counter
from random import Random

import pyromark
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gateway.text import page, tables
from gateway.text.normalize import Normal, normalize, normalize_stepwise
from gateway.text.visible import finish
from tests.text.texts import UNSEEN, any_text, block, marked_text, prose, table_text

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
)
WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
TWELVE = " ".join(WORDS)
MANY = " ".join(f"{word}ly" for word in WORDS * 4)


def full(body: str) -> tuple[str, ...]:
    return normalize("", body).full


@pytest.mark.parametrize("change", UNSEEN)
@given(text=prose, seed=st.integers(0, 2**32))
def test_what_nobody_sees_changes_nothing(change: str, text: str, seed: int) -> None:
    """Each change leaves the words, the digests' texts and the counts of words as they are."""
    changed = normalize("", UNSEEN[change](text, Random(seed)))
    told = normalize("", text)

    assert (changed.full, changed.own) == (told.full, told.own)
    assert (changed.text, changed.event, changed.words) == (told.text, told.event, told.words)


@given(prose, st.integers(0, 2**32))
def test_titles_are_folded_like_bodies(text: str, seed: int) -> None:
    """Though they are plain text."""
    for change in ("zero-width characters", "look-alikes", "marks above and below", "letter case"):
        changed = UNSEEN[change](text, Random(seed))

        assert normalize(changed, "").text == normalize(text, "").text


@given(st.one_of(marked_text, table_text, any_text, prose))
@example("|a|b|\n|-|-|\n[<!a[a]: b\n[>")
def test_markdown_and_its_html_agree(body: str) -> None:
    """Whichever way is taken: plain text, Markdown alone, Markdown with HTML, HTML."""
    clean = body.translate({0: "", 13: "\n"}).encode("utf-8", "replace").decode()
    html = pyromark.html(finish(tables.widen(clean)), options=OPTIONS)

    written, rendered = normalize("", clean), normalize("", html, page.read)

    assert (written.text, written.event) == (rendered.text, rendered.event)
    assert (written.full, written.own) == (rendered.full, rendered.own)


@given(prose)
def test_the_html_of_another_renderer_agrees(body: str) -> None:
    """A site need not render as we do."""
    html = MarkdownIt("commonmark").render(body)

    assert normalize("", body).text == normalize("", html, page.read).text


@given(any_text, any_text)
def test_every_string_has_words(title: str, body: str) -> None:
    """Nothing that JSON can tell is too broken."""
    for each in (normalize(title, body), normalize(title, body, page.read)):
        assert isinstance(each, Normal)
        assert all(word and not word.isspace() for word in each.full)
        assert set(each.own) <= set(each.full)
        assert each.own_words <= each.words


@given(marked_text)
def test_every_mark_may_stand_anywhere(body: str) -> None:
    """Nor is any Markdown or HTML."""
    for each in (normalize("", body), normalize("", body, page.read)):
        assert each.own_words <= each.words


@given(st.lists(block, min_size=1, max_size=6), st.integers(0, 2**32))
def test_the_order_of_blocks_is_the_order_of_words(blocks: list[str], seed: int) -> None:
    """Blocks that change places take their words with them."""
    before = normalize("", "\n\n".join(blocks))
    Random(seed).shuffle(blocks)
    after = normalize("", "\n\n".join(blocks))

    assert Counter(before.full) == Counter(after.full)
    assert Counter(before.own) == Counter(after.own)
    assert before.counts == after.counts


@given(marked_text, any_text)
def test_steps_come_to_the_same(body: str, title: str) -> None:
    """Being interrupted changes nothing."""
    assert finish(normalize_stepwise(title, body)) == normalize(title, body)


def test_masks_make_events_equal_and_texts_not() -> None:
    """The number of an error tells texts apart, and not events."""
    one = normalize("", "It fails with error 5, see https://a.example/5 and /var/log/5.log")
    two = normalize("", "It fails with error 6, see https://b.example/6 and /var/log/6.log")

    assert one.event == two.event
    assert one.text != two.text
    assert one.full == (*("it", "fails", "with", "error", "0", "see", "url", "and", "path"),)
    assert one.words == 6
    assert [one.masked(mask) for mask in ("0", "url", "path")] == [1, 1, 1]


def test_title_and_body_are_told_apart_in_digests_alone() -> None:
    """The views have them one after the other."""
    one, two = normalize("restart", "the agent"), normalize("restart the", "agent")

    assert one.full == two.full
    assert one.text != two.text


@pytest.mark.parametrize(
    "body",
    [
        f"{TWELVE}\n\n> {MANY}",
        f"> {MANY}\n\n{TWELVE}",
        f"{TWELVE}\n\nOn Mon, 3 May 2021, Ann Example wrote:\n\n{MANY}",
        f"On Mon, 3 May 2021, Ann Example wrote:\n\n> {MANY}\n\n{TWELVE}",
        f"{TWELVE}\n\n----- Original Message -----\n{MANY}",
        f"{TWELVE}\n\nAm 3. Mai 2021 schrieb Ann Example:\n> {MANY}",
        f"{TWELVE}\n```suggestion\n{MANY}\n```",
        f"<blockquote>{MANY}</blockquote>{TWELVE}",
    ],
)
def test_what_is_quoted_is_left_out(body: str) -> None:
    """Marks, mail's lines and suggestions of changes make a quote."""
    told = normalize("", body)

    assert set(WORDS) <= set(told.full)
    assert "onely" not in told.full
    assert not told.framed
    assert told.counts.quoted >= 48


def test_a_quote_that_is_nearly_all_is_the_post() -> None:
    """Else a whole text could hide in it."""
    told = normalize("", f"Look:\n\n> {MANY}")

    assert told.words == 49
    assert told.framed


@pytest.mark.parametrize(
    "form",
    [
        "# Describe onely twoly",
        "Describe onely\n---",
        "- [ ] onely twoly\n- [x] threely",
        "- [ ] onely\n\n- [ ] twoly\n\n  threely",
        "<details><summary>onely</summary>\n\ntwoly\n\n</details>",
        "<h2>onely</h2>",
    ],
)
def test_forms_are_left_out_of_the_own_view(form: str) -> None:
    """Headings, tasks and what folds away are in the full one alone."""
    told = normalize("", f"{TWELVE}\n\n{form}\n\n{TWELVE}")

    assert "onely" in told.full
    assert "onely" not in told.own
    assert told.own_words == 24


def test_a_form_that_is_nearly_all_is_the_own_view_too() -> None:
    """And the post says that it is framed."""
    told = normalize("", f"# {MANY}\n\nHello.")

    assert told.own == told.full
    assert told.framed


@pytest.mark.parametrize(
    "body",
    [
        base64.encodebytes(MANY.encode()).decode(),
        f"```\n{base64.encodebytes(MANY.encode()).decode()}```",
        base64.b64encode(MANY.encode()).decode().rstrip("="),
        "".join(chr(0xE0000 + ord(char)) for char in MANY),
    ],
)
def test_what_is_encoded_is_said(body: str) -> None:
    """Base64 and characters that are tags are decoded."""
    assert full(f"See below. {body}") == ("see", "below", *MANY.split())


def test_spaced_letters_are_words() -> None:
    """Where wider gaps part them, or other signs do."""
    spaced = "   ".join(" ".join(word) for word in WORDS)
    dotted = " ".join(".".join(word) for word in WORDS)

    assert full(spaced) == full(dotted) == tuple(WORDS)


def test_scripts_without_spaces_count_by_characters() -> None:
    """A sentence is more than one word."""
    assert normalize("", "重启代理然后清除它的缓存再重新登录").words == 8
    assert normalize("", "перезапустите агент").words == 2


def test_counts_tell_what_is_there() -> None:
    """Each in its own unit."""
    body = (
        "Hello wоrld &amp; al\u200bl <!-- unseen --> <i hidden>nothing</i>\n\n> a quote\n\n# a form\n\n"
        "![](https://a.example/picture.png) [link](https://a.example/page)\n\n[//]: # (comment)\n"
    )
    counts = normalize("", body).counts

    assert (counts.seen, counts.unseen) == (13 + 6 + 5 + 4, 6 + 7 + 7)
    assert (counts.invisible, counts.mixed) == (1, 1)
    assert (counts.quoted, counts.form) == (2, 2)


def test_what_cannot_be_decoded_is_counted() -> None:
    """It says nothing to anybody; paths, names and hex are no such."""
    opaque = base64.b64encode(bytes(range(256))).decode()

    assert normalize("", f"{MANY} {opaque}").counts.opaque == 344
    assert normalize("", f"{MANY} {'0123456789abcdef' * 8}").counts.opaque == 0
    assert (
        normalize("", f"{MANY} /srv/lib/Python3/site/packages/of/the/Service/main").counts.opaque
        == 0
    )
