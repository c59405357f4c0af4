"""The endpoints of API v2.3 that are more than a plain GET; older and later 2.x answer alike.

The act is the last word of a path, and POST is the verb of nearly all. The vendor's documents print
some paths in the singular (`/question/{id}/upvote/undo`) while clients call the plural: every row
of a noun stands for both.
"""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import NO_TEXT, BodyKind, Endpoint, TextFields

_PREFIX = "/api/{version}"

_POST = TextFields(title="title", body=("body",), tags="tags")
_POST_EDIT = TextFields(title="title", body=("body", "comment"), tags="tags")
_BODY = TextFields(body=("body",))
_BODY_EDIT = TextFields(body=("body", "comment"))
_FLAG = TextFields(body=("comment",))

# fmt: off
_WRITES: tuple[tuple[str, str, TextFields], ...] = (
    ("questions/add", "question.create", _POST),
    ("questions/{question}/edit", "question.edit", _POST_EDIT),
    ("questions/{question}/delete", "question.delete", NO_TEXT),
    ("questions/{question}/answers/add", "answer.create", _BODY),
    ("questions/{question}/suggested-edit/add", "suggested_edit.create", _POST_EDIT),
    ("questions/{question}/upvote", "vote.up", NO_TEXT),
    ("questions/{question}/upvote/undo", "vote.up_undo", NO_TEXT),
    ("questions/{question}/downvote", "vote.down", NO_TEXT),
    ("questions/{question}/downvote/undo", "vote.down_undo", NO_TEXT),
    ("questions/{question}/favorite", "bookmark.add", NO_TEXT),
    ("questions/{question}/favorite/undo", "bookmark.remove", NO_TEXT),
    ("questions/{question}/flags/add", "flag.create", _FLAG),
    ("answers/{answer}/edit", "answer.edit", _BODY_EDIT),
    ("answers/{answer}/delete", "answer.delete", NO_TEXT),
    ("answers/{answer}/suggested-edit/add", "suggested_edit.create", _BODY_EDIT),
    ("answers/{answer}/upvote", "vote.up", NO_TEXT),
    ("answers/{answer}/upvote/undo", "vote.up_undo", NO_TEXT),
    ("answers/{answer}/downvote", "vote.down", NO_TEXT),
    ("answers/{answer}/downvote/undo", "vote.down_undo", NO_TEXT),
    ("answers/{answer}/accept", "answer.accept", NO_TEXT),
    ("answers/{answer}/accept/undo", "answer.unaccept", NO_TEXT),
    ("answers/{answer}/recommend", "answer.recommend", NO_TEXT),
    ("answers/{answer}/recommend/undo", "answer.unrecommend", NO_TEXT),
    ("answers/{answer}/flags/add", "flag.create", _FLAG),
    ("posts/{post}/comments/add", "comment.create", _BODY),
    ("comments/{comment}/edit", "comment.edit", _BODY),
    ("comments/{comment}/delete", "comment.delete", NO_TEXT),
    ("comments/{comment}/upvote", "vote.up", NO_TEXT),
    ("comments/{comment}/upvote/undo", "vote.up_undo", NO_TEXT),
    ("comments/{comment}/flags/add", "flag.create", _FLAG),
    ("articles/add", "article.create", _POST),
    ("articles/{article}/edit", "article.edit", _POST_EDIT),
    ("articles/{article}/delete", "article.delete", NO_TEXT),
    ("me/tag-preferences/edit", "tag.preferences_edit", NO_TEXT),
    ("users/{user}/tag-preferences/edit", "tag.preferences_edit", NO_TEXT),
    ("enterprise/usersync", "user.sync", NO_TEXT),
    ("access-tokens/exchange", "token.exchange", NO_TEXT),
)

# A GET that changes something: access tokens and the consent to an app end here.
_WRITING_GETS: tuple[tuple[str, str], ...] = (
    ("access-tokens/{tokens}/invalidate", "token.invalidate"),
    ("apps/{tokens}/de-authenticate", "app.deauthenticate"),
)

# A POST that changes nothing: a text is rendered, a filter gets its name.
_READING_POSTS: tuple[str, ...] = (
    "questions/render",
    "questions/{question}/answers/render",
    "posts/{post}/comments/render",
    "filters/create",
)
# fmt: on

_PLURALS = ("questions/", "answers/", "comments/", "articles/")


def _spellings(path: str) -> tuple[str, ...]:
    plural = next(filter(path.startswith, _PLURALS), None)
    if plural is None:
        return (path,)
    return path, plural.removesuffix("s/") + "/" + path.removeprefix(plural)


ENDPOINTS = (
    *(
        Endpoint(
            api=Api.V2,
            method="POST",
            template=f"{_PREFIX}/{spelling}",
            operation=operation,
            body=BodyKind.FORM,
            text=text,
            # Documented for every write, believed where there is text to validate.
            previewable=text is not NO_TEXT and text is not _FLAG,
        )
        for path, operation, text in _WRITES
        for spelling in _spellings(path)
    ),
    *(
        Endpoint(
            api=Api.V2,
            method="GET",
            template=f"{_PREFIX}/{path}",
            operation=operation,
            body=BodyKind.FORM,
        )
        for path, operation in _WRITING_GETS
    ),
    *(
        Endpoint(
            api=Api.V2,
            method="POST",
            template=f"{_PREFIX}/{path}",
            operation="read",
            write=False,
            body=BodyKind.FORM,
        )
        for path in _READING_POSTS
    ),
)

ACTS = frozenset(e.template.rpartition("/")[2] for e in ENDPOINTS if e.write)
"""The last words of the paths that write, whatever the verb."""
