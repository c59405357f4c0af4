"""What every engine does to find near-copies.

A post is listed under its `REMEMBERED` smallest prints. A write asks with all of its own, and finds
those of which it shares `AT_LEAST` listed ones; how many it shares is their order.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from gateway.model import (
    Fingerprint,
    Lookup,
    Need,
    Outcome,
    Published,
    Remembered,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.ports import Administered
from gateway.state.print_rows import AT_LEAST
from gateway.state.prints import CANDIDATES, REMEMBERED
from tests.contract.conftest import KEEP
from tests.contract.test_stores import NOW, SEALED, asks, cap, charged, keyed, posts, write

IN_FLIGHT = CANDIDATES - 1
"""Copies in flight, as near as the original or nearer, among which it is still told."""


def some(seed: int, size: int = 20) -> list[int]:
    """The prints of some text."""
    chance = random.Random(seed)
    return [chance.getrandbits(32) for _ in range(size)]


def printed(prints: Iterable[int], name: str = "", sketch: bytes = b"") -> Fingerprint:
    """The fingerprint of a text; equal where the name is, or else where the prints are."""
    packed = array("I", sorted(set(prints))).tobytes()
    name = name or f"{hash(packed) & 0xFFFFFFFFFFFFFFFF:x}"
    return Fingerprint(text=f"t{name}", event=f"e{name}", words=20, prints=packed, sketch=sketch)


def near(fingerprint: Fingerprint, **changes: Any) -> Lookup:
    """A question for copies and near-copies on the main site."""
    usual: dict[str, Any] = {
        "compare": "text", "digest": fingerprint.text, "within": 3600.0, "team": None, "near": True
    }  # fmt: skip
    return Lookup(**(usual | changes))


def post(number: int, prints: Iterable[int], after: float = 0.0, **changes: Any) -> Write:
    """A write whose text has these prints."""
    return write(number, after, **({"fingerprint": printed(prints)} | changes))


def looking(asking: Write, *needs: Lookup, **others: Need) -> Reservation:
    """A reservation with a look-up for near-copies where nothing else is asked."""
    assert asking.fingerprint is not None
    asked = needs or (near(asking.fingerprint, team=asking.team),)
    names = ("copies", "second", "third")
    return asks(asking, dict(zip(names, asked, strict=False)) | others)


def told(reserved: Reserved) -> list[tuple[str, bool]]:
    """The ids of the posts that were found, and whether they are equal."""
    return [(each.write_id, each.equal) for each in posts(reserved)]


async def keep(
    store: Administered,
    asking: Write,
    *needs: Lookup,
    ends: Settlement | None = Settlement(outcome=Outcome.OK),  # noqa: B008 - a frozen value
) -> Reserved:
    """Reserve a write and settle it, as taken by SOE unless said otherwise."""
    reserved = await store.reserve(looking(asking, *needs))
    if ends is not None:
        await store.settle(asking.id, ends)
    return reserved


async def finds(
    store: Administered, prints: Iterable[int], *needs: Lookup, **changes: Any
) -> list[tuple[str, bool]]:
    """What a further write with these prints would find."""
    return told(await store.peek(looking(post(9999, prints, **changes), *needs)))


# ── what is found ────────────────────────────────────────────────────────────────────────────


async def test_a_near_copy_finds_its_original(store: Administered) -> None:
    """It is told that it is not equal, with all that is known of it, and its sketch."""
    original = replace(printed(some(1)), sketch=b"a sketch")
    one = write(1, fingerprint=original, thread="question/11")
    settled = Settlement(outcome=Outcome.OK, post="answer/12", url="https://soe.example.com/a/12")
    await keep(store, one, ends=settled)

    (found,) = posts(await store.peek(looking(post(2, [*some(1)[:19], *some(2, 1)]))))

    assert found == Remembered(
        write_id="w1",
        at=NOW,
        pending=False,
        outcome=Outcome.OK,
        integration=one.integration,
        token=one.token,
        author=one.author,
        operation=one.operation,
        team=None,
        thread="question/11",
        post="answer/12",
        url="https://soe.example.com/a/12",
        request="r1",
        equal=False,
        sketch=b"a sketch",
    )


async def test_an_equal_post_is_told_as_equal_with_its_sketch(store: Administered) -> None:
    """Once, though it shares all prints as well."""
    await keep(store, write(1, fingerprint=replace(printed(some(1)), sketch=b"s" * 1200)))

    (found,) = posts(await store.peek(looking(post(2, some(1)))))

    assert (found.write_id, found.equal, found.sketch) == ("w1", True, b"s" * 1200)


async def test_without_being_asked_no_near_copy_is_told(store: Administered) -> None:
    """A rule that wants equal texts gets equal texts, with their sketches."""
    await keep(store, post(1, some(1)))
    await keep(store, write(2, fingerprint=replace(printed([*some(1), 1]), sketch=b"s")))
    asking = post(3, [*some(1), 1])
    assert asking.fingerprint is not None

    found = posts(await store.peek(looking(asking, near(asking.fingerprint, near=False))))

    assert [(each.write_id, each.sketch) for each in found] == [("w2", b"s")]


async def test_nothing_is_near_without_prints(store: Administered) -> None:
    """A text too short for prints is found where it is equal, and finds what is equal."""
    await keep(store, post(1, [], fingerprint=printed([], "short")))
    await keep(store, post(2, some(1)))

    assert await finds(store, [], fingerprint=printed([], "short")) == [("w1", True)]
    assert await finds(store, [], fingerprint=printed([], "other")) == []


@pytest.mark.parametrize("shared", range(4))
async def test_posts_are_near_from_so_many_shared_prints(store: Administered, shared: int) -> None:
    """One is chance, or a phrase."""
    await keep(store, post(1, some(1, REMEMBERED)))
    found = await finds(store, [*some(1, REMEMBERED)[:shared], *some(2)])

    assert found == ([("w1", False)] if shared >= AT_LEAST else [])


async def test_what_is_added_to_a_copy_hides_nothing(store: Administered) -> None:
    """However much it is, and wherever its prints lie."""
    original = [value | 1 << 31 for value in some(1, 100)]
    await keep(store, post(1, original))
    added = [value >> 1 for value in some(2, 412)]  # all smaller

    assert await finds(store, [*original, *added]) == [("w1", False)]


async def test_a_post_is_listed_under_its_smallest_prints(store: Administered) -> None:
    """What shares none of them is not found, whatever else it shares."""
    original = sorted(some(1, 100))
    await keep(store, post(1, original))

    assert await finds(store, original[REMEMBERED:]) == []
    assert await finds(store, original[REMEMBERED - AT_LEAST :]) == [("w1", False)]


async def test_equal_posts_come_first_then_the_nearest(store: Administered) -> None:
    """The newer first where they are as near; the newest first of those that are equal."""
    text = some(1, REMEMBERED)
    kept = {1: 6, 2: REMEMBERED, 3: 3, 4: REMEMBERED, 5: 6, 6: 3}
    for number, shared in kept.items():
        whole = shared == REMEMBERED
        rest = [] if whole else some(number + 100, REMEMBERED - shared)
        await keep(store, post(number, [*text[:shared], *rest], number))

    assert await finds(store, text, after=9) == [
        *(("w4", True), ("w2", True)),
        *(("w5", False), ("w1", False), ("w6", False), ("w3", False)),
    ]


async def test_so_many_near_copies_are_told(store: Administered) -> None:
    """The nearest, where an engine lists so many of one text."""
    text = some(1, REMEMBERED)
    for number in range(CANDIDATES):
        await keep(store, post(number, [*text[:4], *some(number + 100, 4)], number))
    for number in range(CANDIDATES, CANDIDATES + 10):
        await keep(store, post(number, [*text[:5], *some(number + 100, 3)], number))
    found = [int(write_id[1:]) for write_id, _ in await finds(store, text, after=99)]
    nearest = [number for number in found if number >= CANDIDATES]

    assert len(nearest) >= 8
    assert found == [*sorted(nearest)[::-1], *sorted(set(found).difference(nearest))[::-1]]
    assert len(found) <= CANDIDATES


async def test_each_lookup_of_a_reservation_gets_its_own_answer(store: Administered) -> None:
    """What is equal to one may be near to another; one asks for near-copies, one does not."""
    text = some(1)
    same_event = replace(printed(text, "mine"), event="event")
    await keep(store, post(1, [], fingerprint=replace(printed(text, "other"), event="event")))
    await keep(store, post(2, [], 1, fingerprint=printed(text, "further"), person="jane"))
    reserved = await store.reserve(
        looking(
            write(3, 2, fingerprint=same_event),
            near(same_event),
            near(same_event, compare="event", digest="event"),
            near(same_event, author="person:jane"),
        )
    )
    seen = {
        rule: [(each.write_id, each.equal) for each in answer.posts]  # type: ignore[union-attr]  # look-ups alone
        for rule, answer in reserved.answers.items()
    }

    assert seen == {
        "copies": [("w2", False), ("w1", False)],
        "second": [("w1", True), ("w2", False)],
        "third": [("w2", False)],
    }


async def test_a_near_copy_is_no_further_back_than_is_asked(store: Administered) -> None:
    """As an equal one: what is exactly as old is too old."""
    text = some(1)
    await keep(store, post(1, text))
    asked = near(printed([*text, 1]), within=60.0)

    assert await finds(store, [*text, 1], asked, after=59.5) == [("w1", False)]
    assert await finds(store, [*text, 1], asked, after=60.0) == []


async def test_a_near_copy_expires(store: Administered) -> None:
    """However far back is asked."""
    await keep(store, post(1, some(1)))
    asked = near(printed([*some(1), 1]), within=10 * KEEP)

    assert await finds(store, [*some(1), 1], asked, after=KEEP - 1) == [("w1", False)]
    for number in range(2, 8):
        await keep(store, post(number, some(number), KEEP + number))
    assert await finds(store, [*some(1), 1], asked, after=KEEP + 9) == []


async def test_a_lookup_may_be_narrowed_to_an_author(store: Administered) -> None:
    """Whoever else wrote the like."""
    text = some(1)
    for number, person in enumerate(("jane", "john", None)):
        await keep(store, post(number, [*text, number], number, person=person))
    asked = near(printed(text), author="person:john")

    assert await finds(store, text, asked, after=5) == [("w1", False)]


async def test_what_does_not_publish_is_not_found(store: Administered) -> None:
    """A vote has no text, whatever it carries."""
    await keep(store, post(1, some(1), publishes=False))

    assert await finds(store, some(1)) == []


# ── in flight, and what becomes of it ────────────────────────────────────────────────────────


async def test_a_near_copy_in_flight_is_found(store: Administered) -> None:
    """And is told to be, until it counts as written."""
    await keep(store, post(1, some(1)), ends=None)
    seen = [
        (found.pending, found.outcome)
        for after in (59.5, 60.0)
        for found in posts(await store.peek(looking(post(2, [*some(1), 1], after))))
    ]

    assert seen == [(True, None), (False, Outcome.UNKNOWN)]


async def test_of_near_copies_at_once_each_finds_those_before_it(store: Administered) -> None:
    """Two at once are never both the first."""
    text = some(1, REMEMBERED - 1)
    asked = [looking(post(number, [*text, number])) for number in range(20)]
    answers = await asyncio.gather(*map(store.reserve, asked))

    counts = sorted(len(told(answer)) for answer in answers)
    assert counts[:8] == list(range(8))
    assert min(counts[8:]) >= 8  # all of them, where an engine lists so many of one text
    assert not any(equal for answer in answers for _, equal in told(answer))


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.NOT_SENT])
async def test_what_is_released_is_not_found(store: Administered, outcome: Outcome) -> None:
    """It is nobody's neighbour, and none of its place is left to those that follow."""
    await keep(store, post(1, some(1)), ends=Settlement(outcome=outcome))
    await keep(store, post(2, [*some(1), 1], 1))

    assert await finds(store, some(1), after=2) == [("w2", False)]


