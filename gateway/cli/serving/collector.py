"""How seldom Python looks for cycles of garbage in a process that serves.

A write leaves hardly any, and what state remembers of it lives for months: to look after every few
hundred new objects, as Python does by itself, takes a twentieth of the time of judging.
"""

from __future__ import annotations

import gc

_YOUNG = 10_000
"""New objects after which is looked for cycles: some forty writes, and looking takes half a
millisecond."""


def spare() -> None:
    """Never look again at what is there now, and seldom at what comes."""
    gc.freeze()
    _, older, oldest = gc.get_threshold()
    gc.set_threshold(_YOUNG, older, oldest)
