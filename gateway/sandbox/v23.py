"""API v2.3 on the site: forms in, the wrapper out; errors under HTTP 400."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from gateway.sandbox.site import BUILT_IN, Filter, Post, Site, SiteError, Space, User

_ERRORS = {400: (407, "write_failed"), 404: (404, "no_method"), 405: (404, "no_method")}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: fields of form and query together."""

    site: Site
    space: Space
    user: User
    base: str
    client: str
    fields: Mapping[str, str]
    id: int
    word: str

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


def _owner(call: Call, who: User) -> dict[str, Any]:
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
        "owner": _owner(call, post.owner),
        "score": post.score,
        "creation_date": int(post.created.timestamp()),
        "link": f"{call.base}/{post.kind[0]}/{post.id}",
    }
    if post.kind != "comment":
        told["last_activity_date"] = int(post.active.timestamp())
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


def _tags(call: Call) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[;,\s]+", call.fields.get("tags", ""))))


def _required(call: Call, name: str) -> str:
    if not call.fields.get(name):
        raise SiteError(400, name, f"{name} is required")
    return call.fields[name]


def _add(kind: str, *, titled: bool) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        title = _required(call, "title") if titled else ""
        post = call.site.add(
            call.space,
            kind,
            call.user,
            title=title,
            body=_required(call, "body"),
            tags=_tags(call),
            parent=None if titled else call.id,
            client=call.client,
            dry=call.preview,
        )
        return [item(call, post)]

    return method


def _edit(kind: str) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        post = call.site.get(call.space, kind, call.id)
        if not call.preview:
            title = call.fields.get("title", post.title)
            tags = _tags(call) or post.tags
            body = call.fields.get("body", post.body)
            call.site.edit(call.space, post, body=body, title=title, tags=tags)
        return [item(call, post)]

    return method


def _delete(kind: str) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        post = call.site.get(call.space, kind, call.id)
        if not call.preview:
            call.site.delete(call.space, post)
        return []

    return method


def _vote(kind: str, ballot: str, *, undo: bool = False) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        post = call.site.get(call.space, kind, call.id)
        votes: set[int] = getattr(post, ballot)
        if not call.preview:
            votes.discard(call.user.id) if undo else votes.add(call.user.id)
        return [item(call, post)]

    return method


def _accept(*, accepted: bool) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        post = call.site.get(call.space, "answer", call.id)
        post.accepted = accepted
        return [item(call, post)]

    return method


def _flag(kind: str) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        post = call.site.get(call.space, kind, call.id)
        post.flags.append({"option_id": call.fields.get("option_id")})
        return [{"option_id": call.fields.get("option_id"), "has_flagged": True}]

    return method


def _nothing(_: Call) -> list[dict[str, Any]]:
    return []


def _exchange(call: Call) -> list[dict[str, Any]]:
    parent = _required(call, "access_tokens")
    account = _required(call, "account_id")
    return [
        {
            "access_token": f"{parent}-as-{account}",
            "original_access_token": parent,
            "account_id": int(account),
            "scope": ["write_access", "custom_timestamps"],
            "expires_on_date": 2_000_000_000,
        }
    ]


def _render(call: Call) -> list[dict[str, Any]]:
    return [
        {"body": f"<p>{call.fields.get('body', '')}</p>", "title": call.fields.get("title", "")}
    ]


_SORTS: Mapping[str, Callable[[Post], int]] = {
    "activity": lambda post: int(post.active.timestamp()),
    "creation": lambda post: int(post.created.timestamp()),
    "votes": lambda post: post.score,
}


def _listed(kind: str) -> Method:
    def method(call: Call) -> Page:
        posts = _ordered(call, call.space.of(kind, call.id or None))
        number, size = _number(call, "page", 1, 2**31), _number(call, "pagesize", 30, 100)
        first = (number - 1) * size
        page = Page(item(call, post) for post in posts[first : first + size])
        page.has_more, page.total = len(posts) > first + size, len(posts)
        return page

    return method


def _ordered(call: Call, posts: list[Post]) -> list[Post]:
    """The posts of a list in the order and range that are asked for; ends are within."""
    key = _SORTS.get(call.fields.get("sort", "activity"))
    order = call.fields.get("order", "desc")
    if key is None or order not in ("asc", "desc"):
        raise SiteError(406, "sort", "sort")
    for low, high, of in (("min", "max", key), ("fromdate", "todate", _SORTS["creation"])):
        least, most = _number(call, low, None, 2**40), _number(call, high, None, 2**40)
        posts = [
            post
            for post in posts
            if (least is None or of(post) >= least) and (most is None or of(post) <= most)
        ]
    return sorted(posts, key=lambda post: (key(post), post.id), reverse=order == "desc")


@overload
def _number(call: Call, name: str, usual: int, most: int) -> int: ...
@overload
def _number(call: Call, name: str, usual: None, most: int) -> int | None: ...
def _number(call: Call, name: str, usual: int | None, most: int) -> int | None:
    text = call.fields.get(name, "")
    if not text:
        return usual
    if not re.fullmatch(r"\d{1,12}", text) or not (1 if usual else 0) <= int(text) <= most:
        raise SiteError(406, name, name)
    return int(text)


