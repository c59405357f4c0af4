"""What several packages' tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import settings

from tests.servers import Valkey

PATIENT = {
    "IDENTIFY_PERSON_TIMEOUT": "30s",
    "SERVER_BODY_TIMEOUT": "60s",
    "SERVER_DRAIN": "60s",
    "SERVER_HEAD_TIMEOUT": "30s",
    "STATE_TIMEOUT": "30s",
    "UPSTREAM_CONNECT_TIMEOUT": "30s",
    "UPSTREAM_FIRST_BYTE_TIMEOUT": "60s",
    "UPSTREAM_TOTAL_TIMEOUT": "90s",
}
"""Settings of every gateway, but where a test is about one: a busy machine is no fault of the code."""

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
for _name, _value in (PATIENT | {"STATE_POSTS": "4096"}).items():  # else each takes 48 MiB of disk
    os.environ.setdefault(f"SOE_GATEWAY_{_name}", _value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of two processes begin with half of the slow files, and end with what is quick.

    Each begins with one half of all tests in this order, and who is done takes from the end of what
    the other still has: no slow test is left for the end, when nobody else has anything to do.
    """
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    slow = [each for each in files if any(item.get_closest_marker("slow") for item in each)]
    quick = [item for each in files if each not in slow for item in each]
    first, second = ([item for each in slow[start::2] for item in each] for start in (0, 1))
    half = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *quick[:half], *second, *quick[half:]]


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server of this test process; empty it before use."""
    server = Valkey()
    yield server
    server.close()
