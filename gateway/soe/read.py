"""From the bytes of a write to what rules look at: its text, its place, and SOE's own switches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import RequestError
from gateway.model import NO_POST, Headers, Post
from gateway.soe.api import BodyKind, Route
from gateway.soe.credentials import Credentials, credentials
from gateway.soe.endpoint import TextFields
from gateway.soe.head import check_head
from gateway.soe.wire import (
    ambiguous_field,
    read_fields,
    read_image_part,
    read_json,
    read_media_type,
    unreadable,
)

__all__ = ["Credentials", "Reading", "check_head", "credentials", "is_slug", "read_write"]

# SOE's own limits, in characters.
TITLE_LIMIT = 150
_BODY_LIMIT = 30_000
ARTICLE_LIMIT = 100_000
_IMAGE_LIMIT = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a write says.

    Attributes:
        team: the team's slug in lower case, None for the main site.
        thread: as in `Write`.
        target: as in `Write`.
        fields: the fields of query and form by their names in lower case; empty where the body is
            JSON. May hold credentials.
        request_id: v2.3's own idempotency key.
    """

    post: Post = NO_POST
    preview: bool = False
    team: str | None = None
    thread: str | None = None
    target: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    request_id: str | None = None


def read_write(route: Route, headers: Headers, body: bytes) -> Reading:
    """Read a write whose head has been checked.

    Raises:
        RequestError: 400 `unreadable_body`, `ambiguous_body`, `ambiguous_field`,
            `unexpected_body`, `text_too_long`, `callback_refused`, 413 `body_too_large`.
    """
    reading = _READERS[route.endpoint.body](route, headers, body)
    post = reading.post
    limit = ARTICLE_LIMIT if route.endpoint.operation.startswith("article.") else _BODY_LIMIT
    if len(post.title) > TITLE_LIMIT or len(post.body) > limit:
        raise RequestError(
            400,
            "text_too_long",
            f"SOE takes titles of {TITLE_LIMIT} and here bodies of {limit} characters at most.",
        )
    return reading


# ── bodies ───────────────────────────────────────────────────────────────────────────────────


def _read_none(route: Route, headers: Headers, body: bytes) -> Reading:
    # Some clients send an empty object with every request.
    if body and read_json(body) != {}:
        raise RequestError(400, "unexpected_body", "This endpoint takes no body.")
    return _reading(route, NO_POST)


def _read_object(route: Route, headers: Headers, body: bytes) -> Reading:
    document = read_json(body)
    if not isinstance(document, dict):
        raise unreadable("The body must be a JSON object.")
    text = route.endpoint.text
    members = {name.lower(): value for name, value in document.items()}
    return _reading(route, _post(text, members, _listed(members.get(text.tags))))


def _read_ids(route: Route, headers: Headers, body: bytes) -> Reading:
    ids = read_json(body)
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise unreadable("The body must be a JSON array of integers.")
    return _reading(route, NO_POST)


def _read_image(route: Route, headers: Headers, body: bytes) -> Reading:
    _, parameters = read_media_type(dict(headers).get(b"content-type", b""))
    image = read_image_part(body, parameters["boundary"]) if "boundary" in parameters else body
    if not image:
        raise unreadable("The body must be an image.")
    if len(image) > _IMAGE_LIMIT:
        raise RequestError(413, "body_too_large", f"SOE takes images of {_IMAGE_LIMIT} bytes.")
    return _reading(route, NO_POST)


def _reading(route: Route, post: Post) -> Reading:
    in_query = read_fields(route.query)
    _check_callback(in_query)
    if not route.endpoint.text.names.isdisjoint(in_query):
        raise ambiguous_field("Text belongs into the body, not into the query.")
    return Reading(post=post, team=route.team, thread=_thread(route), target=_target(route))


