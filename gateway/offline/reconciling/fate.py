"""What became of the posts that integrations made: how many were deleted, closed or voted down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.audit.index.entries import Entry
from gateway.observe.fate import Fate
from gateway.offline.reconciling.accounts import name_of
from gateway.offline.reconciling.reconcile import Watcher
from gateway.offline.reconciling.site import Name, Site, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """The fates of the posts that were read, and how many posts of other teams were not."""

    fates: tuple[Fate, ...]
    unread: Mapping[str, int]


async def fates_of(
    entries: Iterable[Entry], site: Site, teams: Collection[str | None], watcher: Watcher
) -> Fates:
    """Ask the site for every post that writes made.

    Args:
        teams: those that are read, None being the main site. What a token does not show looks as
            if it were deleted, so nothing else is asked for.

    Raises:
        ReadingError: SOE does not let it go on.
    """
    made: dict[Name, tuple[str, str]] = {}
    unread: Counter[str] = Counter()
    for entry in entries:
        name = name_of(entry)
        if name is not None and name.team in teams:
            made[name] = entry.integration, entry.operation
        elif name is not None and name.team is not None:
            unread[name.team] += 1
    tally: dict[tuple[str, str], Counter[str]] = {
        key: Counter() for key in sorted(set(made.values()))
    }
    watcher.begins("posts", len(made))
    async for found in site.named(made):
        for name, post in found.items():
            tally[made[name]].update(_fates(post))
        watcher.advances(len(found))
    watcher.ends("posts")
    told = (
        Fate(integration=integration, operation=operation, **counts)
        for (integration, operation), counts in tally.items()
    )
    return Fates(fates=tuple(told), unread=dict(sorted(unread.items())))


def _fates(post: Standing | None) -> Iterable[str]:
    yield "published"
    if post is None:
        yield "deleted"
        return
    if post.closed:
        yield "closed"
    if post.score < 0:
        yield "downvoted"
