"""What several packages' tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby, islice

import pytest
from hypothesis import settings

from tests.servers import Valkey

settings.register_profile("shared", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("shared")
os.environ.setdefault("SOE_GATEWAY_STATE_POSTS", "4096")  # else each gateway takes 48 MiB of disk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each process of tests begin with its part of the slow files, and end with what is quick.

    Each begins with one part of all tests in this order, and who is done takes from the end of what
    others still have: no slow test is left for the end, when nobody else has anything to do.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    slow = [each for each in files if any(item.get_closest_marker("slow") for item in each)]
    quick = (item for each in files if each not in slow for item in each)
    part = len(items) // processes
    ordered: list[pytest.Item] = []
    for number in range(processes):
        first = [item for each in slow[number::processes] for item in each]
        ordered += [*first, *islice(quick, max(0, part - len(first)))]
    items[:] = [*ordered, *quick]


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server of this test process; empty it before use."""
    server = Valkey()
    yield server
    server.close()
