"""One suite over every engine of state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.model import (
    Charge,
    Charged,
    Counted,
    Fingerprint,
    Found,
    Lookup,
    Need,
    Outcome,
    Published,
    Remembered,
    Repeat,
    Repeated,
    Reservation,
    Reserved,
    Settlement,
    Window,
    Write,
)
from gateway.ports import Administered
from tests.contract.conftest import KEEP
from tests.samples import PRINT, a_write

NOW = 1_795_000_000.0


def cap(name: str = "a", *windows: tuple[int, float], attempts: bool = False) -> Charge:
    """A cap; one write a minute unless said otherwise."""
    each = windows or ((1, 60.0),)
    made = tuple(Window(limit=limit, seconds=seconds) for limit, seconds in each)
    return Charge(cap=name, windows=made, attempts=attempts)


def look(**changes: Any) -> Lookup:
    """A question for copies of the sample's text on the main site."""
    usual: dict[str, Any] = {
        "compare": "text", "digest": PRINT.text, "within": 3600.0, "team": None
    }  # fmt: skip
    return Lookup(**(usual | changes))


def asks(
    write: Write, needs: Mapping[str, Any], *others: Mapping[str, Any], remember: bool = True
) -> Reservation:
    """A reservation with its first group and any others."""
    return Reservation(write=write, groups=(needs, *others), remember=remember)


def write(number: int, after: float = 0.0, **changes: Any) -> Write:
    """A write of its own: id, request and instant."""
    return a_write(**({"id": f"w{number}", "request": f"r{number}", "at": NOW + after} | changes))


def charged(reserved: Reserved, rule: str = "cap") -> Charged:
    """What a cap said."""
    answer = reserved.answers[rule]
    assert isinstance(answer, Charged)
    return answer


def posts(reserved: Reserved) -> tuple[Remembered, ...]:
    """The posts that were found."""
    answer = reserved.answers["copies"]
    assert isinstance(answer, Found)
    return answer.posts


def found(reserved: Reserved) -> list[str]:
    """The ids of the posts that were found."""
    return [post.write_id for post in posts(reserved)]


async def take(
    store: Administered, number: int, after: float, needs: Mapping[str, Any]
) -> Reserved:
    """Reserve a write of its own, which SOE takes."""
    reserved = await store.reserve(asks(write(number, after), needs))
    await store.settle(f"w{number}", Settlement(outcome=Outcome.OK))
    return reserved


# ── caps ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_cap_takes_as_many_as_its_limit(store: Administered) -> None:
    """Two fit into two; the third does not, and is told what is used."""
    needs: dict[str, Need] = {"cap": cap("a", (2, 60.0))}
    answers = [charged(await take(store, number, 0, needs)) for number in range(3)]

    assert [answer.accepted for answer in answers] == [True, True, False]
    assert [answer.used for answer in answers] == [1, 2, 2]


async def test_a_cap_says_when_it_has_room_again(store: Administered) -> None:
    """With two a minute, the place of the first is free a minute after it."""
    needs: dict[str, Need] = {"cap": cap("a", (2, 60.0))}
    for number, after in enumerate([0, 15]):
        await take(store, number, after, needs)

    answer = charged(await take(store, 3, 20, needs))

    assert (answer.retry_after, answer.reset) == (40.0, 40.0)


async def test_a_window_is_half_open(store: Administered) -> None:
    """What was charged exactly one window ago counts no more; a moment less ago, it does."""
    needs: dict[str, Need] = {"cap": cap("a", (1, 60.0))}
    await take(store, 1, 0, needs)

    assert not charged(await store.peek(asks(write(2, 59.5), needs))).accepted
    assert charged(await store.peek(asks(write(3, 60), needs))).accepted


async def test_all_windows_of_a_cap_must_have_room(store: Administered) -> None:
    """The one that is used up tells when to come back; nothing is charged meanwhile."""
    needs: dict[str, Need] = {"cap": cap("a", (1, 10.0), (2, 100.0))}
    answers = [
        charged(await take(store, number, after, needs))
        for number, after in enumerate([0, 5, 10, 20, 100])
    ]

    assert [answer.accepted for answer in answers] == [True, False, True, False, True]
    assert [answer.window.limit for answer in answers if not answer.accepted] == [1, 2]
    assert [answer.retry_after for answer in answers] == [0, 5.0, 0, 80.0, 0]


