"""API v2's writes, below `/api/2.x`: every version answers, and all take the same methods.

Source: the public list of methods (api_revision 2026.5.26) and the vendor's own clients. The docs
print some undo routes in the singular while clients call the plural: every route has both.
"""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import BodyKind, Endpoint

_ROWS: tuple[tuple[str, str], ...] = (
    ("questions/add", "question.create"),
    ("questions/{id}/edit", "question.edit"),
    ("questions/{id}/answers/add", "answer.create"),
    ("answers/{id}/edit", "answer.edit"),
    ("posts/{id}/comments/add", "comment.create"),
    ("comments/{id}/edit", "comment.edit"),
    ("questions/{id}/suggested-edit/add", "suggested_edit.create"),
    ("answers/{id}/suggested-edit/add", "suggested_edit.create"),
    ("articles/add", "article.create"),
    ("articles/{id}/edit", "article.edit"),
    ("articles/{id}/delete", "article.delete"),
    ("questions/{id}/delete", "question.delete"),
    ("answers/{id}/delete", "answer.delete"),
    ("comments/{id}/delete", "comment.delete"),
    ("questions/{id}/upvote", "vote.up"),
    ("questions/{id}/upvote/undo", "vote.up_undo"),
    ("questions/{id}/downvote", "vote.down"),
    ("questions/{id}/downvote/undo", "vote.down_undo"),
    ("questions/{id}/flags/add", "flag.create"),
    ("answers/{id}/upvote", "vote.up"),
    ("answers/{id}/upvote/undo", "vote.up_undo"),
    ("answers/{id}/downvote", "vote.down"),
    ("answers/{id}/downvote/undo", "vote.down_undo"),
    ("answers/{id}/flags/add", "flag.create"),
    ("comments/{id}/upvote", "vote.up"),
    ("comments/{id}/upvote/undo", "vote.up_undo"),
    ("comments/{id}/flags/add", "flag.create"),
    ("answers/{id}/accept", "answer.accept"),
    ("answers/{id}/accept/undo", "answer.unaccept"),
    ("answers/{id}/recommend", "answer.recommend"),
    ("answers/{id}/recommend/undo", "answer.unrecommend"),
    ("questions/{id}/favorite", "bookmark.add"),
    ("questions/{id}/favorite/undo", "bookmark.remove"),
    ("me/tag-preferences/edit", "tag.preferences_edit"),
    ("users/{id}/tag-preferences/edit", "tag.preferences_edit"),
)
_WITHOUT_PREVIEW: tuple[tuple[str, str], ...] = (
    ("enterprise/usersync", "user.sync"),
    ("access-tokens/exchange", "token.exchange"),
)
_BY_GET: tuple[tuple[str, str], ...] = (
    ("access-tokens/{tokens}/invalidate", "token.invalidate"),
    ("apps/{tokens}/de-authenticate", "app.deauthenticate"),
)
_READ_BY_POST = (
    "questions/render",
    "questions/{id}/answers/render",
    "posts/{id}/comments/render",
    "filters/create",
)
_PLURALS = ("questions/", "answers/", "comments/", "articles/", "posts/")
_PUBLISHING = ("question", "answer", "article", "comment", "suggested_edit")


def _spellings(template: str) -> tuple[str, ...]:
    """The route as clients call it, and with a singular noun as the docs print some."""
    if not template.startswith(_PLURALS) or "{id}" not in template:
        return (template,)
    plural, rest = template.split("/", 1)
    return template, f"{plural.removesuffix('s')}/{rest}"


def _write(template: str, operation: str, *, method: str = "POST", preview: bool) -> Endpoint:
    noun, verb = operation.split(".")
    return Endpoint(
        api=Api.V2,
        method=method,
        template=template,
        operation=operation,
        body=BodyKind.FORM,
        publishes=noun in _PUBLISHING and verb in ("create", "edit"),
        previewable=preview,
    )


ENDPOINTS = tuple(
    [_write(path, name, preview=True) for row, name in _ROWS for path in _spellings(row)]
    + [_write(path, name, preview=False) for path, name in _WITHOUT_PREVIEW]
    + [_write(path, name, method="GET", preview=False) for path, name in _BY_GET]
    + [
        Endpoint(api=Api.V2, method="POST", template=path, operation="read", write=False)
        for row in _READ_BY_POST
        for path in _spellings(row)
    ]
)
