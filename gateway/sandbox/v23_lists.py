"""Lists of API v2.3: their pages, orders and ranges, and the filters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, overload

from gateway.sandbox.site import Filter, Post, SiteError
from gateway.sandbox.v23_shapes import Call, Method, Page, item

_SORTS: Mapping[str, Callable[[Post], int]] = {
    "activity": lambda post: int(post.active.timestamp()),
    "creation": lambda post: int(post.created.timestamp()),
    "votes": lambda post: post.score,
}


def listed(kind: str) -> Method:
    """The posts of a kind, of one thread where the path names it."""
    return lambda call: _page(call, call.space.of(kind, call.id or None))


def mine(kind: str) -> Method:
    """The posts of a kind that the token's person wrote."""
    return lambda call: _page(
        call, [post for post in call.space.of(kind) if post.owner.id == call.user.id]
    )


def _page(call: Call, posts: list[Post]) -> Page:
    posts = _ordered(call, posts)
    number, size = _number(call, "page", 1, 2**31), _number(call, "pagesize", 30, 100)
    first = (number - 1) * size
    page = Page(item(call, post) for post in posts[first : first + size])
    page.has_more, page.total = len(posts) > first + size, len(posts)
    return page


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


def create_filter(call: Call) -> list[dict[str, Any]]:
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


def named(kind: str) -> Method:
    """The posts that the path names, but for those that are not there."""

    def method(call: Call) -> Page:
        if call.site.lenient:
            return _page(call, [call.site.get(call.space, kind, number) for number in call.ids])
        found = (call.space.posts.get((kind, number)) for number in call.ids)
        return _page(call, [post for post in found if post is not None])

    return method