async def test_an_accepted_write_hears_of_the_window_with_the_least_left(
    store: Administered,
) -> None:
    """One of one used is nearer to the edge than one of two."""
    answer = charged(await take(store, 1, 0, {"cap": cap("a", (2, 100.0), (1, 10.0))}))

    assert (answer.window, answer.used) == (Window(limit=1, seconds=10.0), 1)


async def test_a_group_is_charged_whole_or_not_at_all(store: Administered) -> None:
    """One full cap leaves the others as they were, though each answers for itself."""
    await take(store, 1, 0, {"full": cap("full")})
    both = {"full": cap("full"), "free": cap("free")}
    refused = await store.reserve(asks(write(2), both))

    assert (charged(refused, "full").accepted, charged(refused, "free").accepted) == (False, True)
    assert not refused.taken
    assert charged(await take(store, 3, 0, {"free": cap("free")}), "free").accepted


async def test_a_full_observed_cap_stops_nothing(store: Administered) -> None:
    """It tells that it is full; the first group is taken and charged all the same."""
    observed = {"observed": cap("observed")}
    await store.reserve(asks(write(1), {"cap": cap("a", (2, 60.0))}, observed))
    second = await store.reserve(asks(write(2), {"cap": cap("a", (2, 60.0))}, observed))

    assert (second.taken, charged(second, "observed").accepted) == (True, False)
    assert not charged(await take(store, 3, 0, {"cap": cap("a", (2, 60.0))})).accepted


async def test_an_observed_cap_counts_no_write_that_was_refused(store: Administered) -> None:
    """Where the first group is not taken, nothing is charged elsewhere either."""
    await take(store, 1, 0, {"cap": cap()})
    await store.reserve(asks(write(2), {"cap": cap()}, {"observed": cap("observed")}))

    free = await store.peek(asks(write(3), {"observed": cap("observed")}))

    assert charged(free, "observed").accepted


async def test_attempts_count_also_when_refused(store: Administered) -> None:
    """Each try pushes the end of the wait further away, as the wait that is told says."""
    needs: dict[str, Need] = {"cap": cap("a", (2, 60.0), attempts=True)}
    answers = [
        charged(await store.reserve(asks(write(number, after), needs)))
        for number, after in enumerate([0, 10, 20, 30])
    ]

    assert [answer.accepted for answer in answers] == [True, True, False, False]
    assert [answer.retry_after for answer in answers] == [0, 0, 50.0, 50.0]


async def test_an_attempt_is_not_released(store: Administered) -> None:
    """It was made, whatever SOE said."""
    needs: dict[str, Need] = {"cap": cap(attempts=True)}
    await store.reserve(asks(write(1), needs))
    await store.settle("w1", Settlement(outcome=Outcome.REFUSED))

    assert not charged(await store.reserve(asks(write(2), needs))).accepted


async def test_a_write_that_may_not_be_remembered_charges_attempts_alone(
    store: Administered,
) -> None:
    """A rule that needs no state refused it already."""
    needs: dict[str, Need] = {"cap": cap(), "tries": cap("tries", attempts=True)}
    await store.reserve(asks(write(1), needs, remember=False))

    later = await store.peek(asks(write(2), needs | {"copies": look()}))

    assert charged(later, "cap").accepted
    assert not charged(later, "tries").accepted
    assert found(later) == []


# ── posts ────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_about_what_was_there_before(store: Administered) -> None:
    """A write does not find itself; the next one finds it, in flight."""
    first = await store.reserve(asks(write(1), {"copies": look()}))
    second = await store.reserve(asks(write(2), {"copies": look()}))

    assert (found(first), found(second)) == ([], ["w1"])
    assert (posts(second)[0].pending, posts(second)[0].outcome) == (True, None)


async def test_a_kept_post_is_told_with_all_that_is_known(store: Administered) -> None:
    """Who wrote it, where it stands, and when."""
    asked = asks(write(1, person="jane", team="acme", thread="question/7"), {})
    await store.reserve(asked)
    done = Settlement(outcome=Outcome.OK, post="answer/9", url="https://soe.example.com/a/9")
    await store.settle("w1", done)

    (post,) = posts(await store.peek(asks(write(2, 5), {"copies": look(team="acme")})))

    assert (post.at, post.pending, post.outcome) == (NOW, False, Outcome.OK)
    assert (post.post, post.url) == ("answer/9", "https://soe.example.com/a/9")
    assert (post.author, post.integration, post.token) == ("person:jane", "help-bot", "token-1")
    assert (post.operation, post.team, post.thread) == ("question.create", "acme", "question/7")
    assert post.request == "r1"


