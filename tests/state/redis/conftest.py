"""The loops that state runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

STANDARD = {"asyncio": asyncio.new_event_loop}


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the client on the gateway's loop too: the two differ in time and in closing."""
    both = STANDARD | {"uvloop": uvloop.new_event_loop}
    return both if item.path.stem == "test_client" else STANDARD