async def test_what_a_repeat_replaces_is_not_found(store: Administered) -> None:
    """The earlier try is no copy of it, neither before nor after the repeat is kept."""
    text = some(1)
    await keep(store, post(1, text, request="r"), ends=Settlement(outcome=Outcome.UNKNOWN))
    first = await finds(store, [*text, 1], request="r")
    other = await finds(store, [*text, 1], request="other")
    await keep(store, post(2, text, 5, request="r"))

    assert (first, other) == ([], [("w1", False)])
    assert await finds(store, [*text, 1], after=9) == [("w2", False)]


async def test_what_a_released_repeat_would_have_replaced_is_found_again(
    store: Administered,
) -> None:
    """Nobody knows whether it stands on the site."""
    text = some(1)
    await keep(store, post(1, text, request="r"), ends=Settlement(outcome=Outcome.FAILED))
    await keep(store, post(2, text, 5, request="r"), ends=Settlement(outcome=Outcome.REFUSED))

    assert await finds(store, [*text, 1], after=9) == [("w1", False)]


async def test_a_peek_finds_what_reserve_finds_and_lists_nothing(store: Administered) -> None:
    """A dry run is nobody's neighbour."""
    await keep(store, post(1, some(1)))
    asked = looking(post(2, [*some(1), 1]))
    peeks = [await store.peek(asked) for _ in range(2)]

    assert peeks[0] == peeks[1] == await store.reserve(asked)
    assert told(peeks[0]) == [("w1", False)]


