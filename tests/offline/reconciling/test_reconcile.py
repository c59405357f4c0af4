"""Posts without a record are told of integrations' own accounts alone, whatever the clocks say."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.model import Post as Text
from gateway.offline.reconciling.fate import Fates, fates_of
from gateway.offline.reconciling.reconcile import Report, reconcile
from gateway.offline.reconciling.site import Site
from gateway.sandbox.site import Post
from gateway.text.fingerprint import fingerprint
from tests.audit.written import Writer, decision, outcome
from tests.offline.rig import Rig


class Silent:
    """A watcher whom nobody hears."""

    def begins(self, source: str, count: int | None) -> None:
        """As `Watcher.begins`."""

    def advances(self, done: int) -> None:
        """As `Watcher.advances`."""

    def ends(self, source: str) -> None:
        """As `Watcher.ends`."""


@dataclass
class Held:
    """A site and a log."""

    directory: Path
    rig: Rig = field(default_factory=Rig)

    def __post_init__(self) -> None:
        self.log = Writer(self.directory)
        self.begun = self.rig.site.space(None).of("question")[0].created.timestamp()

    def ask(self, number: int, who: str, team: str | None = None) -> Post:
        """Ask a question as somebody."""
        site = self.rig.site
        title, body = f"How do I mend tap {number}?", f"It drips, {number} a minute."
        return site.add(site.space(team), "question", site.user_of(who), title=title, body=body)

    def record(self, post: Post, integration: str = "help-bot", team: str | None = None) -> None:
        """Write the records of a post that went through."""
        id_, at = f"{team}-{post.id}", post.created.timestamp()
        self.log.write(
            decision(id_, at, integration=integration, team=team),
            outcome(id_, at, post=f"question/{post.id}", integration=integration),
        )

    def lose(self, number: int, at: float, **facts: Any) -> str:
        """Write the records of a question whose outcome nobody knows."""
        title, body = f"How do I mend tap {number}?", f"It drips, {number} a minute."
        found = {"text": fingerprint(Text(title=title, body=body)).text}
        self.log.write(
            decision(f"lost-{number}", at, fingerprint=found, **facts),
            outcome(f"lost-{number}", at, outcome="unknown", upstream_status=None),
        )
        return f"lost-{number}"

    async def report(
        self, since: float = 0.0, authors: Collection[int] = (), teams: Collection[str] = ()
    ) -> Report:
        """Hold the one against the other."""
        with (
            contextlib.closing(Index(self.directory)) as index,
            contextlib.closing(Lines(self.directory)) as lines,
        ):
            while index.step():
                pass
            return await reconcile(
                index,
                lines,
                Site(self.rig.reader),
                Silent(),
                teams=[None, *teams],
                since=since or self.begun,
                until=self.begun + 3600,
                authors=authors,
            )

    async def fates(self, *teams: str) -> Fates:
        """Count what became of posts."""
        with contextlib.closing(Index(self.directory)) as index:
            while index.step():
                pass
            site = Site(self.rig.reader)
            return await fates_of(index.entries(), site, [None, *teams], Silent())


def around(report: Report) -> list[tuple[str, str]]:
    """The posts that were written around the gateway, and whose account it is."""
    return [(each.post.name.post, each.integration) for each in report.around]


async def test_what_an_integrations_account_wrote_without_a_record_is_told(tmp_path: Path) -> None:
    """And nobody else's; an account that is named is looked at, too."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "service"))
    outside, person = held.ask(2, "service"), held.ask(3, "somebody")

    report, named = await held.report(), await held.report(authors=[person.owner.id])

    assert around(report) == [(f"question/{outside.id}", "help-bot")]
    assert around(named) == [
        (f"question/{outside.id}", "help-bot"),
        (f"question/{person.id}", ""),
    ]


async def test_who_writes_as_several_people_has_no_account_of_its_own(tmp_path: Path) -> None:
    """What these people write in a browser is theirs."""
    held = Held(tmp_path / "log")
    for who in ("jane", "jim"):
        held.record(held.ask(len(who), who))
    held.ask(9, "jane")

    report = await held.report()

    assert around(report) == []
    assert report.accounts.several == {"help-bot": 2}


