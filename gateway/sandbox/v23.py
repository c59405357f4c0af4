"""API v2.3 on the site: forms in, the wrapper out; errors under HTTP 400."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gateway.sandbox import v23_tokens
from gateway.sandbox.people import People, User
from gateway.sandbox.site import BUILT_IN, Filter, SiteError
from gateway.sandbox.v23_lists import create_filter, listed, mine, named
from gateway.sandbox.v23_shapes import Call, Method, Page, item, owner, required, tags_of

_ERRORS = {
    400: (407, "write_failed"),
    401: (401, "access_token_required"),
    402: (402, "invalid_access_token"),
    403: (403, "access_denied"),
    404: (404, "no_method"),
    405: (405, "key_required"),
}
_ANONYMOUS = User(0, "nobody")


def _add(kind: str, *, titled: bool) -> Method:
    def method(call: Call) -> list[dict[str, Any]]:
        title = required(call, "title") if titled else ""
        post = call.site.add(
            call.space,
            kind,
            call.user,
            title=title,
            body=required(call, "body"),
            tags=tags_of(call),
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
            tags = tags_of(call) or post.tags
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


def _render(call: Call) -> list[dict[str, Any]]:
    return [
        {"body": f"<p>{call.fields.get('body', '')}</p>", "title": call.fields.get("title", "")}
    ]


def _site(call: Call) -> list[dict[str, Any]]:
    told = {"name": "Stack Overflow", "api_site_parameter": "stackoverflow", "site_url": call.base}
    return [told]


def _user(call: Call) -> list[dict[str, Any]]:
    found = call.site.people.users.get(call.id)
    return [owner(call, found)] if found else []


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
}
for _kind in ("question", "answer", "comment"):
    _WRITES[f"{_kind}s/{{id}}/upvote"] = _vote(_kind, "up")
    _WRITES[f"{_kind}s/{{id}}/upvote/undo"] = _vote(_kind, "up", undo=True)
    _WRITES[f"{_kind}s/{{id}}/downvote"] = _vote(_kind, "down")
    _WRITES[f"{_kind}s/{{id}}/downvote/undo"] = _vote(_kind, "down", undo=True)
    _WRITES[f"{_kind}s/{{id}}/flags/add"] = _flag(_kind)
_ASKS: dict[str, Method] = {
    "access-tokens/exchange": v23_tokens.exchange,
    "filters/create": create_filter,
    "questions/render": _render,
    "questions/{id}/answers/render": _render,
    "posts/{id}/comments/render": _render,
}
"""What is posted without a token of one's own."""
_MINE: dict[str, Method] = {
    "me": lambda call: [owner(call, call.user)],
    "me/questions": mine("question"),
    "me/answers": mine("answer"),
    "me/comments": mine("comment"),
    "me/articles": mine("article"),
}
_READS: dict[str, Method] = {
    "sites": _site,
    "info": lambda _: [{"total_questions": 1}],
    "questions": listed("question"),
    "questions/{ids}": named("question"),
    "questions/{id}/answers": listed("answer"),
    "answers": listed("answer"),
    "answers/{ids}": named("answer"),
    "posts/{id}/comments": listed("comment"),
    "articles": listed("article"),
    "articles/{ids}": named("article"),
    "comments": listed("comment"),
    "comments/{ids}": named("comment"),
    "tags": lambda call: [{"name": n, "count": 1, "has_synonyms": False} for n in call.space.tags],
    "users": lambda call: [owner(call, who) for who in call.site.people.users.values()],
    "users/{id}": _user,
    "search": listed("question"),
    "filters/create": create_filter,
    "access-tokens/{word}": v23_tokens.read,
    "access-tokens/{word}/invalidate": v23_tokens.invalidate,
    "apps/{word}/de-authenticate": v23_tokens.deauthenticate,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A method, what its path names, and whether it needs a token."""

    method: Method
    ids: tuple[int, ...]
    word: str
    needs_token: bool


def _pattern(path: str) -> re.Pattern[str]:
    either = re.sub(r"(question|answer|comment|article|post)s", r"\1s?", path)
    many = either.replace("{ids}", r"(?P<ids>\d{1,10}(?:;\d{1,10}){0,99})")
    one = many.replace("{id}", r"(?P<ids>\d{1,10})").replace("{word}", "(?P<word>[^/]+)")
    return re.compile(one, re.IGNORECASE)


_METHODS = [
    (verb, _pattern(path), method, needs_token)
    for verb, table, needs_token in (
        ("POST", _WRITES, True),
        ("POST", _ASKS, False),
        ("GET", _MINE, True),
        ("GET", _READS, False),
    )
    for path, method in table.items()
]


def find(verb: str, path: str) -> Found:
    """Find the method for a path below `/api/2.x`.

    Raises:
        SiteError: 404.
    """
    for asked, pattern, method, needs_token in _METHODS:
        if asked == verb and (found := pattern.fullmatch(path)):
            groups = found.groupdict()
            ids = tuple(map(int, filter(None, (groups.get("ids") or "").split(";"))))
            return Found(method, ids, groups.get("word") or "", needs_token)
    raise SiteError(404, "no_method", "no method found with this name")


def acting(found: Found, people: People, token: str, bearer: str) -> User:
    """The person for whom a call is made; for one that needs no token, perhaps nobody.

    Args:
        token: what was sent where only tokens are.
        bearer: what was sent in `Authorization`, which may be a key where no token is needed.

    Raises:
        SiteError: 401 without a token, 402 where it is not known.
    """
    given = token or bearer
    if people.knows(given):
        return people.user_of(given)
    if token or (given and found.needs_token):
        raise SiteError(402, "access_token", "`access_token` is not valid")
    if found.needs_token:
        raise SiteError(401, "access_token", "`access_token` is required")
    return _ANONYMOUS


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
