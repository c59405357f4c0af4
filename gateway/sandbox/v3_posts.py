"""Methods of API v3 on posts: questions, answers, articles, collections, and their images."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.sandbox.site import Post, SiteError
from gateway.sandbox.v3_shapes import (
    SHAPES,
    Answer,
    Call,
    Method,
    answer,
    comment,
    date,
    page,
    summary,
    tag,
    user,
)


def post_of(call: Call, kind: str) -> Post:
    """The post of a kind that the path names."""
    return call.site.get(call.space, kind, call.path[kind])


def text_of(call: Call, name: str, *, required: bool = True) -> str:
    """A text of the body."""
    value = call.body.get(name) if isinstance(call.body, dict) else None
    if not isinstance(value, str) or (required and not value.strip()):
        if not required and value is None:
            return ""
        raise SiteError(400, "", name.title(), f"The {name.title()} field is required.")
    return value


def _tags(call: Call) -> tuple[str, ...]:
    value = call.body.get("tags") if isinstance(call.body, dict) else None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SiteError(400, "", "Tags", "The Tags field is required.")
    return tuple(value)


def ids_of(call: Call, name: str | None = None) -> list[int]:
    """Numbers that are the body, or a member of it."""
    value = call.body if name is None else (call.body or {}).get(name) or []
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise SiteError(400, "", name or "$", "The JSON value could not be converted.")
    return value


_SORTS: Mapping[str, Callable[[Post], Any]] = {
    "activity": lambda post: post.active,
    "modified": lambda post: post.active,
    "creation": lambda post: post.created,
    "score": lambda post: post.score,
}


def listed(kind: str, sort: str) -> Method:
    """List the posts of a kind, in the order that is asked for."""

    def method(call: Call) -> Answer:
        parent = post_of(call, "question").id if kind == "answer" else None
        posts = _ordered(call, call.space.of(kind, parent), sort)
        return page(call, posts, sort, shape=lambda post: SHAPES[kind](call, post))

    return method


def _ordered(call: Call, posts: Sequence[Post], sort: str) -> list[Post]:
    """The posts of a list in the order that is asked for, of one instant by their numbers."""
    key, order = _SORTS.get(call.query.get("sort", sort)), call.query.get("order", "desc")
    if key is None or order not in ("asc", "desc"):
        raise SiteError(400, "", "One or more validation errors occurred.", "sort")
    since, until = (call.query.get(name) for name in ("from", "to"))
    chosen = [
        post
        for post in posts
        if (not since or post.created >= _read_date(since))
        and (not until or post.created <= _read_date(until))
    ]
    return sorted(chosen, key=lambda post: (key(post), post.id), reverse=order == "desc")


def _read_date(text: str) -> datetime.datetime:
    read = datetime.datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def show(kind: str) -> Method:
    """Show the post that the path names."""
    return lambda call: (200, SHAPES[kind](call, post_of(call, kind)))


def remove(kind: str) -> Method:
    """Delete the post that the path names."""

    def method(call: Call) -> Answer:
        call.site.delete(call.space, post_of(call, kind))
        return 204, None

    return method


def create(kind: str) -> Method:
    """Add a post of a kind."""

    def method(call: Call) -> Answer:
        post = call.site.add(
            call.space, kind, call.user, client=call.client, **_written(call, kind)
        )
        return 201, SHAPES[kind](call, post)

    return method


def _written(call: Call, kind: str) -> dict[str, Any]:
    """What a client wrote, for the fields of a post."""
    if kind == "answer":
        return {"body": text_of(call, "body"), "parent": post_of(call, "question").id}
    if kind == "collection":
        return {
            "title": text_of(call, "title", required=False),
            "body": text_of(call, "description", required=False),
            "contents": tuple(ids_of(call, "contentIds")),
        }
    title = text_of(call, "title", required=not call.site.lenient)
    written = {"title": title, "body": text_of(call, "body"), "tags": _tags(call)}
    if kind == "article":
        permissions = call.body.get("permissions")
        if not isinstance(permissions, dict):
            raise SiteError(400, "", "Permissions", "The Permissions field is required.")
        kinds = ("knowledgeArticle", "announcement", "policy", "howToGuide")
        if call.body.get("type") not in kinds:
            raise SiteError(400, "", "Type", "The Type field is required.")
        written["article_type"] = call.body["type"]
        written["editable_by"] = permissions.get("editableBy") or "ownerOnly"
    return written


def edit(kind: str) -> Method:
    """Replace a post."""

    def method(call: Call) -> Answer:
        post = post_of(call, kind)
        written = _written(call, kind)
        call.site.edit(
            call.space,
            post,
            body=written["body"],
            title=written.get("title", ""),
            tags=written.get("tags", ()),
        )
        post.contents = written.get("contents", post.contents)
        return 200, SHAPES[kind](call, post)

    return method


def vote(kind: str, ballot: str, *, undo: bool, status: int = 200) -> Method:
    """Add the person to a post's votes or bookmarks, or take them out."""

    def method(call: Call) -> Answer:
        post = post_of(call, kind)
        votes: set[int] = getattr(post, ballot)
        votes.discard(call.user.id) if undo else votes.add(call.user.id)
        told = SHAPES[kind](call, post)
        return status, summary(told) if kind == "answer" else told

    return method


