"""What of a text a reader sees, as the parts in which it is told. Pure."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

OWN, QUOTED, FORM, UNSEEN = 0, 1, 2, 4
"""Whose words a passage has, as bits: the writer's own ones, unless said otherwise. What is a form's
is headings, items of task lists and what folds away: mostly given by a template."""


class Passage(NamedTuple):
    """A stretch of text of one kind."""

    kind: int
    text: str


class Visible(NamedTuple):
    """What a reader sees, in order, and what stands beside it unseen."""

    passages: tuple[Passage, ...]
    unseen: str = ""


Reading = Generator[None, None, Visible]
"""A reading that can be interrupted: it yields now and then, and returns what was read."""

_T = TypeVar("_T")


def finish(steps: Generator[None, None, _T]) -> _T:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: _T = end.value
            return result
