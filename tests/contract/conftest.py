"""Every engine of state, empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ports import Administered
from gateway.state import Terms, open_store
from gateway.state.redis import RedisStore
from tests.patience import PATIENCE
from tests.servers import Valkey

KEEP = 86_400.0


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Administered]:
    """An empty store of each engine."""
    if request.param == "redis":
        opened: Administered = await emptied(request.getfixturevalue("valkey"))
    else:
        urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'state.db'}"}
        opened = open_store(urls[request.param], Terms(keep=KEEP, timeout=PATIENCE))
    yield opened
    await opened.close()


async def emptied(valkey: Valkey) -> Administered:
    """A store in an empty server, which takes its instants from the writes."""
    valkey.ask("FLUSHALL")
    return RedisStore(valkey.url, Terms(keep=KEEP, timeout=PATIENCE), stamped=True)
