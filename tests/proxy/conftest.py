"""The loop that the gateway runs on, and a gateway in one process."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from gateway.state.memory import MemoryStore
from tests.proxy.rig import Rig, Scripted, build


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run every test of this folder on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """The gateway, with state in memory and its audit log on disk."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rig = build(tmp_path, port, MemoryStore(86_400.0), soe)
    yield rig
    await rig.audit.close()
    server.close()
