"""How earlier posts lie in Redis: always found where they are equal, near ones not hidden by a flood."""

from __future__ import annotations

import random
from array import array
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest

from gateway.model import (
    Fingerprint,
    Found,
    Lookup,
    Outcome,
    Published,
    Remembered,
    Reservation,
    Settlement,
    Write,
)
from gateway.state import Terms
from gateway.state.prints import REMEMBERED
from gateway.state.redis import RedisStore
from tests.patience import PATIENCE
from tests.samples import a_write
from tests.servers import Valkey

NOW = 1_795_000_000.0
KEEP = 86_400.0
OK = Settlement(outcome=Outcome.OK)
NOT_SENT = Settlement(outcome=Outcome.NOT_SENT)
SITE = "{soe-gateway}"


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[RedisStore]:
    """An empty store, which takes its instants from the writes."""
    valkey.ask("FLUSHALL")
    opened = RedisStore(
        valkey.url, Terms(keep=KEEP, timeout=PATIENCE, accept_loss=True), stamped=True
    )
    yield opened
    await opened.close()


def some(seed: int, size: int = 20) -> list[int]:
    """The prints of some text."""
    chance = random.Random(seed)
    return [chance.getrandbits(32) for _ in range(size)]


def printed(name: str, prints: Iterable[int] = ()) -> Fingerprint:
    """The fingerprint of a text of this name."""
    return Fingerprint(
        text=name,
        event=name,
        words=9,
        prints=array("I", sorted(prints)).tobytes(),
        sketch=b"\xff\0",
    )


def post(number: int, fingerprint: Fingerprint, after: float = 0.0, **changes: Any) -> Write:
    """A write of its own."""
    usual = {"id": f"w{number}", "request": f"r{number}", "at": NOW + after}
    return a_write(**(usual | {"fingerprint": fingerprint} | changes))


def looking(write: Write, **changes: Any) -> Reservation:
    """A reservation with a look-up for copies and near-copies."""
    assert write.fingerprint is not None
    usual: dict[str, Any] = {
        "compare": "text", "digest": write.fingerprint.text, "within": KEEP, "team": None,
        "near": True,
    }  # fmt: skip
    return Reservation(write=write, groups=({"copies": Lookup(**(usual | changes))},))


async def keep(store: RedisStore, write: Write, ends: Settlement | None = OK) -> None:
    """Reserve a write, and end it."""
    await store.reserve(looking(write))
    if ends is not None:
        await store.settle(write.id, ends)


async def finds(store: RedisStore, write: Write, **changes: Any) -> list[Remembered]:
    """What a write would find."""
    answer = (await store.peek(looking(write, **changes))).answers["copies"]
    assert isinstance(answer, Found)
    return list(answer.posts)


def ids(posts: Iterable[Remembered]) -> list[str]:
    """Whose posts these are."""
    return [each.write_id for each in posts]


# ── equal posts ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("copies", [31, 32, 33, 100])
async def test_however_many_equal_posts_there_are_each_is_found(
    store: RedisStore, copies: int
) -> None:
    """They leave their row when they are many, and nobody's is lost for it."""
    for number in range(copies):
        await keep(store, post(number, printed("x"), number, person=f"p{number}"))
    newest = ids(await finds(store, post(999, printed("x"), 999)))
    alone = [
        ids(await finds(store, post(999, printed("x"), 999), author=f"person:p{number}"))
        for number in range(copies)
    ]

    assert newest == [f"w{number}" for number in reversed(range(copies))][:64]
    assert alone == [[f"w{number}"] for number in range(copies)]


async def test_of_very_many_equal_posts_the_released_are_gone(store: RedisStore) -> None:
    """Also when they stand no longer in a row."""
    for number in range(50):
        await keep(store, post(number, printed("x"), number), ends=None)
    for number in range(0, 50, 2):
        await store.settle(f"w{number}", NOT_SENT)

    seen = ids(await finds(store, post(999, printed("x"), 55)))
    assert seen == [f"w{number}" for number in range(49, 0, -2)]


