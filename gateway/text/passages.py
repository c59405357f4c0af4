"""The passages of a new text that stand in an earlier one, for whoever is refused. Pure.

Of the earlier text only its sketch is left, so they are cut from the new one: where its prints are
those of the sketch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from gateway.model import Post
from gateway.text import markdown
from gateway.text.normalize import Read, normalize
from gateway.text.prints_numpy import GRAM, gram_hashes, winnowed
from gateway.text.shown import shown
from gateway.text.sketch import Sketch

_GAP = 12
"""Letters between two shared prints of one passage, where all prints of the earlier text are kept."""
_WORDS = 4
_SHOWN = 200


def passages(
    post: Post, earlier: Sketch, *, most: int = 3, read: Read = markdown.read
) -> tuple[str, ...]:
    """Give the longest passages that a post shares with an earlier text, the longest first.

    Args:
        post: the new one.
        earlier: the sketch of the earlier text.
        most: how many at most; each is cut after 200 characters.
        read: how the body is written; `page.read` for HTML.
    """
    normal = normalize(post.title, post.body, read)
    words = shown(post.title, post.body, read)
    ends = np.fromiter(accumulate(map(len, normal.full)), np.int64)
    if not len(ends):
        return ()
    runs = []
    for first, last in _shared("".join(normal.full), earlier):
        begin = int(np.searchsorted(ends, first, side="right"))
        end = int(np.searchsorted(ends, last, side="left")) + 1
        if end - begin >= _WORDS:
            runs.append((begin, end))
    runs.sort(key=lambda run: run[0] - run[1])
    return tuple(" ".join(words[begin:end])[:_SHOWN] for begin, end in runs[:most])


def _shared(letters: str, earlier: Sketch) -> Iterator[tuple[int, int]]:
    """Give the stretches of letters that both have, as their first and the one after the last."""
    hashes = gram_hashes(letters)
    kept = np.concatenate([np.asarray(part.kept) for part in (earlier.own, earlier.rest)])
    is_kept = np.zeros(1 << 16, np.bool_)
    is_kept[kept] = True
    chosen = winnowed(hashes)
    common = np.sort(chosen[is_kept[chosen & 0xFFFF]])
    if not len(common):
        return
    place = np.searchsorted(common, hashes).clip(max=len(common) - 1)
    at = np.flatnonzero(common[place] == hashes)
    total = earlier.own.total + earlier.rest.total
    breaks = np.flatnonzero(np.diff(at) > _GAP * total / max(1, len(kept)))
    for first, last in zip([0, *breaks + 1], [*breaks, len(at) - 1], strict=True):
        if last > first:  # one print alone may be chance
            yield int(at[first]), min(int(at[last]) + GRAM, len(letters))
