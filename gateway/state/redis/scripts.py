"""The transactions: `.lua` files of this folder, each behind those that all share, run for the one site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.state.redis.client import Client, Script
from gateway.state.redis.connection import Word

SITE = "{soe-gateway}"
"""How all keys begin; its hash tag keeps them together in a cluster."""
_NAMES = (
    *("reserve", "settle", "keep_answer", "remember", "put_back", "adopt", "accept_loss"),
    *("forget", "posts", "release", "notes", "switch"),
)


_FOLDER = Path(__file__).parent
PRELUDE = "\n".join(
    (_FOLDER / f"{name}.lua").read_text() for name in ("prelude", "rows", "uses", "endings")
)
"""What stands before each script."""


class Scripts:
    """Runs scripts by their names; what they answer is bytes."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scripts = {name: _read(name) for name in _NAMES}

    async def run(self, name: str, *args: Word) -> Any:
        """Run a script.

        Raises:
            StoreError: there is no answer, or it is an error, whose first word is `code`.
        """
        return await self._redis.run(self._scripts[name], [SITE], args)

    async def run_in_turn(self, name: str, args: Sequence[Word]) -> Any:
        """Run a script as a whole: one that is sent twice would be overtaken by what comes after.

        Raises:
            StoreError: as `run`.
        """
        return await self._redis.call("EVAL", self.text(name), 1, SITE, *args)

    def text(self, name: str) -> str:
        """Give a script as the server gets it."""
        return self._scripts[name].text


def _read(name: str) -> Script:
    return Script.of(f"{PRELUDE}\n{(_FOLDER / f'{name}.lua').read_text()}")