async def test_what_nobody_registered_has_no_account(tmp_path: Path) -> None:
    """Callers that nobody registered are anybody."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "jane"), integration="anonymous")
    held.ask(2, "jane")

    assert around(await held.report()) == []


async def test_a_write_of_unknown_outcome_is_not_around(tmp_path: Path) -> None:
    """Though it was sent before the time that is looked at; its own answer is then not told."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "service"))
    published = held.ask(2, "service")
    lost = held.lose(2, held.begun - 60)

    before, after = await held.report(since=held.begun - 90), await held.report()

    assert around(before) == around(after) == []
    assert after.answers == ()
    ((answered),) = before.answers
    assert answered.entry.id == lost
    assert answered.post is not None
    assert answered.post.name.post == f"question/{published.id}"


async def test_a_post_may_be_older_than_its_write(tmp_path: Path) -> None:
    """SOE's clock is behind: what it wrote seems to be of before the time that is looked at."""
    held = Held(tmp_path / "log")
    published = held.ask(2, "service")
    held.lose(2, held.begun + 300)

    ((answered),) = (await held.report(since=held.begun + 240)).answers

    assert answered.post is not None
    assert answered.post.name.post == f"question/{published.id}"


async def test_a_second_that_has_begun_is_looked_at(tmp_path: Path) -> None:
    """SOE tells whole seconds: what it wrote within one seems to be of its beginning."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "service"))
    outside = held.ask(2, "service")

    report = await held.report(since=outside.created.timestamp() + 0.5)

    assert around(report) == [(f"question/{outside.id}", "help-bot")]


async def test_a_team_is_read_where_it_is_named(tmp_path: Path) -> None:
    """A write to another cannot be decided."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "service", "red"), team="red")
    outside = held.ask(2, "service", "red")
    held.lose(3, held.begun, team="red")

    unread, read = await held.report(), await held.report(teams=["red"])

    assert around(unread) == []
    assert [each.why for each in unread.answers] == ["its team was not read"]
    assert around(read) == [(f"question/{outside.id}", "help-bot")]
    assert [each.answer for each in read.answers] == ["not_found"]


async def test_what_was_found_and_recorded_is_open_no_more(tmp_path: Path) -> None:
    """Whatever the post reads today, it is not around either."""
    held = Held(tmp_path / "log")
    held.record(held.ask(1, "service"))
    published = held.ask(2, "service")
    lost = held.lose(2, held.begun)
    facts = {"write_id": lost, "team": None, "post": f"question/{published.id}", "url": None}
    told = {"schema": 2, "kind": "admin", "event": "reconcile.outcome", "at": held.begun}
    held.log.write(told | facts | {"answer": "found", "by": "ops"})
    held.rig.site.edit(
        held.rig.site.space(None), published, body="All else.", title="Quite", tags=()
    )

    report = await held.report()

    assert (around(report), report.answers) == ([], ())


async def test_a_question_is_asked_once_for_a_hundred_posts(tmp_path: Path) -> None:
    """Fates cost few requests; posts of a team that is not named are counted apart."""
    held = Held(tmp_path / "log")
    posts = [held.ask(number, "service") for number in range(150)]
    for post in posts:
        held.record(post)
    red = held.ask(1, "service", "red")
    held.record(red, team="red")
    for post in posts[:3]:
        held.rig.site.delete(held.rig.site.space(None), post)

    told, with_team = await held.fates(), await held.fates("red")

    ((fate),) = told.fates
    assert (fate.integration, fate.operation) == ("help-bot", "question.create")
    assert (fate.published, fate.deleted, fate.closed, fate.downvoted) == (150, 3, 0, 0)
    assert told.unread == {"red": 1}
    assert with_team.fates[0].published == 151
    assert len(held.rig.way.requests) == 2 + 3
