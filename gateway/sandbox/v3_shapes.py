"""What API v3 calls with, and the things that it shows, in the shapes of the vendor's document."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.people import User
from gateway.sandbox.site import Group, Post, Site, SiteError, Space

EPOCH = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
"""When all began that tells no date of its own."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: where, by whom, with what."""

    site: Site
    space: Space
    user: User
    base: str
    client: str
    path: Mapping[str, int]
    words: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    raw: bytes


Answer = tuple[int, Any]
Method = Callable[[Call], Answer]


def user(call: Call, who: User) -> dict[str, Any]:
    """A user, as in every answer."""
    return {
        "id": who.id,
        "accountId": who.id,
        "name": who.name,
        "avatarUrl": f"{call.base}/avatars/{who.id}",
        "webUrl": f"{call.base}/users/{who.id}",
        "reputation": 1,
        "role": who.role,
    }


def user_details(call: Call, who: User) -> dict[str, Any]:
    """A user, as they see themselves."""
    details: dict[str, Any] = {
        "externalId": who.external_id,
        "department": None,
        "jobTitle": None,
        "communities": [],
    }
    return user(call, who) | details | {"email": who.email}


def person(call: Call, number: int) -> User:
    """The user of a number; one who is not there is made up."""
    return call.site.people.users.get(number) or User(number, f"user{number}")


def tag(call: Call, name: str) -> dict[str, Any]:
    """A tag."""
    return {
        "id": call.space.tags[name],
        "name": name,
        "description": "",
        "postCount": sum(name in post.tags for post in call.space.posts.values()),
        "subjectMatterExpertCount": 0,
        "watcherCount": 0,
        "creationDate": date(EPOCH),
        "hasSynonyms": False,
        "webUrl": f"{call.base}/questions/tagged/{name}",
    }


def date(at: datetime.datetime) -> str:
    """An instant, as v3 writes it."""
    return at.isoformat().replace("+00:00", "Z")


def question(call: Call, post: Post) -> dict[str, Any]:
    """A question; the summary of a list has the same members and more."""
    answers = call.space.of("answer", post.id)
    return _article_or_question(call, post) | {
        "isAnswered": any(each.accepted for each in answers),
        "answerCount": len(answers),
        "mentionedUsers": [],
        "mentionedUserGroups": [],
        "userHasBookmarked": call.user.id in post.bookmarks,
    }


def article(call: Call, post: Post) -> dict[str, Any]:
    """An article."""
    return _article_or_question(call, post) | {
        "type": post.article_type,
        "userCanEdit": True,
        "permissions": {
            "editableBy": post.editable_by,
            "editorUsers": [],
            "editorUserGroups": [],
        },
    }


def _article_or_question(call: Call, post: Post) -> dict[str, Any]:
    return {
        "communities": [],
        "id": post.id,
        "title": post.title,
        "body": post.html,
        "bodyMarkdown": post.body,
        "tags": [tag(call, name) for name in post.tags],
        "owner": user(call, post.owner),
        "lastEditor": user(call, post.owner),
        "creationDate": date(post.created),
        "lastActivityDate": date(post.active),
        "score": post.score,
        "viewCount": 0,
        "webUrl": f"{call.base}/{post.kind}s/{post.id}",
        "shareUrl": f"{call.base}/{post.kind[0]}/{post.id}",
        "isDeleted": False,
        "isObsolete": False,
        "isClosed": post.closed is not None,
        "userIsFollowing": False,
        "userHasUpvoted": call.user.id in post.up,
        "userHasDownvoted": call.user.id in post.down,
    }


def answer(call: Call, post: Post) -> dict[str, Any]:
    """An answer."""
    return {
        "id": post.id,
        "questionId": post.parent,
        "body": post.html,
        "bodyMarkdown": post.body,
        "score": post.score,
        "isAccepted": post.accepted,
        "isDeleted": False,
        "isBookmarked": False,
        "isFollowed": False,
        "creationDate": date(post.created),
        "lockedDate": None,
        "lastEditDate": date(post.edited) if post.edited else None,
        "lastActivityDate": date(post.active),
        "deletionDate": None,
        "owner": user(call, post.owner),
        "lastEditor": user(call, post.owner),
        "lastActivityUser": user(call, post.owner),
        "commentCount": len(call.space.of("comment", post.id)),
        "webUrl": f"{call.base}/a/{post.id}",
        "shareLink": f"{call.base}/a/{post.id}",
        "userCanFollow": True,
        "canBeFollowed": True,
        "isSubjectMatterExpert": False,
    }


def comment(_: Call, post: Post) -> dict[str, Any]:
    """A comment."""
    return {
        "id": post.id,
        "score": post.score,
        "body": post.body,
        "ownerUserId": post.owner.id,
        "ownerDisplayName": post.owner.name,
        "creationDate": date(post.created),
    }


def collection(call: Call, post: Post) -> dict[str, Any]:
    """A collection."""
    contents = [
        {"id": number, "type": "question", "title": found.title}
        for number in post.contents
        if (found := call.space.posts.get(("question", number)))
    ]
    return {
        "content": contents,
        "editorUsers": [],
        "editorUserGroups": [],
        "id": post.id,
        "title": post.title,
        "description": post.body,
        "owner": user(call, post.owner),
        "creationDate": date(post.created),
        "isDeleted": False,
        "tags": [],
    }


def group_of(call: Call, group: Group) -> dict[str, Any]:
    """A user group."""
    members = [user(call, person(call, number)) for number in group.members]
    return {"id": group.id, "name": group.name, "description": group.description, "users": members}


def community_of(call: Call, group: Group) -> dict[str, Any]:
    """A community."""
    since = date(EPOCH)
    members = [
        {"id": number, "name": person(call, number).name, "memberSince": since, "isSme": False}
        for number in group.members
    ]
    return {
        "members": members,
        "name": group.name,
        "description": group.description,
        "id": group.id,
        "memberCount": len(members),
        "tags": [],
    }


_DETAILS = frozenset(
    [
        "bodyMarkdown",
        "communities",
        "content",
        "editorUserGroups",
        "editorUsers",
        "members",
        "mentionedUserGroups",
        "mentionedUsers",
        "permissions",
        "userCanEdit",
        "userHasBookmarked",
        "userHasDownvoted",
        "userHasUpvoted",
        "userIsFollowing",
    ]
)
"""Members that an answer about one thing has, and a list of them has not."""


def summary(told: dict[str, Any]) -> dict[str, Any]:
    """A thing as it stands in a list."""
    return {name: value for name, value in told.items() if name not in _DETAILS}


def page(
    call: Call,
    items: Sequence[Any],
    sort: str,
    *,
    order: bool = True,
    shape: Callable[[Any], dict[str, Any]] = dict,
) -> Answer:
    """One page of a list, whose items have fewer members than one thing alone."""
    size = int(call.query.get("pageSize", "15"))
    number = int(call.query.get("page", "1"))
    if size not in (15, 30, 50, 100) or number < 1:
        raise SiteError(400, "", "One or more validation errors occurred.", "pageSize")
    first = (number - 1) * size
    told = {
        "totalCount": len(items),
        "pageSize": size,
        "page": number,
        "totalPages": math.ceil(len(items) / size),
        "sort": call.query.get("sort", sort),
        "items": [summary(shape(each)) for each in items[first : first + size]],
    }
    return 200, told | ({"order": call.query.get("order", "desc")} if order else {})


SHAPES: Mapping[str, Callable[[Call, Post], dict[str, Any]]] = {
    "question": question,
    "answer": answer,
    "article": article,
    "collection": collection,
    "comment": comment,
}