async def test_equal_posts_expire_wherever_they_stand(store: RedisStore) -> None:
    """What is older than it is kept is found no more, in the row or beside it."""
    await keep(store, post(99, printed("y")))
    for number in range(40):
        await keep(store, post(number, printed("x"), number))

    assert ids(await finds(store, post(999, printed("x"), KEEP + 38))) == ["w39"]
    assert ids(await finds(store, post(999, printed("y"), KEEP + 38))) == []


async def test_two_digests_that_begin_alike_are_two(store: RedisStore) -> None:
    """They stand under one mark; the whole digest tells."""
    one, other = ("00" * 4 + "11" * 12), ("00" * 4 + "22" * 12)
    for number in range(40):
        await keep(store, post(number, printed(one if number % 2 else other), number))

    assert ids(await finds(store, post(999, printed(one), 99)))[:2] == ["w39", "w37"]
    assert len(await finds(store, post(999, printed(other), 99))) == 20


# ── near ones ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ends", [NOT_SENT, Settlement(outcome=Outcome.NOT_SENT, template=True)])
@pytest.mark.parametrize("at_once", [1, 200])
async def test_no_flood_of_refused_copies_hides_their_original(
    store: RedisStore, ends: Settlement, at_once: int
) -> None:
    """One after the other or many at once, and whether their texts are remembered or not."""
    text = some(1)
    await store.remember([published(printed("original", text))], NOW)
    for number in range(400):
        copy = printed(f"t{number}", [*text[:16], *some(number + 10, 4)])
        await keep(store, post(number, copy, 1), ends=None)
        if number % at_once == at_once - 1:
            for done in range(number - at_once + 1, number + 1):
                await store.settle(f"w{done}", ends)

    found = await finds(store, post(999, printed("y", [*text[:16], *some(5, 4)]), 2))
    assert "question/11" in [each.post for each in found]


async def test_of_a_flood_of_one_text_the_newest_are_kept(store: RedisStore) -> None:
    """It takes no more memory than that, and what stands on the site is found beside them."""
    await keep(store, post(0, printed("x", some(1))))
    for number in range(1, 300):
        write = post(number, printed("x" if number % 2 else f"t{number}", some(1)), number)
        assert write.fingerprint is not None
        refused = replace(write, fingerprint=replace(write.fingerprint, event="x"))
        await keep(store, refused, Settlement(outcome=Outcome.NOT_SENT, template=True))
    asked = post(999, printed("x", some(1)), 400)
    found = ids(await finds(store, asked, compare="event"))
    kept = await store._scripts.run("posts", 1) + await store._scripts.run("posts", 2)

    assert found[:60] == ["w0", *(f"w{number}" for number in range(299, 240, -1))]
    assert "w0" in ids(await finds(store, post(999, printed("y", some(1)), 400)))
    assert len(list(filter(None, kept))) <= 66


def published(fingerprint: Fingerprint) -> Published:
    """A question that stands on the site."""
    return Published(
        post="question/11",
        author="person:7",
        operation="question.create",
        team=None,
        thread=None,
        url="https://soe.example.com/questions/11",
        fingerprint=fingerprint,
    )


async def test_what_is_released_leaves_no_entry(valkey: Valkey, store: RedisStore) -> None:
    """So it takes nobody's place, under its own team's prints or all teams'."""
    write = post(1, printed("x", some(1)), team="red")
    await store.reserve(looking(write, team="red", across_teams=True))
    before = len(rows(valkey))
    await store.settle("w1", NOT_SENT)

    assert before > 16
    assert rows(valkey) == []


def rows(valkey: Valkey) -> list[bytes]:
    """The lengths of the rows that there are."""
    asked = """local lengths = {}
    for _, row in ipairs(redis.call('HVALS', KEYS[1])) do lengths[#lengths + 1] = #row end
    return lengths"""
    return valkey.ask("EVAL", asked, "1", f"{SITE}:rows").split(b"\r\n")[1:-1]