async def test_an_edit_is_remembered_under_the_post_that_it_changes(store: Administered) -> None:
    """SOE names no new post; the target is the post."""
    await store.reserve(asks(write(1, target="answer/12"), {}))
    await store.settle("w1", Settlement(outcome=Outcome.OK))

    (post,) = posts(await store.peek(asks(write(2), {"copies": look()})))

    assert post.post == "answer/12"


async def test_posts_come_newest_first_and_at_most_sixty_four(store: Administered) -> None:
    """A flood of copies costs no more than 64 to tell."""
    for number in range(70):
        await store.reserve(asks(write(number, number // 2), {}))

    seen = found(await store.peek(asks(write(99, 40), {"copies": look()})))

    assert seen == [f"w{number}" for number in range(69, 5, -1)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, ["w1"]),
        ({"team": "acme"}, ["w2"]),
        ({"across_teams": True}, ["w3", "w2", "w1"]),
        ({"across_teams": True, "author": "person:jane"}, ["w2"]),
        ({"across_teams": True, "within": 8.0}, ["w3", "w2"]),
        ({"across_teams": True, "compare": "event", "digest": PRINT.event}, ["w3", "w2", "w1"]),
        ({"digest": "another"}, []),
    ],
)
async def test_a_lookup_stays_in_its_scope(
    store: Administered, question: dict[str, Any], expected: list[str]
) -> None:
    """Team, author, time and digest narrow what is found; the main site is a scope of its own."""
    await store.reserve(asks(write(1, 0), {}))
    await store.reserve(asks(write(2, 5, team="acme", person="jane"), {}))
    await store.reserve(asks(write(3, 8, team="other"), {}))

    seen = found(await store.peek(asks(write(9, 10), {"copies": look(**question)})))

    assert seen == expected


@pytest.mark.parametrize("changes", [{"publishes": False}, {"fingerprint": None}])
async def test_what_publishes_no_text_is_not_found(
    store: Administered, changes: dict[str, Any]
) -> None:
    """Votes and deletions are charged, and settled, but are no posts."""
    needs: dict[str, Need] = {"cap": cap()}
    await store.reserve(asks(write(1, **changes), needs))

    later = await store.peek(asks(write(2), needs | {"copies": look()}))

    assert found(later) == []
    assert not charged(later).accepted


async def test_an_untaken_write_is_not_remembered(store: Administered) -> None:
    """The gateway refuses it, so it stands in nobody's way."""
    await take(store, 1, 0, {"cap": cap()})
    other = Fingerprint(text="other", event="other", words=9)
    await store.reserve(asks(write(2, fingerprint=other), {"cap": cap()}))

    assert found(await store.peek(asks(write(3), {"copies": look(digest="other")}))) == []


async def test_a_reservation_that_nobody_settles_keeps_itself(store: Administered) -> None:
    """After 60 s it counts as kept, its outcome unknown."""
    needs: dict[str, Need] = {"cap": cap("a", (1, 600.0)), "copies": look()}
    await store.reserve(asks(write(1), needs))
    states = []
    for after in (59.5, 60.0):
        seen = await store.peek(asks(write(2, after), needs))
        (post,) = posts(seen)
        states.append((post.pending, post.outcome, post.overdue, charged(seen).accepted))

    assert states == [(True, None, False, False), (False, Outcome.UNKNOWN, True, False)]


async def test_a_repeat_is_told_of_the_tries_that_nobody_settled(store: Administered) -> None:
    """For these may yet end; of one that ended as `unknown` it is known how it did."""
    needs: dict[str, Need] = {"copies": look()}
    for number in (1, 2):
        await store.reserve(asks(write(number, request="r"), needs))
    await store.settle("w1", Settlement(outcome=Outcome.UNKNOWN))
    early, late = [
        await store.peek(asks(write(3, after, request="r"), needs)) for after in (59.5, 60.0)
    ]

    assert (found(early), early.overdue) == (["w2"], ())
    assert (found(late), late.overdue) == ([], ("w2",))
    assert not posts(await store.peek(asks(write(4, 60), needs)))[1].overdue


# ── settling ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outcome", Outcome)
async def test_what_keeps_and_what_releases_follows_from_the_outcome(
    store: Administered, outcome: Outcome
) -> None:
    """A refused or unsent write leaves neither charge nor post; any other leaves both."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    await store.reserve(asks(write(1), needs))
    await store.settle("w1", Settlement(outcome=outcome))

    later = await store.peek(asks(write(2), needs))

    assert charged(later).accepted is not outcome.keeps
    assert found(later) == (["w1"] if outcome.keeps else [])


@pytest.mark.parametrize(
    ("first", "second"), [(Outcome.OK, Outcome.REFUSED), (Outcome.REFUSED, Outcome.OK)]
)
async def test_settling_twice_is_settling_once(
    store: Administered, first: Outcome, second: Outcome
) -> None:
    """The first word stands."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    await store.reserve(asks(write(1), needs))
    for outcome in (first, second):
        await store.settle("w1", Settlement(outcome=outcome))

    assert found(await store.peek(asks(write(2), needs))) == (["w1"] if first.keeps else [])


async def test_settling_what_nobody_reserved_is_nothing(store: Administered) -> None:
    """As after a reservation that failed."""
    await store.settle("nobody", Settlement(outcome=Outcome.OK))

    assert found(await store.peek(asks(write(1), {"copies": look()}))) == []


# ── the same request again ───────────────────────────────────────────────────────────────────


async def tried(store: Administered, outcome: Outcome, needs: Mapping[str, Any]) -> None:
    """A first try of request `r`, with its end."""
    await store.reserve(asks(write(1, request="r"), needs))
    await store.settle("w1", Settlement(outcome=outcome))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN])