def _create_filter(call: Call) -> list[dict[str, Any]]:
    """Make a filter; the same words make the same one."""
    base = call.site.filters.get(call.fields.get("base") or "default")
    named = frozenset(filter(None, call.fields.get("include", "").split(";")))
    if base is None or not all(re.fullmatch(r"(?:[a-z_]+)?\.[a-z_]+", each) for each in named):
        raise SiteError(406, "include", "Invalid filter specified")
    unsafe = call.fields.get("unsafe", "").lower() == "true"
    made = Filter(base.include | named, unsafe)
    told = f"{sorted(made.include)}{unsafe}".encode()
    name = f"!{hashlib.sha256(told).hexdigest()[:12]}"
    call.site.filters[name] = made
    kind = "unsafe" if unsafe else "safe"
    return [{"filter": name, "filter_type": kind, "included_fields": sorted(made.include)}]


def _one(kind: str) -> Method:
    return lambda call: [item(call, call.site.get(call.space, kind, call.id))]


def _site(call: Call) -> list[dict[str, Any]]:
    told = {"name": "Stack Overflow", "api_site_parameter": "stackoverflow", "site_url": call.base}
    return [told]


_WRITES: dict[str, Method] = {
    "questions/add": _add("question", titled=True),
    "questions/{id}/edit": _edit("question"),
    "questions/{id}/delete": _delete("question"),
    "questions/{id}/answers/add": _add("answer", titled=False),
    "questions/{id}/suggested-edit/add": _nothing,
    "answers/{id}/edit": _edit("answer"),
    "answers/{id}/delete": _delete("answer"),
    "answers/{id}/suggested-edit/add": _nothing,
    "answers/{id}/accept": _accept(accepted=True),
    "answers/{id}/accept/undo": _accept(accepted=False),
    "answers/{id}/recommend": _nothing,
    "answers/{id}/recommend/undo": _nothing,
    "posts/{id}/comments/add": _add("comment", titled=False),
    "comments/{id}/edit": _edit("comment"),
    "comments/{id}/delete": _delete("comment"),
    "articles/add": _add("article", titled=True),
    "articles/{id}/edit": _edit("article"),
    "articles/{id}/delete": _delete("article"),
    "questions/{id}/favorite": _vote("question", "bookmarks"),
    "questions/{id}/favorite/undo": _vote("question", "bookmarks", undo=True),
    "me/tag-preferences/edit": _nothing,
    "users/{id}/tag-preferences/edit": _nothing,
    "enterprise/usersync": _nothing,
    "access-tokens/exchange": _exchange,
    "filters/create": _create_filter,
    "questions/render": _render,
    "questions/{id}/answers/render": _render,
    "posts/{id}/comments/render": _render,
}
for _kind in ("question", "answer", "comment"):
    _WRITES[f"{_kind}s/{{id}}/upvote"] = _vote(_kind, "up")
    _WRITES[f"{_kind}s/{{id}}/upvote/undo"] = _vote(_kind, "up", undo=True)
    _WRITES[f"{_kind}s/{{id}}/downvote"] = _vote(_kind, "down")
    _WRITES[f"{_kind}s/{{id}}/downvote/undo"] = _vote(_kind, "down", undo=True)
    _WRITES[f"{_kind}s/{{id}}/flags/add"] = _flag(_kind)
_READS: dict[str, Method] = {
    "sites": _site,
    "info": lambda _: [{"total_questions": 1}],
    "me": lambda call: [_owner(call, call.user)],
    "questions": _listed("question"),
    "questions/{id}": _one("question"),
    "questions/{id}/answers": _listed("answer"),
    "answers": _listed("answer"),
    "answers/{id}": _one("answer"),
    "posts/{id}/comments": _listed("comment"),
    "articles": _listed("article"),
    "articles/{id}": _one("article"),
    "tags": lambda call: [{"name": n, "count": 1, "has_synonyms": False} for n in call.space.tags],
    "users": lambda call: [_owner(call, who) for who in call.site.users.values()],
    "search": _listed("question"),
    "filters/create": _create_filter,
    "access-tokens/{word}/invalidate": _nothing,
    "apps/{word}/de-authenticate": _nothing,
}


def _compiled(verb: str, table: Mapping[str, Method]) -> list[tuple[str, re.Pattern[str], Method]]:
    return [
        (
            verb,
            re.compile(
                re.sub(r"(question|answer|comment|article|post)s", r"\1s?", path)
                .replace("{id}", r"(?P<id>\d{1,10})")
                .replace("{word}", "(?P<word>[^/]+)")
            ),
            method,
        )
        for path, method in table.items()
    ]


_METHODS = _compiled("POST", _WRITES) + _compiled("GET", _READS)


def find(verb: str, path: str) -> tuple[Method, int, str]:
    """Find the method for a path below `/api/2.x`.

    Raises:
        SiteError: 404.
    """
    for named, pattern, method in _METHODS:
        if named == verb and (found := pattern.fullmatch(path)):
            groups = found.groupdict()
            return method, int(groups.get("id") or 0), groups.get("word") or ""
    raise SiteError(404, "no_method", "no method found with this name")


def wrapper(items: list[dict[str, Any]], asked: Filter) -> dict[str, Any]:
    """Wrap items as every answer of v2.3 does; the filter `total` leaves nothing but that."""
    more, total = (items.has_more, items.total) if isinstance(items, Page) else (False, len(items))
    if asked == BUILT_IN["total"]:
        return {"total": total}
    return {
        "items": items,
        "has_more": more,
        "quota_max": 10_000,
        "quota_remaining": 9_999,
    }


def error(refused: SiteError) -> dict[str, Any]:
    """Give the wrapper of a refusal."""
    number, name = _ERRORS.get(refused.status, (400, "bad_parameter"))
    return {
        "error_id": number,
        "error_name": name,
        "error_message": refused.detail or refused.title,
    }
