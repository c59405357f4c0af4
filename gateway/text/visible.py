"""What of a text a reader sees, as the parts in which it is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag


class Kind(IntFlag):
    """Whose words a passage has: the writer's own ones, unless said otherwise."""

    OWN = 0
    QUOTED = 1
    FORM = 2
    """Headings, items of task lists, what folds away: mostly given by a template."""
    UNSEEN = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text of one kind."""

    kind: Kind
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Visible:
    """What a reader sees, in order, and what stands beside it unseen."""

    passages: tuple[Passage, ...]
    unseen: tuple[str, ...] = field(default=(), repr=False)
