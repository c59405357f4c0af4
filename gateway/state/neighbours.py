"""Near-copies in Redis, with `neighbours.lua`: the keys of rows, and posts as its functions wrote them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An earlier post that may be a near-copy: its write, and all its prints."""

    write_id: str
    prints: array[int]


_ROWS = 1 << 20
"""Of the table in Redis: short rows cost memory for their keys, long ones time."""


def row_keys(site: str, prints: array[int]) -> list[bytes]:
    """Give the keys of the rows of a post's prints, for the scripts with neighbours.lua."""
    start = f"{site}:near:".encode()
    return [start + (value % _ROWS).to_bytes(3, "little") for value in prints]


def from_redis(post: bytes) -> Neighbour:
    """Read a post as `near_add` wrote it."""
    write_id, _, prints = post.partition(b"\0")
    return Neighbour(write_id.decode(), array("I", prints))
