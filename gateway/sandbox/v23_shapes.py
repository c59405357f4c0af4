"""What API v2.3 calls with, and the things that it shows."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.people import User
from gateway.sandbox.site import Filter, Post, Site, SiteError, Space


@dataclass(frozen=True, slots=True)
class Call:
    """One call: fields of form and query together."""

    site: Site
    space: Space
    user: User
    base: str
    client: str
    fields: Mapping[str, str]
    key: str
    ids: tuple[int, ...]
    word: str

    @property
    def id(self) -> int:
        """The number in the path; 0 without one."""
        return next(iter(self.ids), 0)

    @property
    def preview(self) -> bool:
        """Whether SOE is asked to look at it only."""
        return self.fields.get("preview", "").lower() == "true"

    @property
    def filter(self) -> Filter:
        """Which members are asked for; clients bake in filters that were made elsewhere."""
        name = self.fields.get("filter") or "default"
        if name not in self.site.filters and not name.startswith("!"):
            raise SiteError(406, "filter", "Invalid filter specified")
        return self.site.filters.get(name, Filter())


class Page(list[dict[str, Any]]):
    """The items of one page, and what there is beside it."""

    has_more = False
    total = 0


Method = Callable[[Call], list[dict[str, Any]]]


def owner(call: Call, who: User) -> dict[str, Any]:
    """A person, as in every answer."""
    return {
        "user_id": who.id,
        "account_id": who.id,
        "display_name": who.name,
        "user_type": "registered",
        "reputation": 1,
        "link": f"{call.base}/users/{who.id}",
    }


def item(call: Call, post: Post) -> dict[str, Any]:
    """A post as v2.3 shows it: its text where the filter names it, escaped where that is safe."""
    asked = call.filter
    told: dict[str, Any] = {
        f"{post.kind}_id": post.id,
        "owner": owner(call, post.owner),
        "score": post.score,
        "creation_date": int(post.created.timestamp()),
        "link": f"{call.base}/{post.kind[0]}/{post.id}",
    }
    if post.kind != "comment":
        told["last_activity_date"] = int(post.active.timestamp())
    if post.kind != "comment" and post.edited is not None:
        told["last_edit_date"] = int(post.edited.timestamp())
    if post.closed is not None:
        told |= {"closed_date": int(post.closed.timestamp()), "closed_reason": "Not suitable"}
    if f"{post.kind}.body" in asked.include:
        told["body"] = post.html
    if f"{post.kind}.body_markdown" in asked.include:
        told["body_markdown"] = post.body
    if post.kind in ("question", "article"):
        told |= {"title": post.title, "tags": list(post.tags)}
    if not asked.unsafe:
        plain = {name: told[name] for name in ("title", "body_markdown") if name in told}
        told |= {name: html.escape(text) for name, text in plain.items()}
    if post.kind == "question":
        told |= {"answer_count": len(call.space.of("answer", post.id)), "is_answered": False}
    if post.kind == "answer":
        told |= {"question_id": post.parent, "is_accepted": post.accepted}
    if post.kind == "comment":
        told["post_id"] = post.parent
    return told


def tags_of(call: Call) -> tuple[str, ...]:
    """The tags of a post, however a client parts them."""
    return tuple(filter(None, re.split(r"[;,\s]+", call.fields.get("tags", ""))))


def required(call: Call, name: str) -> str:
    """A field that has to be there.

    Raises:
        SiteError: 400.
    """
    if not call.fields.get(name):
        raise SiteError(400, name, f"{name} is required")
    return call.fields[name]
