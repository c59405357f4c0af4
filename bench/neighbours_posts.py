"""Made-up posts, each a function of its number: sets of prints as winnowing gives them."""

from __future__ import annotations

import random
from array import array
from itertools import accumulate
from math import exp

_MU, _SIGMA = 4.186, 1.04
"""Log-normal numbers of prints: mean 113, 99 % below 740."""
_MOST = 512
_PHRASES = 50_000
_COMMON = 0.10
_COPIES = 0.05


class Posts:
    """Posts by number; the same seed gives the same posts."""

    def __init__(self, seed: int = 7) -> None:
        self._seed = seed
        rng = random.Random(seed)
        self._phrases = [rng.getrandbits(48) for _ in range(_PHRASES)]
        weights = list(accumulate(1 / rank**1.05 for rank in range(1, _PHRASES + 1)))
        self._weights = [weight / weights[-1] for weight in weights]

    def post(self, number: int) -> tuple[list[int], int | None]:
        """Give a post's prints, ascending, and the number of the earlier one it copies."""
        rng = random.Random(self._seed * 1_000_003 + number)
        if number > 100 and rng.random() < _COPIES:
            original = rng.randrange(number)
            return self._copy(self.post(original)[0], rng), original
        count = max(1, int(exp(rng.gauss(_MU, _SIGMA))))
        own = array("Q", rng.randbytes(8 * count))
        common = round(count * _COMMON)
        prints = {value >> 16 for value in own[common:]}
        prints.update(rng.choices(self._phrases, cum_weights=self._weights, k=common))
        return sorted(prints)[:_MOST], None

    def _copy(self, prints: list[int], rng: random.Random) -> list[int]:
        kept = rng.sample(prints, max(1, round(len(prints) * rng.uniform(0.80, 0.95))))
        fresh = [rng.getrandbits(48) for _ in range(len(prints) - len(kept))]
        return sorted({*kept, *fresh})[:_MOST]

    def near_copy(self, number: int, seed: int) -> list[int]:
        """Give another near-copy of a post."""
        return self._copy(self.post(number)[0], random.Random(seed))
