"""What of a text a reader sees, as the parts in which it is told. Pure."""

from __future__ import annotations

from typing import NamedTuple

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
    unseen: tuple[str, ...] = ()
