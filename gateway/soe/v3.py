"""The endpoints of API v3 that write, after the vendor's OpenAPI document of 2025-09.

No other verb than GET reads there, and no GET writes.
"""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import NO_TEXT, BodyKind, Endpoint, TextFields

_NONE, _OBJECT, _IDS, _IMAGE = BodyKind.NONE, BodyKind.OBJECT, BodyKind.IDS, BodyKind.IMAGE

_POST = TextFields(title="title", body=("body",), tags="tags")
_BODY = TextFields(body=("body",))
_FLAG = TextFields(body=("comment",))
_COLLECTION = TextFields(title="title", body=("description",))
_GROUP = TextFields(title="name", body=("description",))

_Row = tuple[str, str, str, BodyKind, TextFields]

# fmt: off
_EVERYWHERE: tuple[_Row, ...] = (
    ("POST", "questions", "question.create", _OBJECT, _POST),
    ("PUT", "questions/{question}", "question.edit", _OBJECT, _POST),
    ("DELETE", "questions/{question}", "question.delete", _NONE, NO_TEXT),
    ("POST", "questions/{question}/upvote", "vote.up", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/upvote", "vote.up_undo", _NONE, NO_TEXT),
    ("POST", "questions/{question}/downvote", "vote.down", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/downvote", "vote.down_undo", _NONE, NO_TEXT),
    ("POST", "questions/{question}/bookmark", "bookmark.add", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/bookmark", "bookmark.remove", _NONE, NO_TEXT),
    ("POST", "questions/{question}/flags", "flag.create", _OBJECT, _FLAG),
    ("POST", "questions/{question}/answers", "answer.create", _OBJECT, _BODY),
    ("PUT", "questions/{question}/answers/{answer}", "answer.edit", _OBJECT, _BODY),
    ("DELETE", "questions/{question}/answers/{answer}", "answer.delete", _NONE, NO_TEXT),
    ("POST", "questions/{question}/answers/{answer}/upvote", "vote.up", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/answers/{answer}/upvote", "vote.up_undo", _NONE, NO_TEXT),
    ("POST", "questions/{question}/answers/{answer}/downvote", "vote.down", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/answers/{answer}/downvote", "vote.down_undo", _NONE, NO_TEXT),
    ("POST", "questions/{question}/answers/{answer}/accept", "answer.accept", _NONE, NO_TEXT),
    ("DELETE", "questions/{question}/answers/{answer}/accept", "answer.unaccept", _NONE, NO_TEXT),
    ("POST", "questions/{question}/answers/{answer}/flags", "flag.create", _OBJECT, _FLAG),
    ("POST", "articles", "article.create", _OBJECT, _POST),
    ("PUT", "articles/{article}", "article.edit", _OBJECT, _POST),
    ("DELETE", "articles/{article}", "article.delete", _NONE, NO_TEXT),
    ("POST", "articles/{article}/upvote", "vote.up", _NONE, NO_TEXT),
    ("DELETE", "articles/{article}/upvote", "vote.up_undo", _NONE, NO_TEXT),
    ("POST", "collections", "collection.create", _OBJECT, _COLLECTION),
    ("PUT", "collections/{collection}", "collection.edit", _OBJECT, _COLLECTION),
    ("DELETE", "collections/{collection}", "collection.delete", _NONE, NO_TEXT),
    ("PUT", "tags/{tag}/subject-matter-experts", "tag.experts_edit", _OBJECT, NO_TEXT),
    ("POST", "tags/{tag}/subject-matter-experts/users", "tag.experts_edit", _IDS, NO_TEXT),
    ("DELETE", "tags/{tag}/subject-matter-experts/users/{user}", "tag.experts_edit", _NONE, NO_TEXT),
    ("POST", "tags/{tag}/subject-matter-experts/user-groups", "tag.experts_edit", _IDS, NO_TEXT),
    ("DELETE", "tags/{tag}/subject-matter-experts/user-groups/{user_group}", "tag.experts_edit", _NONE, NO_TEXT),
    ("POST", "user-groups", "user_group.create", _OBJECT, _GROUP),
    ("PUT", "user-groups/{user_group}", "user_group.edit", _OBJECT, _GROUP),
    ("POST", "user-groups/{user_group}/members", "user_group.members_edit", _IDS, NO_TEXT),
    ("DELETE", "user-groups/{user_group}/members/{user}", "user_group.members_edit", _NONE, NO_TEXT),
    ("POST", "images/upload", "image.upload", _IMAGE, NO_TEXT),
)

_MAIN_SITE_ONLY: tuple[_Row, ...] = (
    ("POST", "communities/{community}/join", "community.join", _NONE, NO_TEXT),
    ("POST", "communities/{community}/join/bulk", "community.members_edit", _OBJECT, NO_TEXT),
    ("POST", "communities/{community}/leave", "community.leave", _NONE, NO_TEXT),
    ("POST", "communities/{community}/leave/bulk", "community.members_edit", _OBJECT, NO_TEXT),
)
# fmt: on


def _endpoints(prefix: str, rows: tuple[_Row, ...]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            api=Api.V3,
            method=method,
            template=f"{prefix}/{path}",
            operation=operation,
            body=body,
            text=text,
        )
        for method, path, operation, body, text in rows
    )


ENDPOINTS = (
    *_endpoints("/api/v3", _EVERYWHERE),
    *_endpoints("/api/v3/teams/{team}", _EVERYWHERE),
    *_endpoints("/api/v3", _MAIN_SITE_ONLY),
)
