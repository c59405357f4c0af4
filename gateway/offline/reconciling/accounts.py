"""Under whose names integrations write: the authors, on the site, of what they published last.

The log knows integrations and decision ids, the site knows accounts; a post that both know ties
them. An integration that writes under one account alone has that account for its own. One that
writes as several people acts for them: what these people write in a browser is theirs, and looks
the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.audit.index.entries import Entry, Selection
from gateway.audit.index.index import Index
from gateway.model import ANONYMOUS, Effect, Outcome
from gateway.offline.reconciling.site import KINDS, Name, Site

CREATING = tuple(f"{kind}.create" for kind in KINDS)
"""The operations that make a post that can be read."""
_LAST = 25
"""Posts of each integration that are looked at."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Which accounts are integrations' own, and which integrations have several.

    Attributes:
        own: the integration by account.
        several: by integration, under how many accounts it writes.
    """

    own: Mapping[int, str]
    several: Mapping[str, int]


def name_of(entry: Entry) -> Name | None:
    """Name the post that a write made, as the site would be asked for it; None where it is unknown."""
    if entry.operation not in CREATING or entry.outcome != Outcome.OK or entry.post is None:
        return None
    return Name(entry.team, entry.post)


async def accounts_of(index: Index, site: Site, teams: Collection[str | None]) -> Accounts:
    """Ask the site whose the posts are that each registered integration published last.

    Raises:
        ReadingError: SOE does not let it go on.
    """
    writers = _last_posts(index, teams)
    seen: dict[str, set[int]] = defaultdict(set)
    async for found in site.named(writers):
        for name, post in found.items():
            if post is not None and post.account is not None:
                seen[writers[name]].add(post.account)
    own: dict[int, str] = {}
    for integration, accounts in seen.items():
        if len(accounts) == 1:
            account = next(iter(accounts))
            own[account] = f"{own[account]}, {integration}" if account in own else integration
    several = {each: len(accounts) for each, accounts in seen.items() if len(accounts) > 1}
    return Accounts(own, several)


def _last_posts(index: Index, teams: Collection[str | None]) -> dict[Name, str]:
    """Give the integration by post."""
    writers: dict[Name, str] = {}
    for integration in sorted(index.names("integration") - {ANONYMOUS}):
        wanted = Selection(
            integrations=(integration,),
            operations=CREATING,
            outcomes=(Outcome.OK,),
            effects=(Effect.ALLOW,),
        )
        names = map(name_of, index.newest(wanted, _LAST))
        writers |= {name: integration for name in names if name and name.team in teams}
    return writers