async def test_a_repeat_of_what_may_have_failed_meets_neither_cap_nor_copy(
    store: Administered, outcome: Outcome
) -> None:
    """The same request takes the place of its earlier try."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    await tried(store, outcome, needs)
    again = await store.reserve(asks(write(2, 5, request="r"), needs))
    await store.settle("w2", Settlement(outcome=Outcome.OK))

    later = await store.peek(asks(write(3, 6), needs))

    assert (again.taken, found(again)) == (True, [])
    assert (charged(later).used, found(later)) == (1, ["w2"])


async def test_a_repeat_that_is_released_leaves_its_earlier_try_as_it_was(
    store: Administered,
) -> None:
    """That one may stand on the site; so it goes on counting, and is found."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    await tried(store, Outcome.UNKNOWN, needs)
    await store.reserve(asks(write(2, 5, request="r"), needs))
    await store.settle("w2", Settlement(outcome=Outcome.REFUSED))

    later = await store.peek(asks(write(3, 6), needs))

    assert (charged(later).accepted, found(later)) == (False, ["w1"])


async def test_what_was_written_after_all_is_not_replaced(store: Administered) -> None:
    """SOE took longer than a minute for the first try, and took both: both count."""
    needs: dict[str, Need] = {"cap": cap("a", (9, 600.0)), "copies": look()}
    for number, after in ((1, 0.0), (2, 61.0)):
        await store.reserve(asks(write(number, after, request="r"), needs))
    for number in (1, 2):
        await store.settle(f"w{number}", Settlement(outcome=Outcome.OK))
    later = await store.peek(asks(write(3, 62), needs))

    assert (charged(later).used, found(later)) == (3, ["w2", "w1"])


async def test_a_second_repeat_meets_the_first(store: Administered) -> None:
    """One at a time: a repeat in flight is a copy in flight."""
    needs: dict[str, Need] = {"copies": look()}
    await tried(store, Outcome.UNKNOWN, needs)
    await store.reserve(asks(write(2, 5, request="r"), needs))

    assert found(await store.peek(asks(write(3, 6, request="r"), needs))) == ["w2"]


@pytest.mark.parametrize(
    ("outcome", "request_"), [(Outcome.OK, "r"), (Outcome.UNKNOWN, "other"), (Outcome.UNKNOWN, "")]
)
async def test_only_the_same_request_replaces_and_only_what_may_have_failed(
    store: Administered, outcome: Outcome, request_: str
) -> None:
    """What SOE took stands; and another caller's copy is a copy."""
    needs: dict[str, Need] = {"copies": look()}
    await tried(store, outcome, needs)

    assert found(await store.peek(asks(write(2, 5, request=request_), needs))) == ["w1"]