async def test_a_write_that_is_not_taken_is_not_found(store: Administered) -> None:
    """It was refused at once."""
    await store.reserve(looking(post(1, some(1)), cap=cap()))
    refused = await store.reserve(looking(post(2, some(2)), cap=cap()))

    assert not refused.taken
    assert await finds(store, [*some(2), 1]) == []


# ── scopes ───────────────────────────────────────────────────────────────────────────────────


async def test_near_copies_are_found_in_their_own_scope(store: Administered) -> None:
    """Each team is one, and the main site is."""
    text = some(1)
    for number, team in enumerate((None, "red", "blue")):
        await keep(store, post(number, [*text, number], number, team=team))

    assert await finds(store, text, after=5) == [("w0", False)]
    assert await finds(store, text, after=5, team="red") == [("w1", False)]
    assert await finds(store, text, after=5, team="green") == []


async def test_a_rule_across_teams_finds_what_was_asked_across_teams(store: Administered) -> None:
    """Posts are listed for all teams from when such a rule came into force; for their own always."""
    text = some(1)
    for number, team in enumerate((None, "red", "blue")):
        prints = [*text, number]
        asked = near(printed(prints), team=team, across_teams=True)
        await keep(store, post(number, prints, number, team=team), *[asked][: number % 2])

    across = near(printed(text), across_teams=True)

    assert await finds(store, text, across, after=5) == [("w1", False)]
    assert await finds(store, text, after=5, team="red") == [("w1", False)]
    assert await finds(store, text, after=5, team="blue") == [("w2", False)]


