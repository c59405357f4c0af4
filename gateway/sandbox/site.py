"""The site: its people, posts and tags, one space for the main site and one for each team."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyromark

from gateway.sandbox.people import People, User

MAX_TITLE = 150
MAX_BODY = 30_000
MAX_ARTICLE = 100_000
MAX_TAG = 35


class SiteError(Exception):
    """What the site refuses, as SOE words it. `kind` is the last part of v3's `type`."""

    def __init__(self, status: int, kind: str, title: str, detail: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail


@dataclass(slots=True)
class Post:
    """A question, answer, article, comment or collection."""

    kind: str
    id: int
    body: str
    owner: User
    created: datetime.datetime
    title: str = ""
    tags: tuple[str, ...] = ()
    parent: int | None = None
    article_type: str = "knowledgeArticle"
    editable_by: str = "ownerOnly"
    contents: tuple[int, ...] = ()
    client: str = ""
    accepted: bool = False
    closed: datetime.datetime | None = None
    edited: datetime.datetime | None = None
    answered: datetime.datetime | None = None
    up: set[int] = field(default_factory=set)
    down: set[int] = field(default_factory=set)
    bookmarks: set[int] = field(default_factory=set)
    flags: list[dict[str, Any]] = field(default_factory=list)

    @property
    def score(self) -> int:
        """Upvotes less downvotes."""
        return len(self.up) - len(self.down)

    @property
    def active(self) -> datetime.datetime:
        """When it, or for a question one of its answers, was last written or edited."""
        return max(filter(None, (self.created, self.edited, self.answered)))

    @property
    def html(self) -> str:
        """The body as SOE shows it."""
        return pyromark.html(self.body, options=pyromark.Options.ENABLE_TABLES).strip()


@dataclass(slots=True)
class Group:
    """A user group or a community."""

    id: int
    name: str
    description: str = ""
    members: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which members v2.3 shows beside the usual ones; an unsafe filter leaves text unescaped."""

    include: frozenset[str] = frozenset()
    unsafe: bool = False


_POSTS = ("question", "answer", "article", "comment")
BUILT_IN = {
    "default": Filter(),
    "withbody": Filter(frozenset(f"{kind}.body" for kind in _POSTS)),
    "total": Filter(frozenset({".total"})),
}
"""The filters that every site has."""


@dataclass(slots=True)
class Space:
    """The main site, or a team: posts by kind and id, tags by name."""

    name: str
    posts: dict[tuple[str, int], Post] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    experts: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    communities: dict[int, Group] = field(default_factory=dict)

    def of(self, kind: str, parent: int | None = None) -> list[Post]:
        """The posts of a kind, newest first; of one thread where `parent` is given."""
        found = [
            post
            for post in self.posts.values()
            if post.kind == kind and parent in (None, post.parent)
        ]
        return found[::-1]


class Site:
    """Everything there is; methods change it as SOE's write methods do.

    Args:
        lenient: makes a thread that somebody writes to without its being there, and takes
            questions without a title.
        tokens: the only ones that are known; with none, every token is somebody's.

    Attributes:
        people: who there is, and the tokens that act for them.
    """

    def __init__(self, *, lenient: bool = False, tokens: tuple[str, ...] = ()) -> None:
        self.lenient = lenient
        self.people = People(tokens)
        self.images: dict[str, bytes] = {}
        self.filters: dict[str, Filter] = dict(BUILT_IN)
        self._spaces: dict[str, Space] = {}
        self._ids: Iterator[int] = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Begin anew: a site with one question, its answer and a few tags."""
        self._spaces.clear()
        self.people.reset()
        self.images.clear()
        self._ids = itertools.count(1)
        person = self.user_of("ada")
        main = self.space(None)
        main.communities[1] = Group(1, "Platform", "Those who keep it running", [person.id])
        main.groups[1] = Group(1, "Reviewers", "Those who look twice", [person.id])
        question = self.add(
            main,
            "question",
            person,
            title="How do I log in after changing my badge?",
            body="The agent keeps my old badge and refuses the new one.",
            tags=("login", "agent"),
        )
        self.add(
            main,
            "answer",
            person,
            body="Sign out of the agent once; it reads the new badge when it starts.",
            parent=question.id,
        )

    def space(self, team: str | None) -> Space:
        """The main site, or a team, which is there as soon as somebody names it."""
        name = (team or "").lower()
        return self._spaces.setdefault(name, Space(name))

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Every space that somebody named."""
        return tuple(self._spaces.values())

    def user_of(self, token: str) -> User:
        """The person for whom a token acts; always the same."""
        return self.people.user_of(token)

    # ── posts ────────────────────────────────────────────────────────────────────────────────

    def get(self, space: Space, kind: str, number: int) -> Post:
        """Find a post.

        Raises:
            SiteError: 404.
        """
        post = space.posts.get((kind, number))
        if post is None and self.lenient and kind == "question":
            post = self._insert(
                space, Post("question", number, "A question.", self.user_of(""), _now(), title="?")
            )
        if post is None:
            raise SiteError(404, f"{kind}s/not-found", f"{kind.title()} not found")
        return post

    def add(
        self,
        space: Space,
        kind: str,
        owner: User,
        *,
        body: str,
        title: str = "",
        tags: tuple[str, ...] = (),
        parent: int | None = None,
        dry: bool = False,
        **more: Any,
    ) -> Post:
        """Add a post, unless SOE would refuse it. With `dry` it is only looked at.

        Raises:
            SiteError: 400 for what is too long, or already there; 404 without its thread.
        """
        if kind == "answer" and parent is not None:
            self.get(space, "question", parent)
        _check_lengths(kind, title, body, tags)
        self._check_copies(space, kind, title, body, parent)
        post = Post(kind, next(self._ids), body, owner, _now(), title, tags, parent, **more)
        return post if dry else self._insert(space, post)

    def edit(
        self, space: Space, post: Post, *, body: str, title: str, tags: tuple[str, ...]
    ) -> None:
        """Replace a post's text."""
        _check_lengths(post.kind, title, body, tags)
        post.body, post.title, post.tags, post.edited = body, title or post.title, tags, _now()
        self._note_activity(space, post, post.edited)
        for tag in tags:
            space.tags.setdefault(tag, len(space.tags) + 1)

    def delete(self, space: Space, post: Post) -> None:
        """Take a post away, and what stands under it."""
        for key, other in list(space.posts.items()):
            if other is post or (post.kind == "question" and other.parent == post.id):
                del space.posts[key]

    def close(self, space: Space, number: int) -> None:
        """Close a question, as moderators do on its page: no API does.

        Raises:
            SiteError: 404.
        """
        self.get(space, "question", number).closed = _now()

    def _insert(self, space: Space, post: Post) -> Post:
        space.posts[post.kind, post.id] = post
        self._note_activity(space, post, post.created)
        for tag in post.tags:
            space.tags.setdefault(tag, len(space.tags) + 1)
        return post

    def _note_activity(self, space: Space, post: Post, at: datetime.datetime) -> None:
        question = space.posts.get(("question", post.parent or 0))
        if post.kind == "answer" and question is not None:
            question.answered = at

    def _check_copies(
        self, space: Space, kind: str, title: str, body: str, parent: int | None
    ) -> None:
        noun = kind.title()
        for post in space.of(kind):
            if kind == "question" and title and post.title.casefold() == title.casefold():
                told = "A question with that title already exists; please be more specific."
                raise SiteError(400, "questions/ValidationErrors", "Question not created", told)
            if post.body == body and post.parent == parent and kind != "comment":
                told = "This post appears to be a duplicate of another post."
                raise SiteError(400, f"{kind}s/ValidationErrors", f"{noun} not created", told)


def _check_lengths(kind: str, title: str, body: str, tags: tuple[str, ...]) -> None:
    most = MAX_ARTICLE if kind == "article" else MAX_BODY
    told = ""
    if len(title) > MAX_TITLE:
        told = f"Title cannot be longer than {MAX_TITLE} characters."
    elif len(body) > most:
        told = f"Body is limited to {most} characters; you entered {len(body)}."
    elif any(len(tag) > MAX_TAG for tag in tags):
        told = f"A tag cannot be longer than {MAX_TAG} characters."
    if told:
        raise SiteError(400, f"{kind}s/ValidationErrors", f"{kind.title()} not created", told)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
