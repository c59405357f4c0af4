"""What several packages' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Valkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server of this test process; empty it before use."""
    server = Valkey()
    yield server
    server.close()
