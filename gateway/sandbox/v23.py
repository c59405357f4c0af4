"""API v2.3 on the site: forms in, the wrapper out; errors under HTTP 400."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.site import Post, Site, SiteError, Space, User

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
    """A post as v2.3 shows it."""
    told: dict[str, Any] = {
        f"{post.kind}_id": post.id,
        "owner": _owner(call, post.owner),
        "score": post.score,
        "creation_date": int(post.created.timestamp()),
        "link": f"{call.base}/{post.kind[0]}/{post.id}",
        "body": post.body,
    }
    if post.kind in ("question", "article"):
        told |= {"title": post.title, "tags": list(post.tags)}
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


def _listed(kind: str) -> Method:
    return lambda call: [item(call, post) for post in call.space.of(kind, call.id or None)]


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
    "filters/create": lambda _: [{"filter": "default", "filter_type": "safe"}],
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
    "filters/create": lambda _: [{"filter": "default", "filter_type": "safe"}],
    "access-tokens/{word}/invalidate": _nothing,
    "apps/{word}/de-authenticate": _nothing,
}


def _compiled(verb: str, table: Mapping[str, Method]) -> list[tuple[str, re.Pattern[str], Method]]:
    return [
        (
            verb,
            re.compile(
                re.sub(r"(question|answer|comment|article|post)s", r"\1s?", path)
                .replace("{id}", r"(?P<id>\d{1,9})")
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


def wrapper(items: list[dict[str, Any]], backoff: int | None = None) -> dict[str, Any]:
    """Wrap items as every answer of v2.3 does."""
    told: dict[str, Any] = {
        "items": items,
        "has_more": False,
        "quota_max": 10_000,
        "quota_remaining": 9_999,
    }
    return told | ({"backoff": backoff} if backoff else {})


def error(refused: SiteError) -> dict[str, Any]:
    """Give the wrapper of a refusal."""
    number, name = _ERRORS.get(refused.status, (400, "bad_parameter"))
    return {
        "error_id": number,
        "error_name": name,
        "error_message": refused.detail or refused.title,
    }
