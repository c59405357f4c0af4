"""Which posts stand on the site without a record, and what became of the writes left open."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.audit.index.entries import Entry, Selection
from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.model import Effect, Outcome
from gateway.offline.reading.reader import NotThereError
from gateway.offline.reconciling.accounts import CREATING, Accounts, accounts_of, name_of
from gateway.offline.reconciling.doubts import (
    CLOCKS_DIFFER,
    Answered,
    Doubt,
    answered,
    candidates,
)
from gateway.offline.reconciling.site import KINDS, Name, Site, Standing

_OUTCOME_TOLD = "reconcile.outcome"
"""The event by which a finding about a write's outcome is recorded."""


class Watcher(Protocol):
    """Who is told how it goes."""

    def begins(self, source: str, count: int | None) -> None:
        """Tell that a source begins; `count` is how much there is, None where nobody knows."""

    def advances(self, done: int) -> None:
        """Tell of some more."""

    def ends(self, source: str) -> None:
        """Tell that a source is read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A post without a record, by an account of an integration; empty for one that was named."""

    post: Standing
    integration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found.

    Attributes:
        read: how many posts stand on the site that were written in the time.
        missing: kinds of posts that the site does not have, as `comments`.
    """

    accounts: Accounts
    around: tuple[Around, ...]
    answers: tuple[Answered, ...]
    read: int
    missing: tuple[str, ...]


@dataclass(slots=True)
class _Read:
    standing: list[Standing] = field(default_factory=list)
    missing: set[tuple[str | None, str]] = field(default_factory=set)


@dataclass(slots=True)
class _Logged:
    known: set[Name] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)


async def reconcile(
    index: Index,
    lines: Lines,
    site: Site,
    watcher: Watcher,
    *,
    teams: Collection[str | None],
    since: float,
    until: float,
    authors: Collection[int],
) -> Report:
    """Hold the log against the site.

    Args:
        teams: those that are read, None being the main site.
        authors: accounts that are looked at besides those of integrations.

    Raises:
        ReadingError: SOE does not let it go on.
        AuditError: the log cannot be read.
    """
    accounts = await accounts_of(index, site, teams)
    read = await _read(site, watcher, teams, since - CLOCKS_DIFFER, until)
    while index.step():  # after the site: whatever stands there was recorded before it was sent
        pass
    logged = _logged(index, lines, since - 2 * CLOCKS_DIFFER)
    unread = read.missing | {
        (doubt.entry.team, doubt.entry.operation.partition(".")[0])
        for doubt in logged.doubts
        if doubt.entry.team not in teams
    }
    possible = candidates(logged.doubts, read.standing, logged.known)
    targets = await _targets(site, [doubt for doubt in logged.doubts if doubt.entry.team in teams])
    names = {post.name for posts in possible.values() for post in posts}
    names |= {name for name, post in targets.items() if post is not None}
    answers = answered(logged.doubts, possible, targets, await site.texts(names), unread)
    taken = logged.known | {name for each in answers for name in _posts_of(each)}
    written = [post for post in read.standing if math.floor(since) <= post.at <= until]
    free = [post for post in written if post.name not in taken]
    return Report(
        accounts=accounts,
        around=tuple(_around(free, accounts.own, authors)),
        answers=tuple(each for each in answers if since <= each.entry.at <= until),
        read=len(written),
        missing=tuple(sorted({f"{kind}s" for _, kind in read.missing})),
    )


async def _read(
    site: Site, watcher: Watcher, teams: Collection[str | None], since: float, until: float
) -> _Read:
    read = _Read()
    for team in teams:
        for kind in KINDS:
            source = f"{f'team {team}' if team else 'main site'} {kind}s"
            watcher.begins(source, None)
            try:
                async for some in site.written(kind, team, since, until):
                    read.standing += some
                    watcher.advances(len(some))
            except NotThereError:
                read.missing.add((team, kind))
            watcher.ends(source)
    return read


def _logged(index: Index, lines: Lines, since: float) -> _Logged:
    """Read which posts have a record, and which writes leave open what became of them.

    Whatever the two clocks say: also writes of somewhat before and after may be those of posts.

    What an earlier run found and recorded is open no more, whatever the post reads today.
    """
    logged = _Logged()
    settled: set[str] = set()
    for deed in index.deeds():
        if deed.event == _OUTCOME_TOLD and deed.facts["post"] is not None:
            settled.add(deed.facts["write_id"])
            logged.known.add(Name(deed.facts["team"], deed.facts["post"]))
    for entry in index.entries(Selection(since=since, effects=(Effect.ALLOW,))):
        name = name_of(entry)
        if name is not None:
            logged.known.add(name)
        elif entry.id not in settled:
            logged.doubts += filter(None, [_doubt(entry, lines)])
    return logged


def _doubt(entry: Entry, lines: Lines) -> Doubt | None:
    """Give the doubt that an entry leaves; None where it leaves none."""
    is_open = entry.outcome in (None, Outcome.UNKNOWN, Outcome.FAILED)
    if not is_open and not (entry.outcome == Outcome.OK and entry.operation in CREATING):
        return None
    record = lines.record(entry.place) or {}
    if record.get("preview"):
        return None
    return Doubt(entry=entry, text=(record.get("fingerprint") or {}).get("text"))


async def _targets(site: Site, doubts: Collection[Doubt]) -> dict[Name, Standing | None]:
    names = {doubt.target for doubt in doubts if doubt.target is not None}
    found: dict[Name, Standing | None] = {}
    async for some in site.named(names):
        found |= some
    return found


def _posts_of(answered: Answered) -> Collection[Name]:
    """Give the post that a write through the gateway made, or those that it may have made."""
    return answered.perhaps if answered.post is None else (answered.post.name,)


def _around(
    free: Collection[Standing], own: Mapping[int, str], authors: Collection[int]
) -> list[Around]:
    found = []
    for post in sorted(free, key=lambda post: (post.at, post.name.post)):
        named = post.account in authors or post.author in authors
        integration = own.get(post.account, "") if post.account is not None else ""
        if named or integration:
            found.append(Around(post=post, integration=integration))
    return found
