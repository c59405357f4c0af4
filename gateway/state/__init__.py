"""Where caps are counted and posts remembered: one file an engine, one line each in `STORES`.

Laws, held by one contract suite over all engines: `reserve` is one atomic step, also between
processes; no window ever holds more than its limit; a group is charged whole or not at all; what is
released leaves no trace, and what it would have replaced is back; what nobody settles keeps itself
after `PENDING_SECONDS`; entries are stamped in the order in which they were reserved. No engine
holds the text of a post.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.errors import StoreError
from gateway.ports import Administered
from gateway.state.lists import POSTS_AT_MOST
from gateway.state.memory import MemoryStore
from gateway.state.terms import Terms

# An engine is imported where it is opened: who tests policies waits for none of them.


def _sqlite(url: str, terms: Terms) -> Administered:
    from gateway.state.sqlite import open_sqlite

    return open_sqlite(url, terms)


def _redis(url: str, terms: Terms) -> Administered:
    from gateway.state.redis import open_redis

    return open_redis(url, terms)


STORES: Mapping[str, Callable[[str, Terms], Administered]] = {
    "memory": lambda _url, terms: MemoryStore(terms.keep, min(terms.posts, POSTS_AT_MOST)),
    "sqlite": _sqlite,
    "redis": _redis,
    "rediss": _redis,
    "unix": _redis,
}
"""By scheme, what opens a store from its URL."""


def open_store(url: str, terms: Terms) -> Administered:
    """Open the store that a URL names.

    `memory:`, `sqlite:///relative`, `sqlite:////absolute`, or Redis or Valkey as
    `address.py` reads it: `redis://host`, `rediss://host` with TLS, `unix:///path`.

    Raises:
        StoreError: nothing is known by this name, or it cannot be opened.
    """
    scheme = url.partition(":")[0]
    if scheme not in STORES:
        raise StoreError(f"{scheme}: is no state; there are {', '.join(STORES)}")
    return STORES[scheme](url, terms)


__all__ = ["STORES", "Terms", "open_store"]
