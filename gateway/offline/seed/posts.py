"""What is remembered of a post, and what a list of posts gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.model import Post, Published
from gateway.offline.reading.reader import ReadingError
from gateway.soe.answers import link_of
from gateway.text import markdown
from gateway.text.fingerprint import fingerprint
from gateway.text.normalize import Read

Position = Mapping[str, Any]
"""How far a list was read, in its source's own words; JSON. Empty before the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some posts of a list.

    Attributes:
        posts: those that are to be remembered.
        read: how many were read, those without text among them.
        done: by how much the source's `count` went down.
        position: where reading goes on after them.
    """

    posts: tuple[Published, ...]
    read: int
    done: int
    position: Position


class Source(Protocol):
    """A list of posts that can be read on from where an earlier run ended.

    Attributes:
        name: for people, and for the record of progress.
    """

    @property
    def name(self) -> str:
        """For people, and for the record of progress."""

    async def count(self, position: Position) -> int | None:
        """Tell how much there is from a position on; None where nobody knows.

        Raises:
            NotThereError: the site has no such list.
        """

    def batches(self, position: Position) -> AsyncIterator[Batch]:
        """Give everything from a position on."""


def source_name(api: str, team: str | None, what: str) -> str:
    """Name a list, as `v2.3 team red answers`."""
    return f"{api} {f'team {team}' if team else 'main site'} {what}"


def published(
    kind: str,
    item: Mapping[str, Any],
    post: Post,
    *,
    team: str | None,
    read: Read = markdown.read,
) -> Published | None:
    """Make what is remembered of a post as SOE shows it; None where it has no words.

    Place and operation are those that the same post would have had as a write (`soe.read`): an
    answer stands under its question, a question or article is the head of its own thread.

    Args:
        read: how the body is written; `page.read` for HTML.

    Raises:
        ReadingError: it has no number.
    """
    person = _number(item.get("owner") or {}, "user_id", "id")
    author = f"person:{'unknown' if person is None else person}"
    found = fingerprint(post, author, read)
    if not found.words:
        return None
    number = _number(item, f"{kind}_id", "id")
    question = _number(item, "question_id", "questionId") if kind == "answer" else None
    if number is None or (kind == "answer" and question is None):
        raise ReadingError(f"SOE lists {kind}s that have no number")
    return Published(
        post=f"{kind}/{number}",
        author=author,
        operation=f"{kind}.create",
        team=team,
        thread=None if question is None else f"question/{question}",
        url=link_of(item),
        fingerprint=found,
    )


def _number(item: Mapping[str, Any], *names: str) -> int | None:
    return next((item[name] for name in names if type(item.get(name)) is int), None)
