"""Little patience for the calls of a test that are about it, and for no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.state.redis.client import Client
from tests.patience import eventually


@contextmanager
def impatient(client: Client) -> Iterator[None]:
    """Let the calls that begin here end soon, answered or not."""
    patience, client._timeout = client._timeout, 0.2
    try:
        yield
    finally:
        client._timeout = patience


async def written(client: Client, number: int, word: bytes) -> None:
    """Wait until so many commands with this word have gone out, and none was answered."""

    def waiting() -> int:
        connection = client._connection
        return 0 if connection is None else sum(word in each[0] for each in connection.waiting)

    await eventually(lambda: waiting() >= number)
