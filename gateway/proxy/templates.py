"""Whose refused texts are remembered for their template: so many that a flood stays known, no more."""

from __future__ import annotations

EVERY = 60.0
"""Seconds between two refused texts of one author that are remembered."""
_AUTHORS_AT_MOST = 10_000


class Templates:
    """When a refused text of each author was last remembered, in this process."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def takes(self, author: str, at: float) -> bool:
        """Whether a refused text of an author is to be remembered now."""
        if at - self._last.get(author, float("-inf")) < EVERY:
            return False
        self._last.pop(author, None)
        self._last[author] = at
        if len(self._last) > _AUTHORS_AT_MOST:
            del self._last[next(iter(self._last))]
        return True
