"""What is a copy, and what honest people share."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Post
from gateway.text.fingerprint import fingerprint
from gateway.text.similarity import (
    FEW_WORDS,
    Comparison,
    Likeness,
    Placed,
    Registered,
    Template,
    compare,
    may_reach,
    may_repeat,
)
from gateway.text.sketch import read
from tests.text.posts import DISGUISES, HONEST, QUOTES, Disguise

COPY = 0.84
WORTH_A_LOOK = 0.60

words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=10)


def made_up(words: int, seed: int) -> str:
    """Give a text of words that nobody knows."""
    chance = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(chance.choices(letters, k=chance.randint(3, 10))) for _ in range(words))


texts = st.builds(made_up, st.integers(25, 80), st.integers(0, 10**6))


def placed(body: str, author: str = "jane", thread: str = "1", *, title: str = "") -> Placed:
    """An earlier text."""
    return Placed(fingerprint(Post(title=title, body=body)).sketch, author, thread)


def new(body: str, author: str = "john", thread: str = "2", *, title: str = "") -> Placed:
    """A new text, whole."""
    return Placed(fingerprint(Post(title=title, body=body)).whole, author, thread)


def likeness(
    body: str, earlier: Placed, *others: Placed, author: str = "john", thread: str = "2"
) -> Likeness:
    """How alike a new text is to the first of some earlier ones."""
    compared = compare(new(body, author, thread), (earlier, *others), FEW_WORDS)
    return compared.likeness(earlier)


def template(body: str, *earlier: Placed) -> Template | None:
    """What Jane repeats under thread 9."""
    return compare(new(body, "jane", "9"), earlier, FEW_WORDS).template()


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("name", ["badge", "pipeline", "cluster", "schema"])
def test_a_disguised_copy_is_a_copy(name: str, disguise: Disguise) -> None:
    """Whatever is put around, into or over it, by somebody else in another thread."""
    copy = disguise(HONEST[name], random.Random(1))

    assert likeness(copy, placed(HONEST[name])).score >= COPY


@pytest.mark.parametrize("name", HONEST)
def test_honest_posts_are_not_alike(name: str) -> None:
    """Not even when the same author writes them."""
    others = [placed(text) for other, text in HONEST.items() if other != name]

    for other in others:
        assert likeness(HONEST[name], other, author="john").score < WORTH_A_LOOK
        assert likeness(HONEST[name], other, author="jane").score < WORTH_A_LOOK


def test_who_answers_may_quote() -> None:
    """What is quoted is not the writer's own."""
    reply = f"{QUOTES}\n\nBoth are logged now, and after three attempts it gives up with the first error."

    assert likeness(reply, placed(HONEST["review"])).score < WORTH_A_LOOK


def test_in_one_thread_words_come_back() -> None:
    """Somebody else's words in the same thread are what is talked about."""
    assert likeness(HONEST["badge"], placed(HONEST["badge"], thread="2")).score == 0


def test_what_two_others_have_is_common_property() -> None:
    """A form that two people filled in is nobody's own words."""
    form = HONEST["holiday"]
    mine = f"{form}\n\nI was in Lisbon and my passport was stolen on the first day."
    jane = placed(f"{form}\n\nMy daughter starts school in the week after the move.", "jane", "1")
    joan = placed(f"{form}\n\nThe works council asked for the numbers of last year.", "joan", "3")

    alone, among_others = likeness(mine, jane), likeness(mine, jane, joan)

    assert alone.score >= WORTH_A_LOOK
    assert among_others.score < WORTH_A_LOOK


def test_refused_authors_own_copies_are_no_common_property() -> None:
    """One author, however often, makes nothing common."""
    again = placed(HONEST["badge"], "jane", "3")

    assert likeness(HONEST["badge"], placed(HONEST["badge"]), again).score == 1


def test_who_met_the_same_failure_may_show_the_same_log() -> None:
    """A log is nobody's own words, where both say something of their own."""
    log = "\n".join(
        f"    loader: {made_up(2, line)} {line} mapped {made_up(1, -line)} segment 0x{line:04x}"
        for line in range(12)
    )
    jane = f"{HONEST['vpn']}\n\n{log}"
    john = f"{HONEST['holiday']} {HONEST['badge']}\n\n{log}"

    assert likeness(john, placed(jane)).score < WORTH_A_LOOK
    assert likeness(f"Hi,\n\n{log}", placed(jane)).score >= COPY
    assert likeness(john, placed(log)).score >= COPY


def test_few_words_tell_nothing() -> None:
    """“Done, thanks.” is no copy."""
    assert likeness("Done, thanks a lot!", placed("Done, thanks a lot!")).score == 0


def test_a_passage_under_three_other_threads_is_a_template() -> None:
    """However much of the rest is new; under two it may be chance."""
    passage = "Please attach the output of the collector, or we cannot look into it at all."
    posts = [placed(f"{passage} {text}", "jane", f"t{number}")
             for number, text in enumerate(list(HONEST.values())[:3])]  # fmt: skip
    text = f"{passage} {HONEST['vpn'][:60]}"

    found = template(text, *posts)

    assert found is not None
    assert found.threads == 3
    assert found.score >= COPY
    assert template(text, *posts[:2]) is None


def test_a_table_with_other_figures_is_a_template() -> None:
    """A log that is posted as a table, each time with other times and hosts."""
    tables = [
        "| time | host | what was seen |\n|---|---|---|\n"
        f"| 2026-11-0{number} 08:1{number} | db{number} | the disk of the store is nearly full |\n"
        f"| 2026-11-0{number} 09:2{number} | web{number} | the queue of mails does not get shorter |\n"
        for number in range(1, 5)
    ]
    posts = [placed(text, "jane", f"t{number}") for number, text in enumerate(tables[:3])]

    found = template(tables[3], *posts)

    assert found is not None
    assert found.score >= COPY


