"""No logs: a post is what somebody says, not what a machine put out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.model import Answer, Violation, Write
from gateway.text.log_share import LogShare, log_share

AUTOMATED = 5
"""So many times the words are wanted where headings say that a tool filled the form in: such a
form asks for some in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogText:
    """Log lines and stack traces leave room for somebody's own words.

    Attributes:
        share: of the letters that a reader sees outside headings, from which it is too much, 0 to 1.
        lines: fewer lines of a log do not count, unless there is nothing else.
        words: with so many words of its own a post passes, however long its log.
    """

    name: ClassVar[str] = "log_text"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = False
    needs_text: ClassVar[bool] = True
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ("percent", "lines", "words")

    share: float = 0.6
    lines: int = 3
    words: int = 6

    def need(self, write: Write, rule: str) -> None:
        """Ask nothing: the text says it all."""

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the post in which somebody says something, or the log is the smaller part."""
        found = log_share(write.post.title, write.post.body)
        if not self._is_too_much(found):
            return None
        told = "1 line" if found.lines == 1 else f"{found.lines} lines"
        return Violation(
            code=self.name,
            status=self.status,
            message=(
                f"{told} of a log or stack trace make {found.share:.0%} of this text; "
                f"words of its own: {found.own_words}."
            ),
            fix=(
                "Say what somebody wanted to do, what happened instead, and what was tried; quote "
                "the few lines that matter. Bundle the entries of a log into one question about "
                "their cause, and count them there."
            ),
            evidence={
                "share": round(found.share, 4),
                "lines": found.lines,
                "words": found.own_words,
                "automated": found.automated,
                "limit": self.share,
            },
        )

    def _is_too_much(self, found: LogShare) -> bool:
        if found.share < self.share or found.lines == 0:
            return False
        if found.lines < self.lines and found.own_words:
            return False
        return found.own_words < self.words * (AUTOMATED if found.automated else 1)