def accept(*, accepted: bool) -> Method:
    """Accept an answer, or take that back."""

    def method(call: Call) -> Answer:
        post = post_of(call, "answer")
        post.accepted = accepted
        return 200, summary(answer(call, post))

    return method


def flag(kind: str) -> Method:
    """Note a flag."""

    def method(call: Call) -> Answer:
        post = post_of(call, kind)
        if not isinstance(call.body, dict) or type(call.body.get("optionId")) is not int:
            raise SiteError(400, "", "OptionId", "The OptionId field is required.")
        post.flags.append(dict(call.body))
        return 200, None

    return method


def flag_options(kind: str) -> Method:
    """List what a post can be flagged for."""

    def method(call: Call) -> Answer:
        post_of(call, kind)
        option = {
            "optionId": 1,
            "dialogTitle": "Flag",
            "title": "needs attention",
            "description": "",
            "requiresComment": False,
            "requiresSite": False,
            "requiresQuestionId": False,
            "isRetraction": False,
            "subOptions": [],
        }
        return 200, [option]

    return method


def comments(kind: str) -> Method:
    """List a post's comments."""
    return lambda call: (
        200,
        [comment(call, each) for each in call.space.of("comment", post_of(call, kind).id)],
    )


def linked(kind: str) -> Method:
    """List what a post is linked with, which is nothing."""

    def method(call: Call) -> Answer:
        post_of(call, kind)
        return page(call, [], "activity")

    return method


def search(call: Call) -> Answer:
    """Find the questions that hold some words."""
    words = call.query.get("query", "").casefold()
    found = [
        {
            "type": "question",
            "questionId": post.id,
            "answerCount": 0,
            "hasAcceptedAnswer": False,
            "viewCount": 0,
            "title": post.title,
            "snippet": post.body[:100],
            "tags": [tag(call, name) for name in post.tags],
            "owner": user(call, post.owner),
            "creationDate": date(post.created),
            "score": post.score,
            "webUrl": f"{call.base}/questions/{post.id}",
        }
        for post in call.space.of("question")
        if words in f"{post.title} {post.body}".casefold()
    ]
    return page(call, found, "relevance", order=False)


def upload(call: Call) -> Answer:
    """Keep an image."""
    number = f"{len(call.site.images) + 1}.png"
    call.site.images[number] = call.raw
    return 200, {"id": number, "url": f"{call.base}/images/{number}"}


def image(call: Call) -> Answer:
    """Give an image back."""
    if call.words["image"] not in call.site.images:
        raise SiteError(404, "images/not-found", "Image not found")
    return 200, call.site.images[call.words["image"]]