def test_a_short_template_is_found_by_its_words() -> None:
    """`bump X from 1 to 2`, again and again."""
    posts = [placed(f"build(deps): bump {name} from 1.{number} to 2.0", "jane", f"t{number}")
             for number, name in enumerate(["anyio", "trio", "gulp", "mypy"])]  # fmt: skip

    found = template("build(deps): bump undici from 7.22.0 to 7.24.1", *posts)

    assert found is not None
    assert found.score >= WORTH_A_LOOK


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@given(text=texts)
def test_identical_texts_score_one(text: str) -> None:
    """Between authors as for one."""
    assert likeness(text, placed(text), author="john").score == 1
    assert likeness(text, placed(text), author="jane").score == 1


@given(text=texts, noise=st.lists(words, max_size=150, unique=True), before=st.booleans())
def test_padding_does_not_hide_a_copy(text: str, noise: list[str], before: bool) -> None:
    """Whatever is added to a text of 25 words: what was there is found in it whole."""
    padded = [*noise, text] if before else [text, *noise]

    assert likeness(" ".join(padded), placed(text)).score >= COPY


@given(paragraphs=st.lists(texts, min_size=2, max_size=5, unique=True), chance=st.randoms())
def test_the_order_of_paragraphs_does_not_matter(
    paragraphs: list[str], chance: random.Random
) -> None:
    """Only the few prints over their borders differ."""
    shuffled = chance.sample(paragraphs, len(paragraphs))

    assert likeness("\n\n".join(shuffled), placed("\n\n".join(paragraphs))).score >= COPY


@given(paragraphs=st.permutations([*HONEST.values()]))
def test_eighty_words_of_sentences_are_worth_a_look(paragraphs: list[str]) -> None:
    """In another order, among as much of one's own: people who edit a copy leave that."""
    copy = "\n\n".join(reversed(paragraphs[3:]))

    assert likeness(copy, placed("\n\n".join(paragraphs[:5]))).score >= WORTH_A_LOOK
    assert likeness(copy, placed("\n\n".join(paragraphs[:3]))).score < 0.3


@given(one=texts, other=texts)
def test_a_likeness_is_a_share(one: str, other: str) -> None:
    """0 to 1, all three figures of it."""
    found = likeness(one, placed(other))

    assert all(0 <= share <= 1 for share in (found.score, found.of_new, found.of_earlier))


SYLLABLES = [a + b + c for a in "bdkmrst" for b in "aeiou" for c in "lnpx"]
PHRASES = [" ".join(random.Random(seed).sample(SYLLABLES, 2 + seed % 4)) for seed in range(30)]
pieces = st.lists(st.sampled_from(PHRASES), min_size=1, max_size=8, unique=True)


@given(
    words=pieces,
    earlier=st.lists(
        st.tuples(st.integers(0, 8), st.just([]) | pieces, st.sampled_from("abc")),
        min_size=1,
        max_size=6,
    ),
    templates=st.lists(st.sampled_from(PHRASES), max_size=3),
)
def test_what_scores_enough_is_never_passed_over(
    words: list[str],
    earlier: list[tuple[int, list[str], str]],
    templates: list[str],
) -> None:
    """However much is common property or registered: what may reach a score is compared."""
    posts = tuple(
        placed("\n".join([*words[-copied:], *other]), author, str(number))
        for number, (copied, other, author) in enumerate(earlier)
    )
    known = [read(placed(each).text) for each in templates]
    registered = Registered(
        frozenset(value for each in known for value in each.own.kept),
        frozenset(value for each in known for value in each.own_words.kept),
    )

    text = new("\n".join(words), "john", "here")
    compared = Comparison(text, posts, 4, registered)
    scores = [compared.likeness(post).score for post in posts]

    assert all(
        may_reach(text.text, post.text, score) for post, score in zip(posts, scores, strict=True)
    )


@given(
    words=pieces,
    earlier=st.lists(
        st.tuples(st.integers(0, 8), st.just([]) | pieces, st.integers(0, 4)),
        min_size=1,
        max_size=6,
    ),
    framed=st.booleans(),
)
def test_what_one_repeats_enough_is_never_passed_over(
    words: list[str], earlier: list[tuple[int, list[str], int]], framed: bool
) -> None:
    """Whatever else he has written, and in however many threads; what forms are is compared."""
    frame = ["## What happened here before that", ""] if framed else []
    posts = tuple(
        placed("\n".join([*frame, *words[-copied:], *other]), "jane", str(thread))
        for copied, other, thread in earlier
    )

    text = new("\n".join(words), "jane", "here")
    compared = Comparison(text, posts, 4, Registered())
    scores = [compared.likeness(post).score for post in posts]

    assert all(
        may_repeat(text.text, post.text, score) for post, score in zip(posts, scores, strict=True)
    )


def test_what_is_kept_of_a_heading_is_not_what_there_was_of_it() -> None:
    """A sketch that was cut may keep none of its prints: such texts are compared."""
    chance = random.Random(3)
    words = made_up(300, 5).split()
    text = new(" ".join(chance.sample(words, len(words))), "jane", "here")
    earlier = [
        placed(f"{' '.join(chance.sample(words, len(words)))}\n\n# {made_up(2, seed)}", "jane", "1")
        for seed in range(40)
    ]
    cut = [post for post in earlier if not post.sketch.rest.kept and post.sketch.rest.total]

    assert cut
    assert all(may_repeat(text.text, post.text, 1.0) for post in cut)
