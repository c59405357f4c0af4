"""Where caps are counted and posts remembered: one file an engine, one line each in `STORES`.

Laws, held by one contract suite over all engines: `reserve` is one atomic step, also between
processes; no window ever holds more than its limit; what is released leaves no trace; what nobody
settles keeps itself after `PENDING_SECONDS`; entries are stamped in the order in which they were
reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.ports import Store
from gateway.state.memory import MemoryStore
from gateway.state.sqlite import open_sqlite

STORES: Mapping[str, Callable[[str, float, float], Store]] = {
    "memory": lambda _, keep, __: MemoryStore(keep),
    "sqlite": open_sqlite,
}


def open_store(url: str, *, keep: float, timeout: float) -> Store:
    """Open the store that a URL names: `memory:` or `sqlite:///path`.

    Args:
        keep: seconds after which posts and charges are forgotten.
        timeout: seconds that a call may take.

    Raises:
        StoreError: it cannot be opened.
    """
    scheme, _, rest = url.partition(":")
    return STORES[scheme](rest.removeprefix("//").removeprefix("/"), keep, timeout)