# ── peeking, time, forgetting, many at once ──────────────────────────────────────────────────


async def test_a_peek_answers_as_reserve_would_and_changes_nothing(store: Administered) -> None:
    """A dry run costs no budget, however often."""
    needs: dict[str, Need] = {"cap": cap(), "tries": cap("tries", attempts=True), "copies": look()}
    peeks = [await store.peek(asks(write(number), needs)) for number in (1, 2)]

    assert peeks[0] == peeks[1] == await store.reserve(asks(write(3), needs))


async def test_a_preview_reserves_nothing(store: Administered) -> None:
    """SOE only validates it, so there is nothing to count."""
    needs: dict[str, Need] = {"cap": cap(), "tries": cap("tries", attempts=True), "copies": look()}
    await store.reserve(asks(write(1, preview=True), needs))

    later = await store.reserve(asks(write(2), needs))

    assert later.taken
    assert found(later) == []


async def test_time_never_runs_back(store: Administered) -> None:
    """A clock that steps back opens no window: entries are stamped in their order."""
    needs: dict[str, Need] = {"cap": cap()}
    await take(store, 1, 30, needs)

    answer = charged(await take(store, 2, -1000, needs))

    assert (answer.accepted, answer.retry_after) == (False, 60.0)


async def test_a_repeat_moves_time_on_too(store: Administered) -> None:
    """It is stamped like any other, though nothing of it is kept."""
    needs: dict[str, Need] = {"cap": cap()}
    await take(store, 1, 0, needs)
    await store.reserve(asks(write(2, 0, key="k"), {}))
    await store.reserve(asks(write(3, 59, key="k"), {}))

    assert charged(await store.peek(asks(write(4, 30), needs))).retry_after == 1.0


async def test_what_is_older_than_it_must_be_kept_is_forgotten(store: Administered) -> None:
    """Expired data goes away by itself, as writes come."""
    await take(store, 1, 0, {"cap": cap("a", (1, 10 * KEEP))})
    for number in range(2, 12):
        await take(store, number, KEEP + number, {"other": cap("other", (100, 60.0))})

    later = await store.peek(
        asks(write(99, KEEP + 99), {"cap": cap("a", (1, 10 * KEEP)),
                                    "copies": look(within=10 * KEEP)})
    )  # fmt: skip

    assert charged(later).accepted
    assert "w1" not in found(later)


async def test_of_many_at_once_each_sees_all_before_it(store: Administered) -> None:
    """The order is total: one of fifty copies meets nobody."""
    reservations = [asks(write(number), {"copies": look()}) for number in range(50)]
    answers = await asyncio.gather(*map(store.reserve, reservations))

    assert sorted(len(found(answer)) for answer in answers) == list(range(50))


async def test_of_many_at_once_a_cap_takes_its_limit(store: Administered) -> None:
    """Ten of two hundred; a place that SOE's refusal frees is used again."""
    numbers = iter(range(200))
    published = []

    async def worker() -> None:
        for number in numbers:
            needs: dict[str, Need] = {"cap": cap("a", (10, 60.0))}
            taken = (await store.reserve(asks(write(number), needs))).taken
            outcome = Outcome.OK if taken and number % 3 else Outcome.REFUSED
            await store.settle(f"w{number}", Settlement(outcome=outcome))
            if outcome is Outcome.OK:
                published.append(number)

    await asyncio.gather(*(worker() for _ in range(8)))

    assert len(published) == 10


# ── repeats ──────────────────────────────────────────────────────────────────────────────────

SEALED = bytes(range(256))


