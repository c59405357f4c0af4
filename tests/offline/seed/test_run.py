"""A run remembers what it read, and keeps how far it came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import Found, Lookup, Post, Published, Remembered, Reservation
from gateway.offline.reading.reader import NotThereError, ReadingError
from gateway.offline.seed.posts import Source
from gateway.offline.seed.progress import Progress
from gateway.offline.seed.run import Counts, Remembers, choose, seed
from gateway.state.memory import MemoryStore
from gateway.text.fingerprint import fingerprint
from tests.offline.rig import Rig
from tests.samples import a_write

KEEP = 90 * 86_400.0
TITLE = "How do I rotate the signing key?"
BODY = "The *key* of the payment service runs out next week, and I found no run-book."


class Watching:
    """What was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begins(self, source: str, count: int | None) -> None:
        self.told.append(f"begins {source}: {count}")

    def advances(self, done: int) -> None:
        self.told.append(f"advances {done}")

    def ends(self, source: str) -> None:
        self.told.append(f"ends {source}")

    def note(self, text: str) -> None:
        self.told.append(text)


class Failing:
    """A store that is away after some calls."""

    def __init__(self, store: MemoryStore, calls: int) -> None:
        self.store = store
        self.calls = calls

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        if not self.calls:
            raise StoreError("away")
        self.calls -= 1
        return await self.store.remember(posts, at)


async def run(
    rig: Rig,
    store: Remembers | None,
    folder: Path,
    api: str = "auto",
    teams: Sequence[str | None] = (None,),
) -> Counts:
    """One run of the command's heart."""
    counts = Counts()
    progress = Progress(folder / "seed.json", {"upstream": "http://soe"}, rig.time.now(), KEEP)
    sources = await choose(api, rig.reader, teams, rig.time.now)
    await seed(sources, store, progress, counts, Watching(), rig.time.now)
    return counts


async def copies(
    store: MemoryStore, rig: Rig, post: Post, team: str | None = None
) -> list[Remembered]:
    """The earlier posts that a write with this text is told of."""
    look = Lookup(compare="text", digest=fingerprint(post).text, within=KEEP, team=team)
    write = a_write(at=rig.time.now(), team=team)
    found = (await store.peek(Reservation(write=write, groups=({"copy": look},)))).answers["copy"]
    assert isinstance(found, Found)
    return list(found.posts)


@pytest.mark.parametrize("api", ["v2.3", "v3"])
async def test_what_stands_on_a_site_is_found_by_its_text(api: str, tmp_path: Path) -> None:
    """Questions and answers, of the main site and of each team that was named."""
    rig, store = Rig(), MemoryStore(KEEP)
    question = rig.ask(TITLE, BODY.replace("*", ""))
    rig.answer(question, "Sign out of the agent, and in again: it reads the key when it starts.")
    rig.ask(TITLE, "It is another key in this team, and it runs out next week.", team="red")

    counts = await run(rig, store, tmp_path, api, [None, "red"])

    (asked,) = await copies(store, rig, Post(title=TITLE, body=BODY))
    (answered,) = await copies(
        store, rig, Post(body="Sign out of the agent and in again; it reads the key when it starts")
    )
    assert (asked.post, asked.pending) == (f"question/{question.id}", False)
    assert answered.thread == f"question/{question.id}"
    assert await copies(store, rig, Post(title=TITLE, body=BODY), team="red") == []
    assert (counts.read, counts.remembered, counts.skipped) == (5, 5, 0)


@pytest.mark.parametrize("api", ["v2.3", "v3"])
async def test_a_second_run_remembers_only_what_is_new(api: str, tmp_path: Path) -> None:
    """And reads little else."""
    rig, store = Rig(), MemoryStore(KEEP)
    rig.ask_many(250)
    for post in rig.site.space(None).posts.values():
        post.created, post.answered = post.created.replace(year=2024), None

    first = await run(rig, store, tmp_path, api)
    requests = len(rig.way.requests)
    made = rig.ask(TITLE, BODY)
    made.created = made.created.replace(year=2026, month=12)
    second = await run(rig, store, tmp_path, api)

    assert first.remembered == 252
    assert second.remembered == 1
    assert second.read <= 4
    assert len(rig.way.requests) - requests <= 10


@pytest.mark.parametrize("api", ["v2.3", "v3"])
async def test_a_run_that_state_ended_is_gone_on_with(api: str, tmp_path: Path) -> None:
    """What was not remembered is not taken for read."""
    rig, store = Rig(), MemoryStore(KEEP)
    rig.ask_many(250)

    with pytest.raises(StoreError):
        await run(rig, Failing(store, 1), tmp_path, api)
    counts = await run(rig, store, tmp_path, api)

    assert counts.remembered == 252 - 100
    assert counts.read <= 252 - 100 + 2


async def test_a_run_that_soe_ended_names_the_list(tmp_path: Path) -> None:
    """So that somebody knows which team, for example, the token may not read."""
    rig = Rig()
    sources = await choose("auto", rig.reader, ["red"], rig.time.now)
    rig.next(status=403, count=9)

    progress = Progress(tmp_path / "seed.json", {}, rig.time.now(), KEEP)
    with pytest.raises(ReadingError, match=r"v2\.3 team red questions: SOE refuses"):
        await seed(sources, None, progress, Counts(), Watching(), rig.time.now)


async def test_a_dry_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """It reads and counts."""
    rig = Rig()
    rig.ask(TITLE, BODY)

    counts = await run(rig, None, tmp_path)

    assert (counts.read, counts.remembered) == (3, 0)
    assert list(tmp_path.iterdir()) == []


async def test_a_list_that_a_site_has_not_is_passed_over(tmp_path: Path) -> None:
    """Not every site has articles."""
    rig = Rig()
    sources: list[Source] = await choose("v2.3", rig.reader, [None], rig.time.now)
    rig.next(status=400, members={"error_id": 404})
    counts, watching = Counts(), Watching()
    progress = Progress(tmp_path / "seed.json", {}, rig.time.now(), KEEP)

    await seed(sources[-1:], None, progress, counts, watching, rig.time.now)

    assert counts.missing == ["v2.3 main site articles"]
    assert watching.told == ["v2.3 main site articles: the site has no such list."]


async def test_v3_is_read_where_v23_is_not_there() -> None:
    """By itself, but not where somebody wants v2.3."""
    rig = Rig()
    rig.next(status=404)
    chosen = await choose("auto", rig.reader, [None], rig.time.now)
    rig.next(status=404)

    with pytest.raises(NotThereError):
        await choose("v2.3", rig.reader, [None], rig.time.now)

    assert [source.name for source in chosen] == [
        "v3 main site questions and answers",
        "v3 main site articles",
    ]
    assert rig.notes == ["The site has no API v2.3; reading v3."]


async def test_who_watches_is_told_of_each_list(tmp_path: Path) -> None:
    """How much there is, how it goes, and the end."""
    rig, watching = Rig(), Watching()
    sources = await choose("v2.3", rig.reader, [None], rig.time.now)
    progress = Progress(tmp_path / "seed.json", {}, rig.time.now(), KEEP)

    await seed(sources[:1], MemoryStore(KEEP), progress, Counts(), watching, rig.time.now)

    assert watching.told == [
        "begins v2.3 main site questions: 1",
        "advances 1",
        "ends v2.3 main site questions",
    ]
