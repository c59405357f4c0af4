"""What waits for a person is decided once and used once, over every engine and all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import Approver, Outcome, Post, Violation
from gateway.ports import Administered
from gateway.proxy.hold import Hold, Objection, Status, Visitor
from gateway.proxy.holds import Holds
from gateway.seal import Seal
from gateway.state import Terms, open_store
from gateway.state.redis import RedisStore
from tests.contract.conftest import KEEP, emptied
from tests.holding import BOT, JANE, OTHER, PERSON, a_rule, counted, held, holds_over, opened
from tests.patience import PATIENCE
from tests.proxy.rig import Ticking
from tests.samples import a_write

TERMS = Terms(keep=KEEP, timeout=PATIENCE)
Replicas = tuple[Holds, Holds]


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def replicas(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Ticking
) -> AsyncIterator[Replicas]:
    """Two gateways over one state of each engine; in memory there is but one process."""
    stores: list[Administered]
    if request.param == "redis":
        server = request.getfixturevalue("valkey")
        stores = [await emptied(server), RedisStore(server.url, TERMS, stamped=True)]
    elif request.param == "sqlite":
        stores = [open_store(f"sqlite:///{tmp_path / 'state.db'}", TERMS) for _ in range(2)]
    else:
        stores = [open_store("memory:", TERMS)] * 2
    yield holds_over(stores[0], clock), holds_over(stores[1], clock)
    for store in dict.fromkeys(stores):
        await store.close()


async def confirmed(holds: Holds, *approvers: str) -> Hold:
    """A hold that Jane has confirmed."""
    rules = [a_rule(f"r{n}", approver=each) for n, each in enumerate(approvers or ("person",))]
    hold = await opened(holds, a_write(), *rules)
    answered = await holds.confirm(hold.id, JANE)
    assert answered.done
    return hold


async def test_of_many_requests_at_once_one_passes_by_a_confirmation(replicas: Replicas) -> None:
    """Whichever replica they come to."""
    await confirmed(replicas[0])
    taken = await asyncio.gather(
        *(replicas[n % 2].take(a_write(id=f"w{n}"), [a_rule("r0")]) for n in range(10))
    )

    assert [each is not None for each in taken].count(True) == 1


async def test_of_two_decisions_at_once_one_counts(replicas: Replicas) -> None:
    """The other is told how it stands; both see the same."""
    one, other = replicas
    hold = await opened(one, a_write())
    answers = await asyncio.gather(
        one.confirm(hold.id, JANE),
        other.decline(hold.id, JANE),
        other.confirm(hold.id, JANE),
        one.decline(hold.id, JANE),
    )

    now = await other.get(hold.id)
    assert now is not None
    assert [each.done for each in answers].count(True) == 1
    assert {each.hold.status for each in answers if each.hold} == {now.status}


async def test_the_same_request_is_held_once(replicas: Replicas) -> None:
    """However often it comes, and wherever."""
    found = await asyncio.gather(*(opened(replicas[n % 2], a_write(id=f"w{n}")) for n in range(6)))
    again = await opened(replicas[0], a_write(id="w9"))

    names = await replicas[0].store.notes.names("hold/", 100, 0.0)
    assert {each.id for each in (*found, again)} == {names[0].removeprefix("hold/")}
    assert len(names) == 1


@pytest.mark.parametrize(
    ("outcomes", "passes"),
    [
        ([Outcome.OK], False),
        ([Outcome.REFUSED], True),
        ([Outcome.NOT_SENT, Outcome.REFUSED, Outcome.OK], False),
        ([Outcome.UNKNOWN], True),
        ([Outcome.FAILED], True),
        ([Outcome.UNKNOWN, Outcome.UNKNOWN], False),
        ([Outcome.UNKNOWN, Outcome.OK], False),
        ([Outcome.UNKNOWN, Outcome.REFUSED], True),
        ([Outcome.UNKNOWN, Outcome.REFUSED, Outcome.UNKNOWN], False),
    ],
)
async def test_a_confirmation_passes_one_post(
    replicas: Replicas, outcomes: list[Outcome], passes: bool
) -> None:
    """What did not happen gives it back; of what nobody knows there may be two, and no third."""
    holds = replicas[0]
    await confirmed(holds)
    for number, outcome in enumerate(outcomes):
        taken = await holds.take(a_write(id=f"w{number}"), [a_rule("r0")])
        assert taken is not None
        assert await holds.take(a_write(id="between"), [a_rule("r0")]) is None
        await holds.ended(taken, outcome)

    assert (await replicas[1].take(a_write(id="next"), [a_rule("r0")]) is not None) is passes


async def test_a_hold_that_was_used_is_not_used_by_another_request(replicas: Replicas) -> None:
    """It is bound to caller, token, target and body: to the digest of all that."""
    holds = replicas[0]
    hold = await confirmed(holds)
    other = a_write(request="r2")
    await holds.store.notes.put(
        "held/r2", hold.id.encode(), other.at, until=other.at + 99, expected=None
    )

    assert await holds.take(other, [a_rule("r0")]) is None


async def test_consent_covers_the_rules_that_the_page_named(replicas: Replicas) -> None:
    """Where they still ask the same person."""
    holds = replicas[0]
    await confirmed(holds, "person", "owner", "link")
    now = [
        a_rule("r0"),
        a_rule("r1", approver="person"),
        a_rule("r2", approver="link"),
        a_rule("new"),
    ]
    taken = await holds.take(a_write(id="w2"), now)

    assert taken is not None
    assert taken.confirmed.rules == {"r0", "r2"}
    assert (taken.confirmed.hold, taken.confirmed.known) == ("w1", Approver.PERSON)


@pytest.mark.parametrize("visitor", [OTHER, Visitor()])
async def test_who_may_not_decide_changes_nothing(replicas: Replicas, visitor: Visitor) -> None:
    """It stays open, with its text."""
    holds = replicas[0]
    hold = await opened(holds, a_write())
    answers = [await holds.confirm(hold.id, visitor), await holds.decline(hold.id, visitor)]

    wanted = Objection.NOT_THE_PERSON if visitor.signed_in else Objection.SIGN_IN
    assert [(each.done, each.objection) for each in answers] == [(False, wanted)] * 2
    assert await holds.get(hold.id) == hold
    assert await holds.text(hold) is not None


async def test_the_text_is_kept_until_it_is_decided(replicas: Replicas) -> None:
    """However long, and with what is no character; then it is gone at once."""
    one, other = replicas
    post = Post(title="T", body="\U0001f600" * 90_000 + "\ud800", tags=("a", "b"))
    kept = await opened(one, a_write(post=post))
    seen = await other.text(kept)
    await one.decline(kept.id, JANE)

    assert seen == replace(post, body=post.body.replace("\ud800", "?"))
    assert await one.text(kept) is None
    assert await one.store.notes.names("hold-text/", 100, 0.0) == []


async def test_state_shows_nobody_text_or_names(replicas: Replicas) -> None:
    """All of it is sealed, and what another key sealed is as absent."""
    holds = replicas[0]
    hold = await opened(holds, a_write(post=Post(title="PLANTED", body="PLANTED")))
    notes = holds.store.notes
    names = await notes.names("", 100, 0.0)
    values = [await notes.get(name, 0.0) for name in names]

    assert len(names) == 3
    for told in (b"PLANTED", b"jane", b"Jane", b"it@example.com", b"help-bot"):
        assert not [each for each in values if told in (each or b"")]
    assert await replace(holds, seal=Seal(b"x" * 32)).get(hold.id) is None


async def test_an_integration_holds_so_many_at_a_time(replicas: Replicas, clock: Ticking) -> None:
    """Others are not concerned; trying puts nobody off; and time makes room."""
    one, other = (replace(each, per_integration=3) for each in replicas)
    for number in range(3):
        await opened(one, a_write(request=f"r{number}"))
    more = a_write(request="r9")
    refusals = [
        await each.open(more, held(a_rule()), [a_rule()], integration=BOT, person=PERSON)
        for each in (one, other, one)
    ]
    await opened(one, a_write(request="r8", integration="another-bot"))
    clock.at += 900.0
    later = await opened(one, a_write(request="r9", at=clock.at))

    for each in refusals:
        assert isinstance(each, Violation)
        assert (each.code, each.status) == ("too_many_holds", 429)
        assert each.retry_after == pytest.approx(900.0)
    assert later.status is Status.OPEN


async def test_what_nobody_decides_expires(replicas: Replicas, clock: Ticking) -> None:
    """Nobody can confirm it then; it is counted once, by whichever replica looks first."""
    one, other = replicas
    hold = await opened(one, a_write())
    clock.at += 900.0
    seen = await one.get(hold.id)
    answered = await other.confirm(hold.id, JANE)
    await asyncio.gather(one.expire(), other.expire(), one.expire())

    assert seen is not None
    assert seen.status is Status.EXPIRED
    assert not answered.done
    assert answered.hold is not None
    assert answered.hold.status is Status.EXPIRED
    assert await one.text(hold) is None
    assert counted(one)("expired") + counted(other)("expired") == 1
    assert (await opened(one, a_write(at=clock.at))).id != hold.id


async def test_those_that_are_open_are_counted(replicas: Replicas, clock: Ticking) -> None:
    """Not what is decided, nor what expires at that look."""
    one, other = replicas
    await opened(one, a_write(id="w1", request="r1"))
    decided = await opened(one, a_write(id="w2", request="r2"))
    assert (await one.decline(decided.id, JANE)).done
    clock.at += 500.0
    await opened(other, a_write(id="w3", request="r3", at=clock.at))
    both = await one.expire()
    clock.at += 500.0

    assert both == 2
    assert await one.expire() == 1
    assert await other.expire() == 1


async def test_a_confirmation_lasts_as_long_again(replicas: Replicas, clock: Ticking) -> None:
    """Whoever confirms in the last second leaves minutes for the request."""
    holds = replicas[0]
    hold = await opened(holds, a_write())
    clock.at += 899.0
    assert (await holds.confirm(hold.id, JANE)).done
    clock.at += 899.0
    in_time = await holds.take(a_write(id="w2", at=clock.at), [a_rule()])
    assert in_time is not None
    await holds.ended(in_time, Outcome.REFUSED)
    clock.at += 1.0

    assert await holds.take(a_write(id="w3", at=clock.at), [a_rule()]) is None
    await holds.expire()
    now = await holds.get(hold.id)
    assert now is not None
    assert now.status is Status.EXPIRED


@pytest.mark.parametrize(
    "later",
    [
        [a_rule("r0"), a_rule("r1")],
        [a_rule("r0", approver="owner")],
    ],
)
async def test_who_asks_more_gets_another_hold(replicas: Replicas, later: list[object]) -> None:
    """The old link leads nowhere any more, and what it confirmed is not enough."""
    holds = replicas[0]
    old = await opened(holds, a_write(), a_rule("r0"))
    new = await opened(holds, a_write(), *later)  # type: ignore[arg-type]  # rules all the same

    assert new.id != old.id
    assert await holds.get(old.id) is None
    assert [each.rule for each in new.rules] == [each.id for each in later]  # type: ignore[attr-defined]


async def test_who_acts_is_told_as_soon_as_it_is_known(replicas: Replicas) -> None:
    """A hold that nobody could decide is no longer the one."""
    holds = replicas[0]
    unknown = await opened(holds, a_write(), person=None)
    known = await opened(holds, a_write(), person=PERSON)
    again = await opened(holds, a_write(), person=None)

    assert (await holds.confirm(unknown.id, JANE)).hold is None
    assert again.id == known.id
    assert (await holds.confirm(known.id, JANE)).done


async def test_a_request_that_is_on_its_way_opens_no_second_hold(replicas: Replicas) -> None:
    """It is told to wait; later, that it needs another confirmation."""
    holds = replicas[0]
    hold = await confirmed(holds)
    taken = await holds.take(a_write(id="w2"), [a_rule("r0")])
    assert taken is not None
    meanwhile = await holds.open(
        a_write(id="w3"), held(a_rule("r0")), [a_rule("r0")], integration=BOT, person=PERSON
    )
    await holds.ended(taken, Outcome.OK)
    after = await opened(holds, a_write(id="w4"), a_rule("r0"))

    assert isinstance(meanwhile, Violation)
    assert meanwhile.code == "request_in_flight"
    assert after.id != hold.id


@pytest.mark.parametrize("name", ["", "../held/r1", "g" * 32, "0" * 31, "0" * 5000])
async def test_what_is_no_id_is_no_hold(replicas: Replicas, name: str) -> None:
    """Whatever stands in an address."""
    assert await replicas[0].get(name) is None
    assert (await replicas[0].confirm(name, JANE)).hold is None


async def test_what_was_done_is_counted(replicas: Replicas) -> None:
    """Each way a hold can go, once."""
    holds = replicas[0]
    await confirmed(holds)
    for outcome in (Outcome.REFUSED, Outcome.OK):
        taken = await holds.take(a_write(), [a_rule("r0")])
        assert taken is not None
        await holds.ended(taken, outcome)
    declined = await opened(holds, a_write(request="r2"))
    await holds.decline(declined.id, JANE)

    count = counted(holds)
    figures = {each.value: count(each.value) for each in Status}
    assert figures == {"open": 2, "confirmed": 1, "used": 1, "declined": 1, "expired": 0}


async def test_decisions_are_recorded_without_names(replicas: Replicas) -> None:
    """As whom he is known; of which write; never the link, and nobody where nobody is to stand."""
    holds = replicas[0]
    hold = await confirmed(holds)
    lines = b"".join(holds.audit.lines)  # type: ignore[attr-defined]  # a log in memory
    [told] = holds.audit.records()  # type: ignore[attr-defined]

    assert (told["kind"], told["event"], told["hold"]) == ("admin", "hold.confirmed", "w1")
    assert (told["known"], told["by"]) == ("person", "")
    assert hold.id.encode() not in lines
    assert b"xample.com" not in lines


async def test_state_that_is_away_says_so(tmp_path: Path, clock: Ticking) -> None:
    """Nothing is confirmed or taken; who asks is told."""
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}", TERMS)
    holds = holds_over(store, clock)
    hold = await opened(holds, a_write())
    await store.close()

    for call in (
        holds.get(hold.id),
        holds.confirm(hold.id, JANE),
        holds.take(a_write(), [a_rule()]),
        holds.open(a_write(), held(a_rule()), [a_rule()], integration=None, person=None),
    ):
        with pytest.raises(StoreError):
            await call
