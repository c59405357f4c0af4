"""What several packages' tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers import Valkey

settings.register_profile("shared", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("shared")
os.environ.setdefault("SOE_GATEWAY_STATE_POSTS", "4096")  # else each gateway takes 48 MiB of disk


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server of this test process; empty it before use."""
    server = Valkey()
    yield server
    server.close()
