"""Reads all sources and has their posts remembered, keeping how far it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model import Published
from gateway.offline.reading.reader import NotThereError, Reader, ReadingError
from gateway.offline.reading.v23 import API as V23
from gateway.offline.seed import v3, v23
from gateway.offline.seed.posts import Batch, Source
from gateway.offline.seed.progress import Progress

AUTO = "auto"
APIS = (AUTO, V23, v3.API)
_AT_ONCE = 100
"""Posts in one call of state, which has little time for each."""


class Remembers(Protocol):
    """What is asked of state."""

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        """As `ports.Administered.remember`."""


class Watcher(Protocol):
    """Who is told how it goes."""

    def begins(self, source: str, count: int | None) -> None:
        """Tell that a source begins; `count` is how much there is, None where nobody knows."""

    def advances(self, done: int) -> None:
        """Tell of a batch, in the unit of `count`."""

    def ends(self, source: str) -> None:
        """Tell that a source is read to its end."""

    def note(self, text: str) -> None:
        """Tell something else."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run did so far.

    Attributes:
        read: posts that were read.
        remembered: of them, posts that are new to state, or have another text.
        skipped: of them, posts without words, and deleted ones.
        missing: sources that the site does not have.
    """

    read: int = 0
    remembered: int = 0
    skipped: int = 0
    missing: list[str] = field(default_factory=list)


async def choose(
    api: str, reader: Reader, teams: Sequence[str | None], now: Callable[[], float]
) -> list[Source]:
    """Give the lists that are to be read: of v2.3, or of v3 where v2.3 is not there.

    Raises:
        ReadingError: the site does not answer, or has not the API that was asked for.
    """
    if api != v3.API:
        listed = v23.sources(reader, teams)
        try:
            await listed[0].count({})
        except NotThereError:
            if api != AUTO:
                raise
            reader.note("The site has no API v2.3; reading v3.")
        else:
            return list(listed)
    return list(v3.sources(reader, teams, now))


async def seed(
    sources: Sequence[Source],
    store: Remembers | None,
    progress: Progress,
    counts: Counts,
    watcher: Watcher,
    now: Callable[[], float],
) -> None:
    """Read every source from where it was left, and remember its posts; without a store, count.

    Raises:
        ReadingError: SOE does not let it go on.
        StoreError: state does not.
    """
    for source in sources:
        try:
            await _read(source, store, progress, counts, watcher, now)
        except NotThereError:
            counts.missing.append(source.name)
            watcher.note(f"{source.name}: the site has no such list.")
        except ReadingError as error:
            raise ReadingError(f"{source.name}: {error}") from error


async def _read(
    source: Source,
    store: Remembers | None,
    progress: Progress,
    counts: Counts,
    watcher: Watcher,
    now: Callable[[], float],
) -> None:
    position = progress.position(source.name)
    watcher.begins(source.name, await source.count(position))
    async for batch in source.batches(position):
        await _keep(batch, store, counts, now)
        if store is not None:  # only now: what is noted as read is remembered
            progress.put(source.name, batch.position)
        watcher.advances(batch.done)
    watcher.ends(source.name)


async def _keep(
    batch: Batch, store: Remembers | None, counts: Counts, now: Callable[[], float]
) -> None:
    counts.read += batch.read
    counts.skipped += batch.read - len(batch.posts)
    if store is None:
        return
    for first in range(0, len(batch.posts), _AT_ONCE):
        part = batch.posts[first : first + _AT_ONCE]
        counts.remembered += await store.remember(part, now())
