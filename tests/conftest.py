"""What several packages' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers import Valkey

settings.register_profile("shared", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("shared")


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server of this test process; empty it before use."""
    server = Valkey()
    yield server
    server.close()
