"""API v3 on the site: one table of methods, how one is found, and how refusals are told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.sandbox import v3_groups as groups
from gateway.sandbox import v3_posts as posts
from gateway.sandbox.site import SiteError
from gateway.sandbox.v3_shapes import Method, community_of, group_of, page, tag, user_details

_Q, _A = "questions/{question}", "questions/{question}/answers/{answer}"
METHODS: Mapping[tuple[str, str], Method] = {
    ("GET", "questions"): posts.listed("question", "activity"),
    ("POST", "questions"): posts.create("question"),
    ("GET", _Q): posts.show("question"),
    ("PUT", _Q): posts.edit("question"),
    ("DELETE", _Q): posts.remove("question"),
    ("GET", f"{_Q}/linked"): posts.linked("question"),
    ("GET", f"{_Q}/related"): posts.linked("question"),
    ("GET", f"{_Q}/comments"): posts.comments("question"),
    ("GET", f"{_Q}/flags/options"): posts.flag_options("question"),
    ("POST", f"{_Q}/flags"): posts.flag("question"),
    ("POST", f"{_Q}/upvote"): posts.vote("question", "up", undo=False),
    ("DELETE", f"{_Q}/upvote"): posts.vote("question", "up", undo=True),
    ("POST", f"{_Q}/downvote"): posts.vote("question", "down", undo=False),
    ("DELETE", f"{_Q}/downvote"): posts.vote("question", "down", undo=True),
    ("POST", f"{_Q}/bookmark"): posts.vote("question", "bookmarks", undo=False, status=201),
    ("DELETE", f"{_Q}/bookmark"): posts.vote("question", "bookmarks", undo=True),
    ("GET", f"{_Q}/answers"): posts.listed("answer", "score"),
    ("POST", f"{_Q}/answers"): posts.create("answer"),
    ("GET", _A): posts.show("answer"),
    ("PUT", _A): posts.edit("answer"),
    ("DELETE", _A): posts.remove("answer"),
    ("GET", f"{_A}/comments"): posts.comments("answer"),
    ("GET", f"{_A}/flags/options"): posts.flag_options("answer"),
    ("POST", f"{_A}/flags"): posts.flag("answer"),
    ("POST", f"{_A}/upvote"): posts.vote("answer", "up", undo=False),
    ("DELETE", f"{_A}/upvote"): posts.vote("answer", "up", undo=True),
    ("POST", f"{_A}/downvote"): posts.vote("answer", "down", undo=False),
    ("DELETE", f"{_A}/downvote"): posts.vote("answer", "down", undo=True),
    ("POST", f"{_A}/accept"): posts.accept(accepted=True),
    ("DELETE", f"{_A}/accept"): posts.accept(accepted=False),
    ("GET", "articles"): posts.listed("article", "activity"),
    ("POST", "articles"): posts.create("article"),
    ("GET", "articles/{article}"): posts.show("article"),
    ("PUT", "articles/{article}"): posts.edit("article"),
    ("DELETE", "articles/{article}"): posts.remove("article"),
    ("GET", "articles/{article}/comments"): posts.comments("article"),
    ("GET", "articles/{article}/linked-questions"): posts.linked("article"),
    ("POST", "articles/{article}/upvote"): posts.vote("article", "up", undo=False),
    ("DELETE", "articles/{article}/upvote"): posts.vote("article", "up", undo=True),
    ("GET", "collections"): posts.listed("collection", "creation"),
    ("POST", "collections"): posts.create("collection"),
    ("GET", "collections/{collection}"): posts.show("collection"),
    ("PUT", "collections/{collection}"): posts.edit("collection"),
    ("DELETE", "collections/{collection}"): posts.remove("collection"),
    ("GET", "tags"): lambda call: page(call, [tag(call, n) for n in call.space.tags], "name"),
    ("GET", "tags/{tag}"): groups.show_tag,
    ("GET", "tags/{tag}/tag-watchers"): groups.watchers,
    ("GET", "tags/{tag}/subject-matter-experts"): lambda call: (200, groups.experts(call)),
    ("PUT", "tags/{tag}/subject-matter-experts"): groups.edit_experts("both"),
    ("POST", "tags/{tag}/subject-matter-experts/users"): groups.edit_experts("users"),
    ("POST", "tags/{tag}/subject-matter-experts/user-groups"): groups.edit_experts("groups"),
    ("DELETE", "tags/{tag}/subject-matter-experts/users/{user}"): groups.remove_expert,
    ("DELETE", "tags/{tag}/subject-matter-experts/user-groups/{group}"): groups.remove_expert,
    ("GET", "user-groups"): lambda call: page(call, [group_of(call, g) for g in call.space.groups.values()], "name"),
    ("POST", "user-groups"): groups.create_group,
    ("GET", "user-groups/{group}"): lambda call: (200, group_of(call, groups.get_group(call, "group"))),
    ("PUT", "user-groups/{group}"): groups.edit_group,
    ("POST", "user-groups/{group}/members"): groups.add_members,
    ("DELETE", "user-groups/{group}/members/{user}"): groups.remove_member,
    ("GET", "communities"): lambda call: page(call, [community_of(call, g) for g in call.space.communities.values()], "name"),
    ("GET", "communities/{community}"): lambda call: (200, community_of(call, groups.get_group(call, "community"))),
    ("POST", "communities/{community}/join"): groups.join(bulk=False, leave=False),
    ("POST", "communities/{community}/join/bulk"): groups.join(bulk=True, leave=False),
    ("POST", "communities/{community}/leave"): groups.join(bulk=False, leave=True),
    ("POST", "communities/{community}/leave/bulk"): groups.join(bulk=True, leave=True),
    ("GET", "users"): lambda call: page(call, [user_details(call, w) for w in call.site.people.users.values()], "reputation"),
    ("GET", "users/me"): lambda call: (200, user_details(call, call.user)),
    ("GET", "users/manage"): groups.managed,
    ("GET", "users/{user}"): groups.known_user,
    ("GET", "users/{user}/watched-tags"): lambda call: (200, tag(call, next(iter(call.space.tags)))) if call.space.tags else (404, None),
    ("GET", "users/by-email/{email}"): groups.by_email,
    ("GET", "users/by-external-id/{external}"): groups.by_external_id,
    ("GET", "search"): posts.search,
    ("POST", "images/upload"): posts.upload,
    ("GET", "images/{image}"): posts.image,
    ("GET", "stacky"): lambda _: (200, "(-_-)"),
}  # fmt: skip
_WORDS = ("email", "external", "image")


def _pattern(template: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>[^/]+)" if found[1] in _WORDS else rf"(?P<{found[1]}>\d{{1,10}})"

    return re.compile(re.sub(r"\{(\w+)\}", part, template))


_COMPILED = [(verb, _pattern(template), method) for (verb, template), method in METHODS.items()]


def find(verb: str, path: str) -> tuple[Method, dict[str, int], dict[str, str]]:
    """Find the method for a path below the API's prefix.

    Raises:
        SiteError: 404, or 405 where the path has other methods.
    """
    there = False
    for named, pattern, method in _COMPILED:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        there = True
        if named == verb:
            groups = found.groupdict()
            numbers = {name: int(text) for name, text in groups.items() if name not in _WORDS}
            return method, numbers, {name: text for name, text in groups.items() if name in _WORDS}
    raise SiteError(405 if there else 404, "not-found", "Not found")


def problem(error: SiteError) -> dict[str, Any]:
    """Give the problem details of a refusal; what has no kind is a failed validation."""
    if error.kind:
        told = {
            "type": f"/v3/errors/{error.kind}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail or None,
        }
        return {name: value for name, value in told.items() if value is not None}
    return {
        "errors": {error.title: [error.detail]},
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "traceId": "00-00000000000000000000000000000001-0000000000000001-00",
    }


def read_body(content_type: str, raw: bytes) -> Any:
    """Read a JSON body; None where there is none."""
    if not raw or "json" not in content_type:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise SiteError(400, "", "$", "The JSON value could not be converted.") from None