async def test_rows_lose_what_is_gone(valkey: Valkey, store: RedisStore) -> None:
    """Entries of lists that expired are cut off where a row is next written."""
    text = some(1)
    await keep(store, post(1, printed("a", text)))
    valkey.ask("DEL", f"{SITE}:posts:1")  # as it expires
    await keep(store, post(2, printed("b", text), KEEP))

    assert ids(await finds(store, post(3, printed("c", text), KEEP + 1))) == ["w2"]
    assert rows(valkey).count(b":6") == len(text[:REMEMBERED]) + 4


async def test_posts_lie_in_lists_that_go_away_as_a_whole(
    valkey: Valkey, store: RedisStore
) -> None:
    """A list takes 128, or those of a sixteenth of the time that they are kept."""
    for number in range(130):
        await keep(store, post(number, printed(f"t{number}")))
    await keep(store, post(200, printed("later"), KEEP / 16 + 1))
    lengths = [valkey.ask("LLEN", f"{SITE}:posts:{block}") for block in (1, 2, 3, 4)]

    assert lengths == [b":128\r\n", b":2\r\n", b":1\r\n", b":0\r\n"]
    assert b":-1" not in valkey.ask("TTL", f"{SITE}:posts:1")


async def test_lists_stay_packed(valkey: Valkey, store: RedisStore) -> None:
    """With the server's own settings: else each post would take a hundred bytes more."""
    for number in range(40):
        await keep(store, post(number, printed(f"t{number}", some(number))))
    encodings = {valkey.ask("OBJECT", "ENCODING", f"{SITE}:posts:1")}

    assert encodings <= {b"$9\r\nquicklist\r\n", b"$8\r\nlistpack\r\n"}


# ── after a loss ─────────────────────────────────────────────────────────────────────────────────


async def test_prints_and_sketches_are_put_back(valkey: Valkey, store: RedisStore) -> None:
    """So near-copies of what this process wrote are found after a loss, across teams too."""
    for number, team in ((1, None), (2, "red")):
        write = post(number, printed(f"t{number}", some(number)), number, team=team)
        await store.reserve(looking(write, team=team, across_teams=True))
    await store.settle("w1", Settlement(outcome=Outcome.OK, post="question/1"))
    await keep(
        store,
        post(3, printed("t3", some(3)), 3),
        Settlement(outcome=Outcome.NOT_SENT, template=True),
    )
    valkey.ask("FLUSHALL")
    asked = [post(9, printed("y", some(number)), 5) for number in (1, 2, 3)]
    here = [await finds(store, each) for each in asked]
    across = await finds(store, asked[1], across_teams=True)

    told = [[(each.write_id, each.outcome, each.post) for each in found] for found in here]
    assert told == [[("w1", Outcome.OK, "question/1")], [], [("w3", Outcome.REFUSED, None)]]
    assert [(each.write_id, each.pending, each.team) for each in across] == [("w2", True, "red")]
    assert here[0][0].sketch == b"\xff\0"


async def test_that_a_text_was_refused_is_put_back(valkey: Valkey, store: RedisStore) -> None:
    """A replica that knew the write in flight alone learns how it ended."""
    await keep(store, post(1, printed("x")), ends=None)
    valkey.copy(0, 1)
    await store.settle("w1", Settlement(outcome=Outcome.NOT_SENT, template=True))
    valkey.copy(1, 0)

    (found,) = await finds(store, post(2, printed("x"), 1))
    assert (found.pending, found.outcome) == (False, Outcome.REFUSED)


async def test_forgetting_takes_the_sketch_too(valkey: Valkey, store: RedisStore) -> None:
    """Nothing of the text stays, in no version."""
    write = post(1, replace(printed("x", some(1)), sketch=b"the text's own sketch"))
    await keep(store, write, Settlement(outcome=Outcome.OK, post="question/1"))
    forgotten = await store.forget("question/1")
    left = valkey.ask("LRANGE", f"{SITE}:posts:1", "0", "-1")

    assert (forgotten, b"sketch" in left) == (1, False)
