"""The lists of API v3: questions with their answers, and articles.

v3 has no list of all answers, so every question that has some is asked for its own; and its lists
give HTML alone, which is reduced to the words of the Markdown behind it. What was active since a
run that ended is read from the newest on, because `from` is not said to mean activity.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model import Post, Published
from gateway.offline.reading.reader import NotThereError, Reader, items_of
from gateway.offline.seed.posts import Batch, Position, published, source_name
from gateway.text import page

API = "v3"
_PAGE = 100
_FROM_THE_FIRST = ("creation", "asc")
_FROM_THE_NEWEST = ("activity", "desc")
_CLOCKS_DIFFER = 600.0
"""Seconds by which SOE's clock may be behind ours."""


def sources(reader: Reader, teams: Sequence[str | None], now: Callable[[], float]) -> list[Threads]:
    """Give every list of each team, None being the main site."""
    kinds = ("question", "article")
    return [Threads(reader, team, kind, now) for team in teams for kind in kinds]


@dataclass(frozen=True, slots=True)
class Threads:
    """The questions or articles of one team, with what stands under them: a `posts.Source`."""

    reader: Reader
    team: str | None
    kind: str
    now: Callable[[], float]

    @property
    def name(self) -> str:
        """As `posts.Source.name`."""
        what = "questions and answers" if self.kind == "question" else "articles"
        return source_name(API, self.team, what)

    @property
    def path(self) -> str:
        """Where the list is."""
        return f"/api/v3/teams/{self.team}/{self.kind}s" if self.team else f"/api/v3/{self.kind}s"

    async def count(self, position: Position) -> int | None:
        """As `posts.Source.count`; threads, not posts."""
        told = await self.reader.get(API, self.path, {"page": 1, "pageSize": 15})
        total = told.get("totalCount")
        if not isinstance(total, int) or "since" in position:
            return None
        behind = (int(position.get("page", 1)) - 1) * _PAGE
        return max(0, total - behind)

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """As `posts.Source.batches`.

        The first time all pages are read, `page` being the next and `begun` the instant of the
        first. Then it is what was active after `since`, the beginning of the last complete reading.
        """
        since = position.get("since")
        page = position.get("page", 1)
        begun = position.get("begun", self.now() - _CLOCKS_DIFFER)
        order = _FROM_THE_FIRST if since is None else _FROM_THE_NEWEST
        last = False
        while not last:
            told = await self.reader.get(API, self.path, _query(page, *order))
            listed = items_of(told, self.path)
            items = [item for item in listed if since is None or _active(item) >= since]
            page += 1
            last = page > _pages(told) or not listed or len(items) < len(listed)
            yield self._batch(self.kind, items, position, done=len(items))
            async for answers in self._answers(items):
                yield self._batch("answer", answers, position)
            if last:
                position = {"since": begun}
            elif since is None:
                position = {"page": page, "begun": begun}
            yield self._batch(self.kind, [], position)

    async def _answers(
        self, questions: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Give the answers of each question that has some."""
        for question in questions:
            if self.kind != "question" or not question.get("answerCount") or _is_gone(question):
                continue
            path = f"{self.path}/{question.get('id')}/answers"
            page = pages = 1
            while page <= pages:
                try:
                    told = await self.reader.get(API, path, _query(page, *_FROM_THE_FIRST))
                except NotThereError:  # deleted since it was listed
                    break
                yield items_of(told, path)
                pages = _pages(told)
                page += 1

    def _batch(
        self, kind: str, items: Sequence[Mapping[str, Any]], position: Position, done: int = 0
    ) -> Batch:
        posts = filter(None, (self._published(kind, item) for item in items))
        return Batch(posts=tuple(posts), read=len(items), done=done, position=position)

    def _published(self, kind: str, item: Mapping[str, Any]) -> Published | None:
        if _is_gone(item):
            return None
        post = Post(title=str(item.get("title") or ""), body=str(item.get("body") or ""))
        return published(kind, item, post, team=self.team, read=page.read)


def _query(page: int, sort: str, order: str) -> dict[str, str | int]:
    return {"page": page, "pageSize": _PAGE, "sort": sort, "order": order}


def _is_gone(item: Mapping[str, Any]) -> bool:
    return item.get("isDeleted") is True


def _pages(told: Mapping[str, Any]) -> int:
    pages = told.get("totalPages")
    return pages if isinstance(pages, int) else 1


def _active(item: Mapping[str, Any]) -> float:
    """When a thread was active; what cannot be read is taken for new."""
    try:
        at = datetime.datetime.fromisoformat(str(item.get("lastActivityDate")))
    except ValueError:
        return float("inf")
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