async def test_a_rule_across_teams_finds_equal_posts_at_once(store: Administered) -> None:
    """They need no list."""
    text = some(1)
    await keep(store, post(1, text, team="red"))

    assert await finds(store, text, near(printed(text), across_teams=True)) == [("w1", True)]


async def test_one_teams_posts_do_not_crowd_out_anothers(store: Administered) -> None:
    """However many of the same prints there are."""
    text = some(1, REMEMBERED)
    for number in range(5):
        await keep(store, post(number, [*text[:7], number], number))
    before = await finds(store, text, after=5)
    for number in range(10, 60):
        await keep(store, post(number, [*text[:7], number], 5, team="red"))

    assert len(before) == 5
    assert await finds(store, text, after=5) == before


# ── floods ───────────────────────────────────────────────────────────────────────────────────


async def test_a_flood_of_refused_copies_does_not_hide_their_original(store: Administered) -> None:
    """It is found by each of them, and by the next."""
    text = some(1)
    await keep(store, post(1, text))
    seen = [
        await keep(
            store, post(number, [*text[:15], *some(number, 5)], 1),
            ends=Settlement(outcome=Outcome.NOT_SENT),
        )
        for number in range(2, 150)
    ]  # fmt: skip

    assert [told(each) for each in seen] == [[("w1", False)]] * len(seen)