def _read_form(route: Route, headers: Headers, body: bytes) -> Reading:
    in_query, in_form = read_fields(route.query), read_fields(body)
    if not in_query.keys().isdisjoint(in_form):
        raise ambiguous_field("A field stands both in the query and in the form.")
    fields = {**in_query, **in_form}
    _check_callback(fields)
    if fields.get("id", route.id) != route.id:
        # ASP.NET lets a form field replace a parameter of the path.
        raise ambiguous_field("The field 'id' differs from the id in the path.")
    endpoint, text = route.endpoint, route.endpoint.text
    beside = in_query if text.names.isdisjoint(in_form) else in_form
    return Reading(
        post=_post(text, fields, _split(fields.get(text.tags, ""))),
        preview=endpoint.previewable and beside.get("preview") in ("true", "True", "TRUE"),
        team=_team(fields.get("team", "")),
        thread=_thread(route),
        target=_target(route),
        fields=fields,
        request_id=_request_id(fields.get("request_id", "")),
    )


def _check_callback(fields: Mapping[str, str]) -> None:
    if "callback" in fields:
        raise RequestError(400, "callback_refused", "A write takes no callback: drop that field.")


_READERS: Mapping[BodyKind, Callable[[Route, Headers, bytes], Reading]] = {
    BodyKind.NONE: _read_none,
    BodyKind.OBJECT: _read_object,
    BodyKind.IDS: _read_ids,
    BodyKind.FORM: _read_form,
    BodyKind.IMAGE: _read_image,
}


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def _post(names: TextFields, fields: Mapping[str, Any], tags: tuple[str, ...]) -> Post:
    paragraphs = (_text(fields, name) for name in names.body)
    return Post(
        title=_text(fields, names.title),
        body="\n\n".join(filter(None, paragraphs)),
        tags=tags,
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name) if name else None
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise unreadable("Titles, bodies and comments must be strings without NUL.")
    return value


def _listed(tags: Any) -> tuple[str, ...]:
    if tags is None:
        return ()
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise unreadable("Tags must be an array of strings.")
    return tuple(tags)


def _split(tags: str) -> tuple[str, ...]:
    # Clients separate tags by semicolons, commas or spaces.
    return tuple(filter(None, re.split(r"[;,\s]+", tags)))


# ── place ────────────────────────────────────────────────────────────────────────────────────

_TARGETS = (
    *("answer", "comment", "question", "article", "post", "collection"),
    *("tag", "user_group", "community", "account", "user"),
)
_MADE_IN_THREAD = frozenset({"answer.create", "comment.create"})
SLUG = r"[a-z0-9][a-z0-9._-]{0,99}"
"""How a team is named."""
THREADS = ("question", "article")
"""What a path names where it names a thread."""
POSTS = ("answer", "comment", "post")
"""What a path names where the thread goes by the post's own number."""
_TEAM = re.compile(rf"(?:(?:https?://)?[a-z0-9.:-]+/c/)?({SLUG})/?")


def _target(route: Route) -> str | None:
    """What exists and is meant: the narrowest thing that the path names."""
    if route.endpoint.operation in _MADE_IN_THREAD:
        return None
    return next((f"{n}/{route.params[n]}" for n in _TARGETS if n in route.params), None)


def _thread(route: Route) -> str | None:
    """Where the post stands; by its own number where the path does not name the thread."""
    params = route.params
    for noun in THREADS:
        if noun in params:
            return f"{noun}/{params[noun]}"
    return next((f"post/{params[n]}" for n in POSTS if n in params), None)


def is_slug(text: str) -> bool:
    """Whether a text names a team as `Write.team` does."""
    return re.fullmatch(SLUG, text) is not None


def _team(value: str) -> str | None:
    """The slug of v2.3's `team`, which clients give bare or as `stackoverflow.com/c/acme`."""
    if not value:
        return None
    match = _TEAM.fullmatch(value.lower())
    if match is None:
        raise ambiguous_field("The field 'team' is neither a slug nor the address of a team.")
    return match[1]


def _request_id(value: str) -> str | None:
    if len(value) > 255 or not value.isprintable():
        raise ambiguous_field("The field 'request_id' takes 255 printable characters at most.")
    return value or None