async def keyed(
    store: Administered, number: int, *, after: float = 0.0, request: str = "r"
) -> Repeat | None:
    """Reserve a write under the key `k`, and give what it repeats."""
    asked = asks(write(number, after, key="k", request=request), {"cap": cap("a", (9, 600.0))})
    return (await store.reserve(asked)).repeat


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [
        (None, Repeated.IN_FLIGHT),
        (Settlement(outcome=Outcome.OK, answer=SEALED), Repeated.ANSWERED),
        (Settlement(outcome=Outcome.OK), Repeated.UNKEPT),
        (Settlement(outcome=Outcome.REFUSED, answer=SEALED), Repeated.ANSWERED),
        (Settlement(outcome=Outcome.REFUSED), None),
        (Settlement(outcome=Outcome.FAILED), None),
        (Settlement(outcome=Outcome.UNKNOWN), None),
        (Settlement(outcome=Outcome.NOT_SENT), None),
    ],
)
async def test_a_repeat_under_its_key_meets_what_became_of_the_first(
    store: Administered, settlement: Settlement | None, expected: Repeated | None
) -> None:
    """SOE's final answer is there; what failed, or is unknown, may be sent again."""
    await keyed(store, 1)
    if settlement is not None:
        await store.settle("w1", settlement)

    repeat = await keyed(store, 2)

    assert (repeat and repeat.kind) == expected
    if repeat is not None:
        answer = SEALED if expected is Repeated.ANSWERED else None
        assert (repeat.write_id, repeat.answer) == ("w1", answer)


@pytest.mark.parametrize("outcome", [None, Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN])
async def test_another_request_under_a_key_is_told(
    store: Administered, outcome: Outcome | None
) -> None:
    """Whatever became of the first, for a day."""
    await keyed(store, 1)
    if outcome is not None:
        await store.settle("w1", Settlement(outcome=outcome))
    kinds = [
        repeat and repeat.kind
        for after in (1, 86_399, 86_401)
        for repeat in [await keyed(store, 2, after=after, request="other")]
    ]

    assert kinds == [Repeated.MISMATCH, Repeated.MISMATCH, None]


async def test_a_repeat_is_neither_counted_nor_remembered(store: Administered) -> None:
    """Not even as a try: it is answered before anything is counted."""
    needs: dict[str, Need] = {
        "cap": cap("a", (2, 60.0)), "tries": cap("tries", (2, 60.0), attempts=True)
    }  # fmt: skip
    for number in range(3):
        await store.reserve(asks(write(number, key="k", request="r"), needs))

    later = await store.peek(asks(write(9), needs | {"copies": look()}))

    assert (charged(later).used, charged(later, "tries").used) == (2, 2)
    assert found(later) == ["w0"]


async def test_a_key_of_a_write_that_was_not_taken_is_free(store: Administered) -> None:
    """The gateway refused it, and refusals are not repeated."""
    await take(store, 1, 0, {"cap": cap()})
    refused = await store.reserve(asks(write(2, key="k"), {"cap": cap()}))

    assert not refused.taken
    assert await keyed(store, 3, request="other") is None


async def test_a_repeat_that_is_released_leaves_the_key_to_its_earlier_try(
    store: Administered,
) -> None:
    """Nobody knows whether that one was written, so another request is told, as it was before."""
    for number, outcome in ((1, Outcome.UNKNOWN), (2, Outcome.NOT_SENT)):
        await keyed(store, number)
        await store.settle(f"w{number}", Settlement(outcome=outcome))

    repeat = await keyed(store, 3, request="other")

    assert repeat is not None
    assert repeat.kind is Repeated.MISMATCH


async def test_a_repeat_that_was_not_sent_leaves_no_answer_under_the_key(
    store: Administered,
) -> None:
    """Whatever was told with that ending: the same may be sent once more."""
    for number, outcome in ((1, Outcome.UNKNOWN), (2, Outcome.NOT_SENT)):
        await keyed(store, number)
        await store.settle(
            f"w{number}", Settlement(outcome=outcome, answer=SEALED[: number - 1] or None)
        )

    assert await keyed(store, 3) is None


async def test_an_unsettled_key_is_free_for_its_request_alone_after_a_minute(
    store: Administered,
) -> None:
    """Nobody knows what became of it: the same may be sent once more."""
    await keyed(store, 1)
    kinds = [
        repeat and repeat.kind
        for after, request in ((59.5, "r"), (60.0, "other"), (60.0, "r"))
        for repeat in [await keyed(store, 2, after=after, request=request)]
    ]

    assert kinds == [Repeated.IN_FLIGHT, Repeated.MISMATCH, None]


async def lose_in_settling(store: Administered, settlement: Settlement) -> None:
    """Settle the first write, whose client is gone."""
    await store.settle("w1", replace(settlement, lost=SEALED))


async def lose_afterwards(store: Administered, settlement: Settlement) -> None:
    """Settle it, and then its client goes."""
    await store.settle("w1", settlement)
    await store.keep_answer("w1", SEALED)