async def test_copies_in_flight_do_not_hide_their_original(store: Administered) -> None:
    """So many at once, again and again."""
    text = some(1)
    await keep(store, post(1, text))
    for wave in range(4):
        numbers = range(100 * wave + 2, 100 * wave + 2 + IN_FLIGHT)
        copies = [post(number, [*text[:15], *some(number, 5)], 1) for number in numbers]
        answers = [await store.reserve(looking(each)) for each in copies]
        for each in copies:
            await store.settle(each.id, Settlement(outcome=Outcome.NOT_SENT))

        assert all(("w1", False) in told(each) for each in answers)


async def test_after_a_flood_in_flight_the_original_is_found(store: Administered) -> None:
    """However many there were at once: the oldest stay listed."""
    text = some(1)
    await keep(store, post(1, text))
    for number in range(2, 122):
        await keep(store, post(number, [*text[:15], *some(number, 5)], 1), ends=None)
    for number in range(2, 122):
        await store.settle(f"w{number}", Settlement(outcome=Outcome.NOT_SENT))

    assert await finds(store, [*text, 1], after=2) == [("w1", False)]


async def test_one_of_a_flood_that_is_kept_is_found(store: Administered) -> None:
    """Though it was neither among the oldest nor among the newest while all were in flight."""
    text = some(1)
    for number in range(1, 101):
        await keep(store, post(number, [*text, number]), ends=None)
    for number in range(1, 101):
        outcome = Outcome.OK if number == 50 else Outcome.NOT_SENT
        await store.settle(f"w{number}", Settlement(outcome=outcome))

    assert await finds(store, text, after=2) == [("w50", False)]


async def test_the_newest_of_many_kept_copies_are_found(store: Administered) -> None:
    """A text that stands very often is known by its oldest and its newest."""
    text = some(1)
    for number in range(1, 101):
        await keep(store, post(number, [*text, number], number))
    found = [write_id for write_id, _ in await finds(store, text, after=200)]

    assert {"w1", "w100"} <= set(found)


# ── texts that were refused for their likeness ───────────────────────────────────────────────

TEMPLATE = Settlement(outcome=Outcome.NOT_SENT, template=True)


async def test_a_refused_text_is_found_again(store: Administered) -> None:
    """As refused, by equal texts and near ones, until it expires."""
    await keep(store, post(1, some(1)), ends=TEMPLATE)
    (equal,) = posts(await store.peek(looking(post(2, some(1)))))
    (near_one,) = posts(await store.peek(looking(post(3, [*some(1), 1], 3599))))

    assert (equal.pending, equal.outcome, equal.equal) == (False, Outcome.REFUSED, True)
    assert (near_one.pending, near_one.outcome, near_one.equal) == (False, Outcome.REFUSED, False)
    asked = near(printed(some(1)), within=10 * KEEP)
    for number in range(4, 8):
        await keep(store, post(number, some(number), KEEP + number))
    assert await finds(store, some(1), asked, after=KEEP + 9) == []


async def test_a_refused_text_is_charged_to_nobody_and_frees_its_key(store: Administered) -> None:
    """As what was not sent."""
    await store.reserve(looking(post(1, some(1), key="k"), cap=cap()))
    await store.settle("w1", replace(TEMPLATE, answer=SEALED))

    assert charged(await store.peek(asks(write(2), {"cap": cap()}))).accepted
    assert await keyed(store, 3, request="other") is None


async def test_a_refused_text_is_no_earlier_try(store: Administered) -> None:
    """The same request meets it, as any other does."""
    await keep(store, post(1, some(1), request="r"), ends=TEMPLATE)

    assert await finds(store, some(1), request="r") == [("w1", True)]


async def test_a_refused_text_replaces_nothing(store: Administered) -> None:
    """The earlier try of its request is as unknown as it was, and its charge stays."""
    text = some(1)
    await store.reserve(looking(post(1, text, request="r"), cap=cap()))
    await store.settle("w1", Settlement(outcome=Outcome.UNKNOWN))
    await store.reserve(looking(post(2, text, 1, request="r"), cap=cap()))
    await store.settle("w2", TEMPLATE)
    later = await store.peek(looking(post(3, text, 2), cap=cap()))
    again = await store.peek(looking(post(4, text, 2, request="r"), cap=cap()))

    assert (told(later), charged(later).accepted) == ([("w1", True), ("w2", True)], False)
    assert (told(again), charged(again).accepted) == ([("w2", True)], True)


