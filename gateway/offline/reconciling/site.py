"""Posts as they stand on the site, read through API v2.3: those of some time, and those with a name.

v2.3 and not v3, because it alone lists answers and comments, and gives a hundred posts by number
in one answer. What was deleted is in none of its answers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.offline.reading.reader import Reader, items_of
from gateway.offline.reading.v23 import API, PAGE, PREFIX, Filters, text_of
from gateway.soe.answers import link_of
from gateway.text.fingerprint import fingerprint

KINDS = ("question", "answer", "article", "comment")
"""What is read; collections and images stand in no list of v2.3."""


class Name(NamedTuple):
    """Which post: as `answer/12`, and in which team, None being the main site."""

    team: str | None
    post: str

    @property
    def kind(self) -> str:
        """As `answer`."""
        return self.post.partition("/")[0]

    @property
    def number(self) -> int:
        """As 12."""
        return int(self.post.partition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A post that stands on the site.

    Attributes:
        thread: the number of the post under which it stands.
        account: of its author: one number on all sites, else that of `author`.
        author: the number by which this site shows its author.
        at: when it was written, and `edited` when last edited.
    """

    name: Name
    thread: int | None
    account: int | None
    author: int | None
    at: float
    edited: float | None
    url: str | None
    score: int
    closed: bool


class Site:
    """The posts of a site."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._filters = Filters(reader)

    async def written(
        self, kind: str, team: str | None, since: float, until: float
    ) -> AsyncIterator[list[Standing]]:
        """Give what was written between two instants and still stands, the oldest first.

        Each page begins at the last instant of the one before: so nothing is missed when posts are
        deleted meanwhile.

        Raises:
            NotThereError: the site has no such posts.
            ReadingError: SOE does not let it go on.
        """
        path, after, page, more = f"{PREFIX}/{kind}s", math.floor(since), 1, True
        seen: set[Name] = set()
        shown = await self._filters.linked(kind)
        while more:
            query = _query(team) | {"filter": shown, "page": page}
            query |= {"sort": "creation", "order": "asc", "min": after, "max": math.ceil(until)}
            told = await self._reader.get(API, path, query)
            listed = [_standing(kind, team, item) for item in items_of(told, path)]
            more = told.get("has_more") is True and bool(listed)
            newest = math.floor(listed[-1].at) if listed else after
            page = page + 1 if newest == after else 1
            after = newest
            yield [post for post in listed if post.name not in seen]
            seen |= {post.name for post in listed}

    async def named(self, names: Collection[Name]) -> AsyncIterator[Mapping[Name, Standing | None]]:
        """Give posts by their names, a hundred at a time; None for those that stand no more.

        Raises:
            ReadingError: SOE does not let it go on.
        """
        for (team, kind), some in _hundreds(names):
            items = await self._items(team, kind, some, await self._filters.linked(kind))
            found = {post.name: post for post in (_standing(kind, team, each) for each in items)}
            yield {name: found.get(name) for name in some}

    async def texts(self, names: Collection[Name]) -> dict[Name, str]:
        """Give the digest of each text, as records hold it (`fingerprint.text`).

        There is none for what the site shows in HTML alone, which reads almost the same.

        Raises:
            ReadingError: SOE does not let it go on.
        """
        digests: dict[Name, str] = {}
        for (team, kind), some in _hundreds(names):
            asked = await self._filters.of(kind)
            items = await self._items(team, kind, some, asked.name)
            for item in (each for each in items if "body_markdown" in each):
                post, read = text_of(item, escaped=asked.escaped)
                name = _standing(kind, team, item).name
                digests[name] = fingerprint(post, read=read).text
        return digests

    async def _items(
        self, team: str | None, kind: str, some: Sequence[Name], shown: str
    ) -> list[dict[str, Any]]:
        path = f"{PREFIX}/{kind}s/{';'.join(str(name.number) for name in some)}"
        told = await self._reader.get(API, path, _query(team) | {"filter": shown})
        return items_of(told, f"{PREFIX}/{kind}s")


def _hundreds(
    names: Collection[Name],
) -> Iterator[tuple[tuple[str | None, str], Sequence[Name]]]:
    """Give names by team and kind, as many at a time as a path may hold."""
    groups: dict[tuple[str | None, str], list[Name]] = defaultdict(list)
    for name in names:
        groups[name.team, name.kind].append(name)
    for key, group in groups.items():
        for first in range(0, len(group), PAGE):
            yield key, group[first : first + PAGE]


def _query(team: str | None) -> dict[str, str | int]:
    # `team` is safe only because no credential is in the query: SOE would end a token there.
    return {"pagesize": PAGE} | ({"team": team} if team else {})


def _standing(kind: str, team: str | None, item: Mapping[str, Any]) -> Standing:
    owner = item.get("owner") or {}
    author = owner.get("user_id")
    at = float(item.get("creation_date") or 0)
    edited = item.get("last_edit_date") or (at if item.get("edited") is True else None)
    return Standing(
        name=Name(team, f"{kind}/{item.get(f'{kind}_id')}"),
        thread=item.get("question_id") if kind == "answer" else item.get("post_id"),
        account=owner.get("account_id") or author,
        author=author,
        at=at,
        edited=None if edited is None else float(edited),
        url=link_of(item),
        score=item.get("score") or 0,
        closed=item.get("closed_date") is not None,
    )