either_way = pytest.mark.parametrize("lose", [lose_in_settling, lose_afterwards])
Lose = Callable[[Administered, Settlement], Awaitable[None]]
OK = Settlement(outcome=Outcome.OK)


@either_way
@pytest.mark.parametrize(("after", "given"), [(599.0, True), (601.0, False)])
async def test_a_lost_answer_is_given_to_the_same_request_for_ten_minutes(
    store: Administered, lose: Lose, after: float, given: bool
) -> None:
    """Without any key, once: then its client has it. Another request does not get it."""
    await store.reserve(asks(write(1), {}))
    await lose(store, OK)
    repeats = [
        (await store.reserve(asks(write(number, after, request=request), {}))).repeat
        for number, request in ((2, "other"), (3, "r1"), (4, "r1"))
    ]

    answered = Repeat(kind=Repeated.ANSWERED, write_id="w1", answer=SEALED)
    assert repeats == [None, answered if given else None, None]


async def test_an_answer_that_is_lost_again_is_kept_again(store: Administered) -> None:
    """The repeat's client left as well."""
    await take(store, 1, 0, {})
    kinds = []
    for number in (2, 3):
        await store.keep_answer("w1", SEALED)
        repeat = (await store.reserve(asks(write(number, 5, request="r1"), {}))).repeat
        kinds.append(repeat and repeat.kind)

    assert kinds == [Repeated.ANSWERED] * 2


async def test_a_repeat_meets_its_write_in_flight_or_the_answer_and_nothing_between(
    store: Administered,
) -> None:
    """It comes while its write is settled: never to a post that stands there without an answer."""
    needs: dict[str, Need] = {"copies": look()}
    await store.reserve(asks(write(1, request="r"), needs))
    before, _, after = await asyncio.gather(
        store.reserve(asks(write(2, request="r"), needs)),
        lose_in_settling(store, OK),
        store.reserve(asks(write(3, request="r"), needs)),
    )

    assert [(post.write_id, post.outcome) for post in posts(before)] == [("w1", None)]
    assert after.repeat == Repeat(kind=Repeated.ANSWERED, write_id="w1", answer=SEALED)


async def test_an_answer_is_lost_with_the_first_settling_alone(store: Administered) -> None:
    """Settling twice is settling once: of what a client has, no repeat is given."""
    await take(store, 1, 0, {})
    await lose_in_settling(store, OK)

    assert (await store.reserve(asks(write(2, request="r1"), {}))).repeat is None


async def test_under_a_key_a_lost_answer_is_given_as_often_as_it_is_asked_for(
    store: Administered,
) -> None:
    """It is kept under the key, and for the request without it."""
    await keyed(store, 1)
    await lose_in_settling(store, replace(OK, answer=SEALED))
    kinds = [repeat and repeat.kind for n in (2, 3) for repeat in [await keyed(store, n)]]

    assert kinds == [Repeated.ANSWERED] * 2


@either_way
@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
async def test_only_what_was_written_has_an_answer_to_lose(
    store: Administered, lose: Lose, outcome: Outcome
) -> None:
    """Else a repeat would be told that it stands there."""
    await store.reserve(asks(write(1, request="r"), {}))
    await lose(store, Settlement(outcome=outcome))

    assert (await store.reserve(asks(write(2, request="r"), {}))).repeat is None


@either_way
async def test_what_has_no_digest_of_its_request_repeats_nothing(
    store: Administered, lose: Lose
) -> None:
    """Else the lost answer to one would be given to any other."""
    await store.reserve(asks(write(1, request=""), {}))
    await lose(store, OK)

    assert (await store.reserve(asks(write(2, request=""), {}))).repeat is None


# ── operators ────────────────────────────────────────────────────────────────────────────────


def published(number: int, **changes: Any) -> Published:
    """A question that stands on the site."""
    usual: dict[str, Any] = {
        "post": f"question/{number}", "author": "person:7", "operation": "question.create",
        "team": None, "thread": None, "url": f"https://soe.example.com/q/{number}",
        "fingerprint": PRINT,
    }  # fmt: skip
    return Published(**(usual | changes))


