"""The lists of API v2.3, by hundreds, in Markdown where a filter of our own can ask for it.

They are read in the order of activity, each page from the last instant of the one before. So no
page is far from the beginning, nothing is missed that is written meanwhile, and a run that ended is
gone on with like one that was broken off: what was written or edited since stands behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model import Published
from gateway.offline.reading.reader import Reader, items_of
from gateway.offline.reading.v23 import API, PAGE, PREFIX, Filter, Filters, text_of
from gateway.offline.seed.posts import Batch, Position, published, source_name

_KINDS = ("question", "answer", "article")


def sources(reader: Reader, teams: Sequence[str | None]) -> list[Listed]:
    """Give every list of each team, None being the main site."""
    filters = Filters(reader)
    return [Listed(reader, filters, team, kind) for team in teams for kind in _KINDS]


@dataclass(frozen=True, slots=True)
class Listed:
    """One list of one team: a `posts.Source`."""

    reader: Reader
    filters: Filters
    team: str | None
    kind: str

    @property
    def name(self) -> str:
        """As `posts.Source.name`."""
        return source_name(API, self.team, f"{self.kind}s")

    @property
    def path(self) -> str:
        """Where the list is."""
        return f"{PREFIX}/{self.kind}s"

    async def count(self, position: Position) -> int | None:
        """As `posts.Source.count`."""
        query = self._query(position.get("since")) | {"filter": "total"}
        total = (await self.reader.get(API, self.path, query)).get("total")
        return total if isinstance(total, int) else None

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """As `posts.Source.batches`; `since` is an instant, `page` counts from there."""
        asked = await self.filters.of(self.kind)
        since, page = position.get("since"), position.get("page", 1)
        before: set[tuple[Any, int | None]] = set()  # of the last page, which overlaps with this
        more = True
        while more:
            query = self._query(since) | {"page": page, "filter": asked.name}
            told = await self.reader.get(API, self.path, query)
            listed = items_of(told, self.path)
            items = [item for item in listed if self._version(item) not in before]
            before = {self._version(item) for item in listed}
            more = told.get("has_more") is True and bool(listed)
            newest = max(filter(None, (since, *map(_active, items))), default=None)
            page = page + 1 if more and newest == since else 1
            since = newest
            posts = filter(None, (self._published(item, asked) for item in items))
            yield Batch(
                posts=tuple(posts),
                read=len(items),
                done=len(items),
                position={"since": since, "page": page},
            )

    def _query(self, since: int | None) -> dict[str, str | int]:
        query: dict[str, str | int] = {"pagesize": PAGE, "order": "asc", "sort": "activity"}
        # `team` is safe only because no credential is in the query: SOE would end a token there.
        query |= {"team": self.team} if self.team else {}
        return query | ({"min": since} if since is not None else {})

    def _version(self, item: Mapping[str, Any]) -> tuple[Any, int | None]:
        """Tell a post from others, and from itself before it was edited."""
        return item.get(f"{self.kind}_id"), _active(item)

    def _published(self, item: Mapping[str, Any], asked: Filter) -> Published | None:
        post, read = text_of(item, escaped=asked.escaped)
        return published(self.kind, item, post, team=self.team, read=read)


def _active(item: Mapping[str, Any]) -> int | None:
    at = item.get("last_activity_date")
    return at if isinstance(at, int) else None
