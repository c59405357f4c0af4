"""The loop that the gateway runs on."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run every test of this folder on uvloop."""
    return {"uvloop": uvloop.new_event_loop}
