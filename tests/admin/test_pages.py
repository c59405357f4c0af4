"""The console's other pages: the last day, policies, caps, holds, and what they say without records."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.caps import CapsPage
from gateway.admin.charts import HEIGHT, HOURS, WIDTH, by_hour, scale
from gateway.admin.feed import Feed
from gateway.admin.followed import DAY, Followed
from gateway.admin.held import Held
from gateway.admin.integrations import Integrations
from gateway.admin.overview import Overview
from gateway.admin.rules import PoliciesPage, changes
from gateway.admin.visit import Visit
from gateway.admin.wording import in_words, sentence
from gateway.audit.index.entries import Deed, Hour, Place
from gateway.checks.rate_cap import RateCap
from gateway.errors import AuditError, RequestError
from gateway.model import Charge, Outcome, Reservation, Settlement, Window
from gateway.policy.policyset import PolicySet, Waiver
from gateway.policy.registry import Integration
from gateway.state.memory import MemoryStore
from tests.admin.rig import OPERATOR, VIEWER, Recorded, drawn, following, shipped, show, switches
from tests.audit.written import Writer, decision
from tests.holding import holds_over, opened
from tests.patience import PATIENCE
from tests.proxy.rig import Ticking
from tests.samples import a_write

EFFECTS = ("allow", "hold", "refuse")


# ── charts ───────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(
        st.builds(
            Hour,
            at=st.integers(0, HOURS - 1).map(lambda n: n * 3600.0),
            integration=st.sampled_from("ab"),
            effect=st.sampled_from(EFFECTS),
            writes=st.integers(1, 10**7),
        )
    )
)
def test_a_chart_shows_all_writes_and_nothing_outside(hours: list[Hour]) -> None:
    """The table has every write once; bars lie within the picture, on each other, in proportion."""
    chart = by_hour(hours, 0.0)
    sums = {effect: sum(h.writes for h in hours if h.effect == effect) for effect in EFFECTS}

    assert [sum(row.writes[n] for row in chart.rows) for n in range(3)] == [*sums.values()]
    assert len(chart.rows) == HOURS
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT
        assert bar.height > 0
    assert sum(bar.height for bar in chart.bars) == pytest.approx(
        (chart.lines[0][0] - chart.lines[-1][0]) * sum(sums.values()) / chart.lines[-1][1]
    )


@given(st.integers(0, 10**12))
def test_an_axis_ends_above_the_most(most: int) -> None:
    """At a number that is easily read, whose half is whole, and not far above."""
    top = scale(most)

    assert most <= top <= max(2, 2 * most)
    assert top % 2 == 0
    assert str(top).rstrip("0") in {"2", "4", "6", "8", "1"}


# ── the last day ─────────────────────────────────────────────────────────────────────────────


async def test_the_last_day_is_summed_up(tmp_path: Path) -> None:
    """What is older counts no more; who is switched off is told first."""
    now = 1_795_000_000.0
    found = [("already-posted", "enforce", "fail", "duplicate"), ("much-like-another", "warn", "fail", "duplicate")]  # fmt: skip
    records = (
        decision("old", now - DAY - 1),
        decision("a", now - 7200),
        decision("b", now - 3600, effect="refuse", findings=found, integration="docs-bot"),
        decision("c", now - 1, effect="hold"),
    )
    clock = Ticking()
    clock.at = now
    async with following(tmp_path, *records) as followed:
        told = await show(
            Overview(followed=followed, clock=clock, switches=switches(tmp_path)).view
        )
        rules = await show(PoliciesPage(followed=followed, policies=shipped, clock=clock).view)

    assert told["totals"] == {"writes": 3, "allowed": 1, "held": 1, "refused": 1}
    assert [(each["integration"], each["writes"]) for each in told["integrations"]] == [
        ("help-bot", 2),
        ("docs-bot", 1),
    ]
    assert [(r["rule"], r["hits"], r["would_deny"]) for r in told["rules"]] == [
        ("already-posted", 1, 0),
        ("much-like-another", 1, 1),
    ]
    hits = {each["rule"]: (each["hits"], each["would_deny"]) for each in rules["rules"]}
    assert (hits["already-posted"], hits["much-like-another"]) == ((1, 0), (1, 1))
    assert hits["person-asked"] == (0, 0)
    assert {r["rule"]: r["source"] for r in rules["rules"]}["already-posted"] == "no-copies.yaml"


async def test_each_integration_tells_what_it_wrote(tmp_path: Path) -> None:
    """In the last day, and when last, however long ago."""
    now, clock = 1_795_000_000.0, Ticking()
    clock.at = now
    records = (
        decision("long-ago", now - 9 * DAY, integration="docs-bot"),
        decision("a", now - 7200),
        decision("b", now - 3600, effect="refuse"),
    )
    registered = [
        Integration(name=name, owner="o", contact="c", purpose="p")
        for name in ("help-bot", "docs-bot", "new-bot")
    ]
    async with following(tmp_path, *records) as followed:
        page = Integrations(
            registered=lambda: registered,
            switches=switches(tmp_path),
            audit=Recorded(),
            followed=followed,
            clock=clock,
        )
        told = await show(page.view)

    assert {each["name"]: each["day"] for each in told["integrations"]} == {
        "help-bot": {"writes": 2, "held": 0, "refused": 1, "last": now - 3600},
        "docs-bot": {"writes": 0, "held": 0, "refused": 0, "last": now - 9 * DAY},
        "new-bot": {"writes": 0, "held": 0, "refused": 0, "last": None},
        "anonymous": {"writes": 0, "held": 0, "refused": 0, "last": None},
    }


async def test_an_exception_is_shown_until_it_ends_and_when_it_has(tmp_path: Path) -> None:
    """With whom it is for, who answers for it, and why; what its rule says stands there, too."""
    waiver = Waiver(
        rules=frozenset(("already-posted",)),
        integrations=frozenset(("docs-bot",)),
        expires=date(2026, 11, 18),
        reason="It <moves> old posts.",
        owner="Grace",
        ticket="OPS-7",
    )
    clock, pages = Ticking(), list[str]()
    followed = Followed(None, tmp_path / "index.db", shared=True)

    def policies() -> PolicySet:
        return replace(shipped(), waivers=(waiver,), discovering=True)

    for clock.at in (1_794_990_000.0, 1_795_100_000.0):
        page = PoliciesPage(followed=followed, policies=policies, clock=clock)
        pages.append(drawn("policies.html", await show(page.view)))

    assert (
        "until 2026-11-18 (<bdi>Grace</bdi>, <bdi>OPS-7</bdi>): <bdi>It &lt;moves&gt;" in pages[0]
    )
    assert "over since 2026-11-18" in pages[1]
    assert "These are the records of this replica alone" in pages[1]


def test_a_restart_is_no_change_of_policies() -> None:
    """A revision is in force since it first came, until another did."""
    loaded = [(50.0, "r2"), (40.0, "r2"), (30.0, "r1"), (20.0, "r1"), (10.0, "r2")]
    deeds = [
        Deed(at=at, event="policies.loaded", facts={"revision": name}, place=Place("w", 1, 0))
        for at, name in loaded
    ]
    other = Deed(at=45.0, event="state.reset", facts={}, place=Place("w", 1, 0))

    assert changes([deeds[0], other, *deeds[1:]]) == [
        {"revision": "r2", "at": 40.0},
        {"revision": "r1", "at": 20.0},
        {"revision": "r2", "at": 10.0},
    ]


# ── without records ──────────────────────────────────────────────────────────────────────────


async def test_where_the_log_goes_to_no_directory_pages_say_so(tmp_path: Path) -> None:
    """And what needs no records is shown all the same."""
    followed = Followed(None, tmp_path / "index.db", shared=False)
    followed.start()
    with pytest.raises(RequestError) as refused:
        await show(Feed(followed=followed, policies=shipped).view)
    told = await show(PoliciesPage(followed=followed, policies=shipped, clock=Ticking()).view)
    await followed.close()

    assert (refused.value.status, refused.value.code) == (503, "no_records")
    assert "Add a directory to audit.sinks" in refused.value.detail
    assert len(told["rules"]) == len(shipped().rules)


async def test_an_index_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    """A stop waits for none of it."""
    (tmp_path / "file").write_text("")
    followed = Followed(tmp_path, tmp_path / "file" / "index.db", shared=False)
    followed.start()
    while not followed.told()["failed"]:
        await asyncio.sleep(0)
    with pytest.raises(RequestError) as refused:
        await show(Feed(followed=followed, policies=shipped).view)
    await followed.close()

    assert refused.value.status == 503
    assert "cannot be followed" in refused.value.detail


async def test_a_log_that_is_not_there_yet_is_followed_when_it_is(tmp_path: Path) -> None:
    """As where the process of the console starts before those that write the log."""
    followed = Followed(tmp_path / "audit", tmp_path / "index.db", shared=False)
    followed.start()
    with pytest.raises(RequestError, match="no_records"):
        await followed.ask(lambda index: index.count())
    Writer(tmp_path / "audit").write(decision("first"))
    async with asyncio.timeout(PATIENCE):
        while not await _count(followed):
            await asyncio.sleep(0.01)
    await followed.close()

    assert followed.told()["failed"] == ""


async def _count(followed: Followed) -> int:
    try:
        return await followed.ask(lambda index: index.count())
    except RequestError:
        return 0


# ── caps ─────────────────────────────────────────────────────────────────────────────────────


Capped = tuple[CapsPage, MemoryStore, Recorded]


@pytest.fixture
async def capped() -> Capped:
    """A cap of two an hour and one of four an hour, both used."""
    clock, store, audit = Ticking(), MemoryStore(DAY), Recorded()
    clock.at = 1_000.0
    parts = {"small": ("person", "tag"), "large": ("integration", "team")}
    rules = tuple(
        replace(
            shipped().rules[0],
            id=name,
            check=RateCap(windows=(Window(limit=limit, seconds=3600.0),), per=parts[name]),
        )
        for name, limit in (("large", 4), ("small", 2))
    )
    for number, cap in enumerate(
        ("large|integration=help-bot|team=", "small|person=person:ada|tag=merger", "small|person=person:ada|tag=merger")
    ):  # fmt: skip
        charge = Charge(cap=cap, windows=(Window(limit=9, seconds=3600.0),))
        write = a_write(id=f"w{number}", at=1_000.0)
        await store.reserve(Reservation(write=write, groups=({"cap": charge},)))
        await store.settle(write.id, Settlement(outcome=Outcome.OK))

    def policies() -> PolicySet:
        return replace(shipped(), rules=rules)

    return CapsPage(policies=policies, caps=store, audit=audit, clock=clock), store, audit


async def test_the_fullest_counter_stands_first(capped: Capped) -> None:
    """With what it counts; a viewer learns of nobody, and of no tag."""
    told = [await show(capped[0].view, who) for who in (OPERATOR, VIEWER)]

    pages = [drawn("caps.html", told[0], OPERATOR), drawn("caps.html", told[1], VIEWER)]

    assert ["caps/reset" in page for page in pages] == [True, False]
    assert "ada" not in pages[1]
    assert [
        (each["rule"], each["used"], each["limit"], each["share"]) for each in told[0]["counters"]
    ] == [("small", 2, 2, 1.0), ("large", 1, 4, 0.25)]
    assert told[0]["counters"][1]["parts"] == [
        ("integration", "help-bot"),
        ("team", "the main site"),
    ]
    assert b"ada" in orjson.dumps(told[0])
    assert b"ada" not in orjson.dumps(told[1])
    assert b"merger" not in orjson.dumps(told[1])


async def test_an_operator_empties_a_counter_on_record(capped: Capped) -> None:
    """The record comes first, and names no person of whom it was."""
    page, store, audit = capped
    [act] = page.acts
    cap = "small|person=person:ada|tag=merger"
    done = await act.do(Visit(who=OPERATOR), {"cap": cap})

    assert done.told["count"] == 1
    assert [each.used for [each] in await store.counters([("large", 9e9)], 1_000.0)] == [1]
    assert await store.counters([("small", 9e9)], 1_000.0) == [()]
    what: dict[str, Any] = {"what": "small|person=-|tag=merger", "by": "jane"}
    assert audit.events == [("state.reset", what), ("state.reset_done", what | {"count": 1})]


async def test_a_counter_is_not_emptied_without_a_record(capped: Capped) -> None:
    """Nor one that no cap of the policies has: what the gateway counts by itself stays."""
    page, store, audit = capped
    [act] = page.acts
    with pytest.raises(RequestError):
        await act.do(Visit(who=OPERATOR), {"cap": "holds|integration=help-bot"})
    assert audit.events == []
    audit.broken = True
    with pytest.raises(AuditError):
        await act.do(Visit(who=OPERATOR), {"cap": "small"})

    assert [each.used for [each] in await store.counters([("small", 9e9)], 1_000.0)] == [2]


# ── holds ────────────────────────────────────────────────────────────────────────────────────


async def test_what_waits_is_listed_without_its_text_and_its_link(tmp_path: Path) -> None:
    """What is decided waits no more; of a private team a viewer sees no target."""
    clock = Ticking()
    holds = holds_over(MemoryStore(DAY), clock)
    first = await opened(holds, a_write(id="w1", request="r1", at=clock.now()))
    second = a_write(
        id="w2", request="r2", at=clock.now(), team="platform", thread="question/77", target="answer/78"
    )  # fmt: skip
    hidden = await opened(holds, second)
    told = [await show(Held(holds=holds).view, who) for who in (OPERATOR, VIEWER)]
    clock.at = first.until

    assert [each["decision"] for each in told[0]["holds"]] == ["w2", "w1"]
    assert told[0]["holds"][0]["thread"] == "question/77"
    assert b"question/77" not in orjson.dumps(told[1])
    assert b"answer" not in orjson.dumps(told[1])
    pages = [drawn("holds.html", told[0], OPERATOR), drawn("holds.html", told[1], VIEWER)]
    for secret in (hidden.id, first.id, second.post.body):
        assert secret not in "".join([*pages, orjson.dumps(told).decode()])
    assert "the acting person" in pages[1]
    assert (await show(Held(holds=holds).view))["holds"] == []


# ── words ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (7_776_000, "90 days"),
        (3_600, "1 hour"),
        (0.5, "0.5 seconds"),
        (1.234567, "1.23 seconds"),
        (0, "0 seconds"),
    ],
)
def test_lengths_are_told_in_words(seconds: float, words: str) -> None:
    """In the largest unit of which they are whole."""
    assert in_words(seconds) == words


def test_a_copy_in_another_team_is_only_that() -> None:
    """The sentence is made of the figures alone, of which there are none then."""
    assert sentence("duplicate", {"threshold": 0.84}) == (
        "It is too much like an earlier post in another private team."
    )
    assert sentence("rate_cap", {"used": 10, "limit": 10, "window": 60.0, "retry_after": 1}) == (
        "10 of 10 writes in 1 minute were used already."
    )
