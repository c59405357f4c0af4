"""Near-copies are found by the functions of neighbours.lua, in scripts of their own."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkey import Valkey as Redis

from gateway.state import neighbours
from gateway.state.neighbours import Neighbour, from_redis, row_keys
from tests.servers import Valkey

ROWS = 1 << 10
SITE = "{soe-gateway}"


class OverValkey:
    """The functions of neighbours.lua, each in a script."""

    def __init__(self, server: Valkey) -> None:
        self.redis = Redis(unix_socket_path=str(server.path))
        lua = Path(neighbours.__file__).with_suffix(".lua").read_text()
        asked = "local rows = {unpack(KEYS, 2)} local a, b, c = near_find(KEYS[1], rows, ARGV[1]) "
        self._find: Any = self.redis.register_script(lua + asked + "return a")
        add = "return near_add(KEYS[1], rows, ARGV[1], ARGV[2], b, c, ARGV[3])"
        self._add: Any = self.redis.register_script(lua + asked + add)

    def find(self, prints: array[int]) -> list[Neighbour]:
        keys = [SITE, *row_keys(SITE, prints)]
        return [from_redis(post) for post in self._find(keys=keys, args=[prints.tobytes()])]

    def add(self, write_id: str, at: float, prints: array[int]) -> int:
        keys = [SITE, *row_keys(SITE, prints)]
        return int(self._add(keys=keys, args=[prints.tobytes(), write_id, 1000]))

    def delete(self, number: int) -> None:
        self.redis.delete(f"{SITE}:near:post:{number}")


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A server for the module."""
    server = Valkey()
    yield server
    server.close()


@pytest.fixture
def engine(valkey: Valkey) -> OverValkey:
    """An empty server."""
    valkey.ask("FLUSHALL")
    return OverValkey(valkey)


def packed(prints: Iterable[int]) -> array[int]:
    """Prints as they are stored."""
    return array("I", [value & 0xFFFFFFFF for value in sorted(prints)])


def a_post(seed: int, size: int = 100) -> list[int]:
    """The prints of some text."""
    rng = random.Random(seed)
    return [rng.getrandbits(48) for _ in range(size)]


def ids(found: list[Neighbour]) -> list[str]:
    """Whose posts these are."""
    return [neighbour.write_id for neighbour in found]


def test_a_near_copy_finds_its_original(engine: OverValkey) -> None:
    """Four fifths of the prints are kept among three times as much other text."""
    original = a_post(3)
    for seed in range(300):
        engine.add(f"w{seed}", 1.0, packed(a_post(seed)))

    found = engine.find(packed([*original[:80], *a_post(1000, 300)]))

    assert ids(found) == ["w3"]
    assert len(set(found[0].prints).intersection(packed(original))) == 100


def test_a_phrase_in_all_posts_hides_none(engine: OverValkey) -> None:
    """A print that stands everywhere fills neither its row nor the answer."""
    phrases = [1 << 32, 2 << 32 | 1]
    engine.add("w", 1.0, packed([3 << 32 | ROWS, *a_post(5, 30)]))  # one row with the first
    for seed in range(100):
        engine.add(f"w{seed}", 1.0, packed([*phrases, *a_post(1000 + seed, 30)]))

    found = ids(engine.find(packed([*phrases, 3 << 32 | ROWS, *a_post(5, 30)])))

    assert found[0] == "w"


def test_all_keys_of_valkey_expire_but_the_counters(valkey: Valkey) -> None:
    """A site that writes no more leaves two numbers."""
    valkey.ask("FLUSHALL")
    state = OverValkey(valkey)
    state.add("w1", 1.0, packed(a_post(1)))
    keys: list[bytes] = list(state.redis.scan_iter(count=1000))
    lasting = [key for key in keys if state.redis.ttl(key) == -1]

    assert lasting == [f"{SITE}:near:last".encode()]


def test_rows_of_valkey_lose_what_is_gone(valkey: Valkey) -> None:
    """Entries of posts that expired are cut off where a row is next written."""
    valkey.ask("FLUSHALL")
    state = OverValkey(valkey)
    prints = packed(a_post(1))
    for number in range(1, 4):
        state.add(f"w{number}", 1.0, prints)
        state.delete(number)
    state.add("w4", 1.0, prints)
    row: Any = state.redis.get(row_keys(SITE, prints)[0])

    assert len(row) == 8
