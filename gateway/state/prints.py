"""The table of prints: which posts are listed under a print, and which a new one asks for. Pure.

A post is the set of its prints (winnowed pieces of its text). It is listed under its smallest ones,
under more of them if it is long: of a long text only a part may be copied. A new post asks with all
of its own, so that whatever is added to a copy hides nothing. Posts that share two prints or more
are candidates.

The table is a hint, the posts are the truth. A row holds sixteen entries, each the mark of a print
(its upper half; the lower chooses the row) and the number of a post. Of one print it keeps the oldest few and the newest: so no flood of copies pushes
out the post that they copy. It never grows: where a row is full, the oldest of other prints goes. It
may name posts that are gone, which whoever reads them finds out.

Laws:
    Numbers rise from 1, and those below `first` are of no post any more. Adding and removing are
    done under a lock; finding needs none, also in another process that maps the same memory: at
    worst an entry that is just being replaced names another post.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from mmap import mmap
from operator import itemgetter
from typing import Protocol, TypeVar

from gateway.model import Lookup, Reservation
from gateway.state.print_rows import AT_LEAST, HEAD, ROW, remove, rows_in

try:
    from gateway.state.print_rows_c import add, most_hit, shared
except ImportError:  # no compiler was there when the package was built
    from gateway.state.print_rows import add, most_hit, shared

REMEMBERED = 15
"""The smallest prints of a post, under which it is found again: so many, if it has them."""
_REMEMBERED_AT_MOST = 28
_SHARE = 18
"""Of a long text one of so many prints is listed. On average it is 15 of a post."""

CANDIDATES = 24
"""The posts that share the most prints are told, and no others."""

ACROSS = 0
"""The salt of the list across all teams."""

_LARGEST = 2**32 - 1
"""A post with a higher number is not listed: that is some 130 years of a write a second."""


@lru_cache(1024)
def salt(team: str | None) -> int:
    """Give what is mixed into the prints of a team, or of the main site.

    So the same text of two teams does not stand in the same row, where one could crowd out the other.
    """
    digest = blake2b((team or "").encode("utf-8", "replace"), digest_size=4).digest()
    return int.from_bytes(digest, "little") | 1  # not `ACROSS`


def listed(prints: bytes) -> bytes:
    """Give the prints under which a post is listed; the smallest before any salt is mixed in."""
    among = len(prints) // 4
    return prints[: 4 * min(max(REMEMBERED, among // _SHARE), _REMEMBERED_AT_MOST)]


def salts(reservation: Reservation) -> frozenset[int]:
    """Give the lists in which the look-ups of a reservation search for near-copies."""
    found = reservation.write.fingerprint
    if found is None or not found.prints:
        return frozenset()
    return frozenset(
        searched(need)
        for group in reservation.groups
        for need in group.values()
        if isinstance(need, Lookup) and need.near
    )


def searched(lookup: Lookup) -> int:
    """Give the salt of the list that a look-up searches."""
    return ACROSS if lookup.across_teams else salt(lookup.team)


class Listed(Protocol):
    """A post that stands in a list."""

    @property
    def number(self) -> int:
        """Its number: the higher, the newer."""

    @property
    def prints(self) -> bytes | None:
        """Those under which it is listed."""


_Post = TypeVar("_Post", bound=Listed)


def nearest(prints: bytes, posts: Iterable[_Post]) -> list[_Post]:
    """Give the posts that share enough prints, the most shared first, then the newer."""
    near = [
        (count, post.number, post)
        for post in posts
        if (count := shared(prints, post.prints or b"")) >= AT_LEAST
    ]
    near.sort(key=itemgetter(0, 1), reverse=True)
    return [post for _, _, post in near]


def table_size(rows: int) -> int:
    """The bytes of a table: 96 for each row, and a row does for one post."""
    if rows < 1 or rows & (rows - 1):
        raise ValueError(f"{rows} is no power of two")
    return HEAD + rows * ROW


def rows_for(posts: int) -> int:
    """The rows that remember so many posts, or somewhat more: always a power of two."""
    return int(1 << (max(1, posts) - 1).bit_length())


class PrintTable:
    """Rows in a mapping, which may be of a file."""

    def __init__(self, memory: mmap) -> None:
        assert len(memory) == table_size(rows_in(memory))
        self.memory = memory

    def most_hit(
        self, prints: bytes | array[int], first: int, last: int, salt: int = ACROSS
    ) -> list[int]:
        """Give the numbers of the posts that share the most prints, from the first to the last.

        The newer come first among equals. A post that shares one print alone is not among them.
        """
        return most_hit(self.memory, prints, salt, first, last)

    def add(self, number: int, prints: bytes | array[int], first: int, salt: int = ACROSS) -> None:
        """List a post under its prints; doing it twice is doing it once."""
        if number <= _LARGEST:
            add(self.memory, prints, salt, number, first)

    def remove(self, number: int, prints: bytes | array[int], salt: int = ACROSS) -> None:
        """Take a post out of the lists of its prints."""
        remove(self.memory, prints, salt, number)
