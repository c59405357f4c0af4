"""API v3's writes, below `/api/v3` and, but for communities, below `/api/v3/teams/{team}`.

Source: the vendor's OpenAPI document of 2025-09-09. Every non-GET method there is a write, no GET
is one.
"""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import BodyKind, Endpoint

_NONE, _JSON, _LIST, _IMAGE = BodyKind.NONE, BodyKind.JSON, BodyKind.JSON_LIST, BodyKind.IMAGE
_Q, _A = "questions/{question}", "questions/{question}/answers/{answer}"
_TAG, _GROUP = "tags/{tag}/subject-matter-experts", "user-groups/{group}"

_ROWS: tuple[tuple[str, str, str, BodyKind], ...] = (
    ("POST", "questions", "question.create", _JSON),
    ("PUT", _Q, "question.edit", _JSON),
    ("DELETE", _Q, "question.delete", _NONE),
    ("POST", f"{_Q}/upvote", "vote.up", _NONE),
    ("DELETE", f"{_Q}/upvote", "vote.up_undo", _NONE),
    ("POST", f"{_Q}/downvote", "vote.down", _NONE),
    ("DELETE", f"{_Q}/downvote", "vote.down_undo", _NONE),
    ("POST", f"{_Q}/bookmark", "bookmark.add", _NONE),
    ("DELETE", f"{_Q}/bookmark", "bookmark.remove", _NONE),
    ("POST", f"{_Q}/flags", "flag.create", _JSON),
    ("POST", f"{_Q}/answers", "answer.create", _JSON),
    ("PUT", _A, "answer.edit", _JSON),
    ("DELETE", _A, "answer.delete", _NONE),
    ("POST", f"{_A}/upvote", "vote.up", _NONE),
    ("DELETE", f"{_A}/upvote", "vote.up_undo", _NONE),
    ("POST", f"{_A}/downvote", "vote.down", _NONE),
    ("DELETE", f"{_A}/downvote", "vote.down_undo", _NONE),
    ("POST", f"{_A}/accept", "answer.accept", _NONE),
    ("DELETE", f"{_A}/accept", "answer.unaccept", _NONE),
    ("POST", f"{_A}/flags", "flag.create", _JSON),
    ("POST", "articles", "article.create", _JSON),
    ("PUT", "articles/{article}", "article.edit", _JSON),
    ("DELETE", "articles/{article}", "article.delete", _NONE),
    ("POST", "articles/{article}/upvote", "vote.up", _NONE),
    ("DELETE", "articles/{article}/upvote", "vote.up_undo", _NONE),
    ("PUT", _TAG, "tag.experts_edit", _JSON),
    ("POST", f"{_TAG}/user-groups", "tag.experts_edit", _JSON),
    ("POST", f"{_TAG}/users", "tag.experts_edit", _JSON),
    ("DELETE", f"{_TAG}/user-groups/{{group}}", "tag.experts_edit", _NONE),
    ("DELETE", f"{_TAG}/users/{{user}}", "tag.experts_edit", _NONE),
    ("POST", "user-groups", "user_group.create", _JSON),
    ("PUT", _GROUP, "user_group.edit", _JSON),
    ("POST", f"{_GROUP}/members", "user_group.members_edit", _LIST),
    ("DELETE", f"{_GROUP}/members/{{user}}", "user_group.members_edit", _NONE),
    ("POST", "collections", "collection.create", _JSON),
    ("PUT", "collections/{collection}", "collection.edit", _JSON),
    ("DELETE", "collections/{collection}", "collection.delete", _NONE),
    ("POST", "images/upload", "image.upload", _IMAGE),
)
_MAIN_SITE_ONLY: tuple[tuple[str, str, str, BodyKind], ...] = (
    ("POST", "communities/{community}/join", "community.join", _NONE),
    ("POST", "communities/{community}/join/bulk", "community.members_edit", _JSON),
    ("POST", "communities/{community}/leave", "community.leave", _NONE),
    ("POST", "communities/{community}/leave/bulk", "community.members_edit", _JSON),
)
_PUBLISHING = ("question", "answer", "article", "collection")


def _endpoint(row: tuple[str, str, str, BodyKind], *, everywhere: bool) -> Endpoint:
    method, template, operation, body = row
    noun, verb = operation.split(".")
    return Endpoint(
        api=Api.V3,
        method=method,
        template=template,
        operation=operation,
        body=body,
        publishes=noun in _PUBLISHING and verb in ("create", "edit"),
        everywhere=everywhere,
    )


ENDPOINTS = tuple(
    [_endpoint(row, everywhere=True) for row in _ROWS]
    + [_endpoint(row, everywhere=False) for row in _MAIN_SITE_ONLY]
)
