"""What a server holds, asked behind the store's back."""

from __future__ import annotations

from pathlib import Path

from gateway.state import redis
from gateway.state.redis.records import mark_of, named
from tests.servers import Valkey

_PRELUDE = (Path(redis.__file__).parent / "prelude.lua").read_text()
_IS_THERE = _PRELUDE + "return find(ARGV[1], ARGV[2]) and 1 or 0"


def holds(server: Valkey, write_id: str) -> bool:
    """Whether a write is remembered."""
    short = named(write_id)
    told = server.ask("EVAL", _IS_THERE, "1", "{soe-gateway}", short, mark_of(short))
    assert told[:1] == b":", told
    return told == b":1\r\n"
