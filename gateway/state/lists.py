"""Posts in this process alone, and the lists in which near-copies find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from mmap import mmap

from gateway.model import Outcome, Write
from gateway.state.accounting import PENDING_SECONDS
from gateway.state.prints import (
    ACROSS,
    PrintTable,
    listed,
    nearest,
    rows_for,
    salt,
    table_size,
)

POSTS_AT_MOST = 1 << 16
"""Among which near-copies are found in a gateway, whatever the settings say: their table takes 96 B
for each."""


@dataclass(slots=True)
class Entry:
    """What is kept of a reserved write, when it was stamped, and what became of it.

    `text`, `event`, `prints` and `sketch` are of its fingerprint, `prints` those under which it is
    listed; all are empty where it publishes nothing, or its text is to be forgotten.
    """

    id: str
    at: float
    request: str
    key: str | None
    integration: str
    token: str | None
    author: str
    operation: str
    team: str | None
    thread: str | None
    target: str | None
    replaces: tuple[str, ...] = ()
    across: bool = False
    """Whether it is listed for all teams as well."""
    text: str = ""
    event: str = ""
    prints: bytes = b""
    sketch: bytes = b""
    outcome: Outcome | None = None
    post: str | None = None
    url: str | None = None
    caps: list[str] = field(default_factory=list)
    number: int = 0
    """Of the post in the lists of prints; 0 where it stands in none."""

    def outcome_at(self, now: float) -> Outcome | None:
        """None while in flight; `unknown` where nobody settled it in time."""
        if self.outcome is None and now - self.at >= PENDING_SECONDS:
            return Outcome.UNKNOWN
        return self.outcome

    @property
    def digests(self) -> tuple[tuple[str, str], ...]:
        """Under which its post is found."""
        return (("text", self.text), ("event", self.event)) if self.text else ()

    @property
    def lists(self) -> tuple[int, ...]:
        """The salts of the lists in which its prints stand."""
        return (salt(self.team), ACROSS) if self.across else (salt(self.team),)

    def forget_text(self) -> None:
        """Keep that it was written, and no more."""
        self.text = self.event = ""
        self.prints = self.sketch = b""


def entry_of(
    write: Write, at: float, replaces: tuple[str, ...] = (), *, across: bool = False
) -> Entry:
    """Give what is kept of a write."""
    entry = Entry(
        id=write.id,
        at=at,
        request=write.request,
        key=write.key,
        integration=write.integration,
        token=write.token,
        author=write.author,
        operation=write.operation,
        team=write.team,
        thread=write.thread,
        target=write.target,
        replaces=replaces,
        across=across,
    )
    found = write.fingerprint
    if write.publishes and found is not None:
        entry.text, entry.event, entry.sketch = found.text, found.event, found.sketch
        entry.prints = listed(found.prints)
    return entry


class Lists:
    """Which posts are listed under a print; its table is made when a post has prints."""

    def __init__(self, posts: int) -> None:
        self._rows = rows_for(posts)
        self._made: PrintTable | None = None
        self._posts: dict[int, Entry] = {}
        self._last = 0

    def add(self, entry: Entry) -> None:
        """List a post; what is listed already is listed again where it was pushed out."""
        if not entry.prints:
            return
        if entry.number and entry.number == self._last:
            return  # nothing came since that could have pushed it out
        if not entry.number:
            self._last += 1
            entry.number = self._last
            self._posts[entry.number] = entry
        for each in entry.lists:
            self._table.add(entry.number, entry.prints, self._first, each)

    def remove(self, entry: Entry) -> None:
        """Take a post out."""
        if not entry.number:
            return
        for each in entry.lists:
            self._table.remove(entry.number, entry.prints, each)
        del self._posts[entry.number]
        entry.number = 0

    def find(self, prints: bytes, salt: int) -> list[Entry]:
        """Give the posts of a list that share prints, the most shared first, then the newer."""
        numbers = self._table.most_hit(prints, self._first, self._last, salt)
        there = (self._posts.get(number) for number in numbers)
        return nearest(prints, filter(None, there))

    @property
    def _first(self) -> int:
        return next(iter(self._posts), self._last + 1)

    @property
    def _table(self) -> PrintTable:
        if self._made is None:
            self._made = PrintTable(mmap(-1, table_size(self._rows)))
        return self._made