async def test_a_refused_text_stays_refused(store: Administered) -> None:
    """Settling twice is settling once."""
    await keep(store, post(1, some(1)), ends=TEMPLATE)
    for outcome in (Outcome.OK, Outcome.NOT_SENT):
        await store.settle("w1", Settlement(outcome=outcome, post="question/1"))
    (found,) = posts(await store.peek(looking(post(2, some(1)))))

    assert (found.outcome, found.post) == (Outcome.REFUSED, None)


async def test_a_refused_text_can_be_released(store: Administered) -> None:
    """An operator who finds it honest lets it pass."""
    await keep(store, post(1, some(1)), ends=TEMPLATE)

    assert [await store.release("w1") for _ in range(2)] == [True, False]
    assert await finds(store, some(1)) == []


async def test_the_refused_text_of_an_edit_is_forgotten_with_its_post(store: Administered) -> None:
    """All versions of a post are."""
    await keep(store, post(1, some(1), target="question/1"), ends=TEMPLATE)

    assert [await store.forget("question/1") for _ in range(2)] == [1, 0]
    assert await finds(store, some(1)) == []
    assert await finds(store, [*some(1), 1]) == []


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN])
async def test_only_what_was_not_sent_is_a_refused_text(
    store: Administered, outcome: Outcome
) -> None:
    """What SOE saw is as SOE said."""
    ends = Settlement(outcome=outcome, template=True)
    await keep(store, post(1, some(1)), ends=ends)
    found = posts(await store.peek(looking(post(2, some(1)))))

    assert [each.outcome for each in found] == ([outcome] if outcome.keeps else [])


# ── operators, and posts that stand on the site already ──────────────────────────────────────


def published(prints: Iterable[int], **changes: Any) -> Published:
    """A question on the main site."""
    usual: dict[str, Any] = {
        "post": "question/11", "author": "person:7", "operation": "question.create",
        "team": None, "thread": None, "url": "https://soe.example.com/q/11",
        "fingerprint": printed(prints, sketch=b"of q/11"),
    }  # fmt: skip
    return Published(**(usual | changes))


async def test_a_published_post_is_found_by_near_copies(store: Administered) -> None:
    """With its address and its sketch, in its own scope."""
    await store.remember([published(some(1)), published(some(1), team="red")], NOW)
    found = posts(await store.peek(looking(post(1, [*some(1), 1]))))

    seen = [(each.post, each.team, each.url, each.equal, each.sketch) for each in found]
    url = "https://soe.example.com/q/11"
    assert seen == [("question/11", None, url, False, b"of q/11")]


async def test_a_published_post_that_was_edited_is_found_by_its_new_text(
    store: Administered,
) -> None:
    """And no longer by the old; remembering it anew is remembering it once."""
    await store.remember([published(some(1))], NOW)
    counts = [await store.remember([published(some(2))], NOW + each) for each in (1, 2)]

    assert counts == [1, 0]
    assert await finds(store, [*some(1), 1], after=3) == []
    assert len(await finds(store, [*some(2), 1], after=3)) == 1


async def test_an_edit_is_found_by_near_copies(store: Administered) -> None:
    """As the post that it changed."""
    await keep(store, post(1, some(1), operation="question.edit", target="question/1"))
    (found,) = posts(await store.peek(looking(post(2, [*some(1), 1]))))

    assert (found.post, found.operation) == ("question/1", "question.edit")


async def test_a_forgotten_post_is_nobodys_neighbour(store: Administered) -> None:
    """In all its versions."""
    settled = Settlement(outcome=Outcome.OK, post="question/11")
    await keep(store, post(1, some(1)), ends=settled)
    await keep(store, post(2, [*some(1), 2], 1, target="question/11"))
    await store.remember([published([*some(1), 3])], NOW)
    await keep(store, post(4, [*some(1), 4], 2))

    assert await store.forget("question/11") == 3
    assert await finds(store, some(1), after=3) == [("w4", False)]


async def test_a_released_post_is_nobodys_neighbour(store: Administered) -> None:
    """An operator took it back."""
    await keep(store, post(1, some(1)), ends=Settlement(outcome=Outcome.UNKNOWN))

    assert await store.release("w1")
    assert await finds(store, [*some(1), 1]) == []
