"""What every check has."""

from __future__ import annotations

from typing import ClassVar, Protocol

from gateway.model import Answer, Need, Violation, Write


class Check(Protocol):
    """A check with its parameters.

    `status` is that of its violations, `needs_state` tells whether it ever asks state, `needs_text`
    whether it passes whatever has no text, `needs_person` whether what it asks state depends on who
    acts, and `placeholders` are the names of its figures that a rule's message may use.
    """

    name: ClassVar[str]
    status: ClassVar[int]
    needs_state: ClassVar[bool]
    placeholders: ClassVar[tuple[str, ...]]

    @property
    def needs_text(self) -> bool: ...  # noqa: D102
    @property
    def needs_person(self) -> bool: ...  # noqa: D102

    def need(self, write: Write, rule: str) -> Need | None:
        """What to ask of state; None where the check needs no answer for this write."""

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Why the write fails, or None. `answer` is None exactly where `need` was."""
