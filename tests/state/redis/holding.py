"""What a server holds, asked behind the store's back."""

from __future__ import annotations

from gateway.state.redis.records import mark_of, named
from gateway.state.redis.scripts import PRELUDE, SITE
from tests.servers import Valkey

_IS_THERE = PRELUDE + "return find(ARGV[1], ARGV[2]) and 1 or 0"


def holds(server: Valkey, write_id: str) -> bool:
    """Whether a write is remembered."""
    short = named(write_id)
    told = server.ask("EVAL", _IS_THERE, "1", SITE, short, mark_of(short))
    assert told[:1] == b":", told
    return told == b":1\r\n"
