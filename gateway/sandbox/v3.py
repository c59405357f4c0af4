"""API v3 on the site: one table of methods, and the answers in the shapes of the vendor's document."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.people import User
from gateway.sandbox.site import Group, Post, Site, SiteError, Space


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


# ── shapes ───────────────────────────────────────────────────────────────────────────────────


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


def _user_details(call: Call, who: User) -> dict[str, Any]:
    details: dict[str, Any] = {
        "externalId": who.external_id,
        "department": None,
        "jobTitle": None,
        "communities": [],
    }
    return user(call, who) | details | {"email": who.email}


def _person(call: Call, number: int) -> User:
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
        "creationDate": _date(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)),
        "hasSynonyms": False,
        "webUrl": f"{call.base}/questions/tagged/{name}",
    }


def _date(at: datetime.datetime) -> str:
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
        "creationDate": _date(post.created),
        "lastActivityDate": _date(post.active),
        "score": post.score,
        "viewCount": 0,
        "webUrl": f"{call.base}/{post.kind}s/{post.id}",
        "shareUrl": f"{call.base}/{post.kind[0]}/{post.id}",
        "isDeleted": False,
        "isObsolete": False,
        "isClosed": False,
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
        "creationDate": _date(post.created),
        "lockedDate": None,
        "lastEditDate": _date(post.edited) if post.edited else None,
        "lastActivityDate": _date(post.active),
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


def _comment(_: Call, post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "score": post.score,
        "body": post.body,
        "ownerUserId": post.owner.id,
        "ownerDisplayName": post.owner.name,
        "creationDate": _date(post.created),
    }


def _collection(call: Call, post: Post) -> dict[str, Any]:
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
        "creationDate": _date(post.created),
        "isDeleted": False,
        "tags": [],
    }


def _group(call: Call, group: Group) -> dict[str, Any]:
    members = [user(call, _person(call, number)) for number in group.members]
    return {"id": group.id, "name": group.name, "description": group.description, "users": members}


def _community(call: Call, group: Group) -> dict[str, Any]:
    since = _date(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
    members = [
        {"id": number, "name": _person(call, number).name, "memberSince": since, "isSme": False}
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


def _summary(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in _DETAILS}


def _page(
    call: Call,
    items: Sequence[Any],
    sort: str,
    *,
    order: bool = True,
    shape: Callable[[Any], dict[str, Any]] = dict,
) -> Answer:
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
        "items": [_summary(shape(each)) for each in items[first : first + size]],
    }
    return 200, told | ({"order": call.query.get("order", "desc")} if order else {})


# ── methods ──────────────────────────────────────────────────────────────────────────────────


def _post(call: Call, kind: str) -> Post:
    return call.site.get(call.space, kind, call.path[kind])


def _text(call: Call, name: str, *, required: bool = True) -> str:
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


def _ids(call: Call, name: str | None = None) -> list[int]:
    value = call.body if name is None else (call.body or {}).get(name) or []
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise SiteError(400, "", name or "$", "The JSON value could not be converted.")
    return value


_SHAPES: Mapping[str, Callable[[Call, Post], dict[str, Any]]] = {
    "question": question,
    "answer": answer,
    "article": article,
    "collection": _collection,
    "comment": _comment,
}


_SORTS: Mapping[str, Callable[[Post], Any]] = {
    "activity": lambda post: post.active,
    "modified": lambda post: post.active,
    "creation": lambda post: post.created,
    "score": lambda post: post.score,
}


def _list(kind: str, sort: str) -> Method:
    def method(call: Call) -> Answer:
        parent = _post(call, "question").id if kind == "answer" else None
        posts = _ordered(call, call.space.of(kind, parent), sort)
        return _page(call, posts, sort, shape=lambda post: _SHAPES[kind](call, post))

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


def _show(kind: str) -> Method:
    return lambda call: (200, _SHAPES[kind](call, _post(call, kind)))


def _remove(kind: str) -> Method:
    def method(call: Call) -> Answer:
        call.site.delete(call.space, _post(call, kind))
        return 204, None

    return method


def _create(kind: str) -> Method:
    def method(call: Call) -> Answer:
        post = call.site.add(
            call.space, kind, call.user, client=call.client, **_written(call, kind)
        )
        return 201, _SHAPES[kind](call, post)

    return method


def _written(call: Call, kind: str) -> dict[str, Any]:
    """What a client wrote, for the fields of a post."""
    if kind == "answer":
        return {"body": _text(call, "body"), "parent": _post(call, "question").id}
    if kind == "collection":
        return {
            "title": _text(call, "title", required=False),
            "body": _text(call, "description", required=False),
            "contents": tuple(_ids(call, "contentIds")),
        }
    title = _text(call, "title", required=not call.site.lenient)
    written = {"title": title, "body": _text(call, "body"), "tags": _tags(call)}
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


def _edit(kind: str) -> Method:
    def method(call: Call) -> Answer:
        post = _post(call, kind)
        written = _written(call, kind)
        call.site.edit(
            call.space,
            post,
            body=written["body"],
            title=written.get("title", ""),
            tags=written.get("tags", ()),
        )
        post.contents = written.get("contents", post.contents)
        return 200, _SHAPES[kind](call, post)

    return method


def _vote(kind: str, ballot: str, *, undo: bool, status: int = 200) -> Method:
    def method(call: Call) -> Answer:
        post = _post(call, kind)
        votes: set[int] = getattr(post, ballot)
        votes.discard(call.user.id) if undo else votes.add(call.user.id)
        told = _SHAPES[kind](call, post)
        return status, _summary(told) if kind == "answer" else told

    return method


def _accept(*, accepted: bool) -> Method:
    def method(call: Call) -> Answer:
        post = _post(call, "answer")
        post.accepted = accepted
        return 200, _summary(answer(call, post))

    return method


def _flag(kind: str) -> Method:
    def method(call: Call) -> Answer:
        post = _post(call, kind)
        if not isinstance(call.body, dict) or type(call.body.get("optionId")) is not int:
            raise SiteError(400, "", "OptionId", "The OptionId field is required.")
        post.flags.append(dict(call.body))
        return 200, None

    return method


def _flag_options(kind: str) -> Method:
    def method(call: Call) -> Answer:
        _post(call, kind)
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


def _comments(kind: str) -> Method:
    return lambda call: (
        200,
        [_comment(call, each) for each in call.space.of("comment", _post(call, kind).id)],
    )


def _linked(kind: str) -> Method:
    def method(call: Call) -> Answer:
        _post(call, kind)
        return _page(call, [], "activity")

    return method


def _tag_name(call: Call) -> str:
    for name, number in call.space.tags.items():
        if number == call.path["tag"]:
            return name
    raise SiteError(404, "tags/not-found", "Tag not found")


def _watchers(call: Call) -> Answer:
    _tag_name(call)
    return 200, {"users": []}


def _show_tag(call: Call) -> Answer:
    told = tag(call, _tag_name(call))
    return 200, told | {"subjectMatterExperts": _experts(call)}


def _experts(call: Call) -> dict[str, Any]:
    users, groups = call.space.experts.get(call.path["tag"], ([], []))
    return {
        "users": [user(call, _person(call, number)) for number in users],
        "userGroups": [
            _group(call, call.space.groups[n]) for n in groups if n in call.space.groups
        ],
    }


def _edit_experts(which: str) -> Method:
    def method(call: Call) -> Answer:
        _tag_name(call)
        users, groups = call.space.experts.setdefault(call.path["tag"], ([], []))
        if which == "both":
            users[:], groups[:] = _ids(call, "userIds"), _ids(call, "userGroupIds")
        else:
            (users if which == "users" else groups).extend(_ids(call))
        return 200, _experts(call)

    return method


def _remove_expert(call: Call) -> Answer:
    _tag_name(call)
    users, groups = call.space.experts.get(call.path["tag"], ([], []))
    for found, name in ((users, "user"), (groups, "group")):
        if call.path.get(name) in found:
            found.remove(call.path[name])
    return 204, None


def _get_group(call: Call, kind: str) -> Group:
    groups = call.space.groups if kind == "group" else call.space.communities
    if call.path[kind] not in groups:
        raise SiteError(404, f"{kind}s/not-found", "Not found")
    return groups[call.path[kind]]


def _create_group(call: Call) -> Answer:
    number = max(call.space.groups, default=0) + 1
    name, told = _text(call, "name"), _text(call, "description", required=False)
    call.space.groups[number] = Group(number, name, told, _ids(call, "userIds"))
    return 201, _group(call, call.space.groups[number])


def _edit_group(call: Call) -> Answer:
    group = _get_group(call, "group")
    group.name = _text(call, "name")
    group.description = _text(call, "description", required=False)
    group.members = _ids(call, "userIds")
    return 200, _group(call, group)


def _add_members(call: Call) -> Answer:
    group = _get_group(call, "group")
    group.members += [number for number in _ids(call) if number not in group.members]
    return 200, _group(call, group)


def _remove_member(call: Call) -> Answer:
    group = _get_group(call, "group")
    group.members = [number for number in group.members if number != call.path["user"]]
    return 200, _group(call, group)


def _join(*, bulk: bool, leave: bool) -> Method:
    def method(call: Call) -> Answer:
        community = _get_group(call, "community")
        meant = _ids(call, "memberUserIds") if bulk else [call.user.id]
        kept = [number for number in community.members if number not in meant]
        community.members = kept if leave else kept + meant
        return 200, _community(call, community)

    return method


def _search(call: Call) -> Answer:
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
            "creationDate": _date(post.created),
            "score": post.score,
            "webUrl": f"{call.base}/questions/{post.id}",
        }
        for post in call.space.of("question")
        if words in f"{post.title} {post.body}".casefold()
    ]
    return _page(call, found, "relevance", order=False)


def _known_user(call: Call) -> Answer:
    number = call.path["user"]
    if number not in call.site.people.users:
        raise SiteError(404, "user/not-found", "User not found")
    return 200, _user_details(call, call.site.people.users[number])


def _by_email(call: Call) -> Answer:
    for who in call.site.people.users.values():
        if call.words["email"] == who.email:
            return 200, _user_details(call, who)
    raise SiteError(404, "user/not-found", "User not found")


def _by_external_id(call: Call) -> Answer:
    people = call.site.people.users.values()
    meant = [who for who in people if who.external_id == call.words["external"]]
    return 200, [_user_details(call, who) for who in meant]


def _managed(call: Call) -> Answer:
    dates = dict.fromkeys(("creationDate", "lastModifiedDate", "lastAccessDate"), _date(_EPOCH))
    told = [
        user(call, who) | dates | {"email": who.email, "isDeactivated": False}
        for who in call.site.people.users.values()
    ]
    return _page(call, told, "id")


_EPOCH = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def _upload(call: Call) -> Answer:
    number = f"{len(call.site.images) + 1}.png"
    call.site.images[number] = call.raw
    return 200, {"id": number, "url": f"{call.base}/images/{number}"}


def _image(call: Call) -> Answer:
    if call.words["image"] not in call.site.images:
        raise SiteError(404, "images/not-found", "Image not found")
    return 200, call.site.images[call.words["image"]]


_Q, _A = "questions/{question}", "questions/{question}/answers/{answer}"
METHODS: Mapping[tuple[str, str], Method] = {
    ("GET", "questions"): _list("question", "activity"),
    ("POST", "questions"): _create("question"),
    ("GET", _Q): _show("question"),
    ("PUT", _Q): _edit("question"),
    ("DELETE", _Q): _remove("question"),
    ("GET", f"{_Q}/linked"): _linked("question"),
    ("GET", f"{_Q}/related"): _linked("question"),
    ("GET", f"{_Q}/comments"): _comments("question"),
    ("GET", f"{_Q}/flags/options"): _flag_options("question"),
    ("POST", f"{_Q}/flags"): _flag("question"),
    ("POST", f"{_Q}/upvote"): _vote("question", "up", undo=False),
    ("DELETE", f"{_Q}/upvote"): _vote("question", "up", undo=True),
    ("POST", f"{_Q}/downvote"): _vote("question", "down", undo=False),
    ("DELETE", f"{_Q}/downvote"): _vote("question", "down", undo=True),
    ("POST", f"{_Q}/bookmark"): _vote("question", "bookmarks", undo=False, status=201),
    ("DELETE", f"{_Q}/bookmark"): _vote("question", "bookmarks", undo=True),
    ("GET", f"{_Q}/answers"): _list("answer", "score"),
    ("POST", f"{_Q}/answers"): _create("answer"),
    ("GET", _A): _show("answer"),
    ("PUT", _A): _edit("answer"),
    ("DELETE", _A): _remove("answer"),
    ("GET", f"{_A}/comments"): _comments("answer"),
    ("GET", f"{_A}/flags/options"): _flag_options("answer"),
    ("POST", f"{_A}/flags"): _flag("answer"),
    ("POST", f"{_A}/upvote"): _vote("answer", "up", undo=False),
    ("DELETE", f"{_A}/upvote"): _vote("answer", "up", undo=True),
    ("POST", f"{_A}/downvote"): _vote("answer", "down", undo=False),
    ("DELETE", f"{_A}/downvote"): _vote("answer", "down", undo=True),
    ("POST", f"{_A}/accept"): _accept(accepted=True),
    ("DELETE", f"{_A}/accept"): _accept(accepted=False),
    ("GET", "articles"): _list("article", "activity"),
    ("POST", "articles"): _create("article"),
    ("GET", "articles/{article}"): _show("article"),
    ("PUT", "articles/{article}"): _edit("article"),
    ("DELETE", "articles/{article}"): _remove("article"),
    ("GET", "articles/{article}/comments"): _comments("article"),
    ("GET", "articles/{article}/linked-questions"): _linked("article"),
    ("POST", "articles/{article}/upvote"): _vote("article", "up", undo=False),
    ("DELETE", "articles/{article}/upvote"): _vote("article", "up", undo=True),
    ("GET", "collections"): _list("collection", "creation"),
    ("POST", "collections"): _create("collection"),
    ("GET", "collections/{collection}"): _show("collection"),
    ("PUT", "collections/{collection}"): _edit("collection"),
    ("DELETE", "collections/{collection}"): _remove("collection"),
    ("GET", "tags"): lambda call: _page(call, [tag(call, n) for n in call.space.tags], "name"),
    ("GET", "tags/{tag}"): _show_tag,
    ("GET", "tags/{tag}/tag-watchers"): _watchers,
    ("GET", "tags/{tag}/subject-matter-experts"): lambda call: (200, _experts(call)),
    ("PUT", "tags/{tag}/subject-matter-experts"): _edit_experts("both"),
    ("POST", "tags/{tag}/subject-matter-experts/users"): _edit_experts("users"),
    ("POST", "tags/{tag}/subject-matter-experts/user-groups"): _edit_experts("groups"),
    ("DELETE", "tags/{tag}/subject-matter-experts/users/{user}"): _remove_expert,
    ("DELETE", "tags/{tag}/subject-matter-experts/user-groups/{group}"): _remove_expert,
    ("GET", "user-groups"): lambda call: _page(call, [_group(call, g) for g in call.space.groups.values()], "name"),
    ("POST", "user-groups"): _create_group,
    ("GET", "user-groups/{group}"): lambda call: (200, _group(call, _get_group(call, "group"))),
    ("PUT", "user-groups/{group}"): _edit_group,
    ("POST", "user-groups/{group}/members"): _add_members,
    ("DELETE", "user-groups/{group}/members/{user}"): _remove_member,
    ("GET", "communities"): lambda call: _page(call, [_community(call, g) for g in call.space.communities.values()], "name"),
    ("GET", "communities/{community}"): lambda call: (200, _community(call, _get_group(call, "community"))),
    ("POST", "communities/{community}/join"): _join(bulk=False, leave=False),
    ("POST", "communities/{community}/join/bulk"): _join(bulk=True, leave=False),
    ("POST", "communities/{community}/leave"): _join(bulk=False, leave=True),
    ("POST", "communities/{community}/leave/bulk"): _join(bulk=True, leave=True),
    ("GET", "users"): lambda call: _page(call, [_user_details(call, w) for w in call.site.people.users.values()], "reputation"),
    ("GET", "users/me"): lambda call: (200, _user_details(call, call.user)),
    ("GET", "users/manage"): _managed,
    ("GET", "users/{user}"): _known_user,
    ("GET", "users/{user}/watched-tags"): lambda call: (200, tag(call, next(iter(call.space.tags)))) if call.space.tags else (404, None),
    ("GET", "users/by-email/{email}"): _by_email,
    ("GET", "users/by-external-id/{external}"): _by_external_id,
    ("GET", "search"): _search,
    ("POST", "images/upload"): _upload,
    ("GET", "images/{image}"): _image,
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