async def test_a_post_can_be_forgotten(store: Administered) -> None:
    """All its versions, whether it came through or was seeded; its charges stay."""
    needs: dict[str, Need] = {"cap": cap()}
    await store.reserve(asks(write(1), needs))
    await store.settle("w1", Settlement(outcome=Outcome.OK, post="question/1"))
    await take_edit(store)
    await store.remember([published(1), published(2)], NOW)

    assert (await store.forget("question/1"), await store.forget("question/1")) == (3, 0)
    later = await store.peek(asks(write(9), needs | {"copies": look()}))
    assert (len(found(later)), charged(later).accepted) == (1, False)


async def take_edit(store: Administered) -> None:
    """An edit of `question/1`."""
    await store.reserve(asks(write(2, target="question/1"), {}))
    await store.settle("w2", Settlement(outcome=Outcome.OK))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(None, True), (Outcome.UNKNOWN, True), (Outcome.FAILED, True), (Outcome.OK, False)],
)
async def test_what_is_not_known_to_be_written_can_be_released(
    store: Administered, outcome: Outcome | None, expected: bool
) -> None:
    """Its charge, its post and its key are free; what SOE took stays."""
    needs: dict[str, Need] = {"cap": cap(), "copies": look()}
    await store.reserve(asks(write(1, key="k"), needs))
    if outcome is not None:
        await store.settle("w1", Settlement(outcome=outcome))

    assert await store.release("w1") is expected
    later = await store.peek(asks(write(2), needs))
    assert charged(later).accepted is expected
    assert found(later) == ([] if expected else ["w1"])
    assert not await store.release("nobody")


async def test_an_operator_frees_the_key_of_a_repeat_too(store: Administered) -> None:
    """Of its earlier try as well, which the operator may release or not."""
    await keyed(store, 1)
    await store.settle("w1", Settlement(outcome=Outcome.UNKNOWN))
    await keyed(store, 2)

    assert await store.release("w2")
    assert await keyed(store, 3, request="other") is None


async def test_a_cap_can_be_reset(store: Administered) -> None:
    """All counters of a rule, or those of one integration; the posts stay."""
    names = ("rule|integration=a", "rule|integration=b", "ruler|integration=a")
    for number, name in enumerate(names):
        await take(store, number, 0, {"cap": cap(name)})
    counts = [await store.reset(name) for name in ("rule|integration=a", "rule", "rule", "r")]
    free = [charged(await store.peek(asks(write(9), {"cap": cap(n)}))).accepted for n in names]

    assert counts == [1, 1, 0, 0]
    assert free == [True, True, False]
    assert len(found(await store.peek(asks(write(9), {"copies": look()})))) == 3


async def test_a_counter_that_counts_nothing_any_more_is_none_to_reset(
    store: Administered,
) -> None:
    """What was released left no trace, so the operator is told that there was no such counter."""
    await store.reserve(asks(write(1), {"cap": cap("rule|integration=a")}))
    await store.settle("w1", Settlement(outcome=Outcome.REFUSED))

    assert await store.reset("rule") == 0


async def test_where_nothing_was_lost_there_is_nothing_to_accept(store: Administered) -> None:
    """And what was there is there still."""
    await take(store, 1, 0, {"cap": cap()})

    assert not await store.accept_loss()
    assert not charged(await store.peek(asks(write(2), {"cap": cap()}))).accepted


async def test_the_fullest_counters_of_caps_are_told(store: Administered) -> None:
    """Of each rule and window its own, the fullest first; of no other rule, and nothing empty."""
    named = ("rule|integration=a", "rule|integration=b", "ruler|integration=a", "other|tag=x|y=")
    for number, name in enumerate((*named, named[1])):
        await take(store, number, number * 10, {"cap": cap(name, (9, 60.0))})
    asked = [("rule", 60.0), ("rule", 25.0), ("other", 60.0), ("rul", 60.0)]
    told = await store.counters(asked, NOW + 40)

    assert told == [
        (Counted(cap=named[1], used=2), Counted(cap=named[0], used=1)),
        (Counted(cap=named[1], used=1),),
        (Counted(cap=named[3], used=1),),
        (),
    ]


async def test_of_many_counters_the_fullest_are_told(store: Administered) -> None:
    """20 at most, those that counted most."""
    for number in range(24):
        await take(
            store, number, 0, {"cap": cap(f"rule|integration={min(number, 21):02}", (9, 60.0))}
        )
    [told] = await store.counters([("rule", 60.0)], NOW)

    assert [each.used for each in told] == [3] + [1] * 19
