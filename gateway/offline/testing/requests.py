"""A step of a test as the request that an integration would send, and the write that it means.

The gateway's own readers of paths and bodies are asked, so that a test meets what a client does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from gateway.model import ANONYMOUS, Api, Write, author_of
from gateway.policy.registry import Integration
from gateway.proxy.identify import Caller, objection
from gateway.soe.api import ENDPOINTS, BodyKind, Endpoint, Route, classify
from gateway.soe.read import read_write
from gateway.text.fingerprint import fingerprint

NEW = "new"
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an integration sends.

    Attributes:
        facts: `as`, `token`, `person`, `action`, `title`, `body`, `user_agent`, `key`, `team`:
            what of them is told.
    """

    route: Route
    facts: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


def apis_of(operation: str) -> tuple[Api, ...]:
    """The surfaces that have an operation, v3 first."""
    found = {each.api for each in ENDPOINTS if each.write and each.operation == operation}
    return tuple(api for api in (Api.V3, Api.V2, Api.OAUTH, Api.SCIM) if api in found)


def endpoint_of(operation: str, api: Api, post: str, team: str | None) -> Endpoint | None:
    """Find the plainest endpoint of an operation; None where it has none that fits.

    Args:
        post: the number of the post that is meant, or `new`.
    """
    in_path = team is not None and api is Api.V3  # v2.3 names a team in a field
    fitting = [
        each
        for each in ENDPOINTS
        if each.write
        and (each.operation, each.api) == (operation, api)
        and ("{team}" in each.template) is in_path
        and bool(_slots(each)) is (post != NEW)
    ]
    return min(fitting, key=lambda each: len(_slots(each)), default=None)


def _slots(endpoint: Endpoint) -> list[str]:
    return [slot for slot in _SLOT.findall(endpoint.template) if slot not in ("version", "team")]


def route_of(endpoint: Endpoint, post: str, team: str | None, parent: str) -> Route:
    """Give the route to a post.

    Args:
        parent: the number of the thread in which it stands, for paths that name it as well.
    """
    slots = _slots(endpoint)
    values = dict.fromkeys(slots, parent) | dict.fromkeys(slots[-1:], post)
    path = endpoint.template.format(version="2.3", team=team, **values)
    return classify(endpoint.method, path.encode())


def request_of(
    route: Route, facts: Mapping[str, str], tags: tuple[str, ...], *, preview: bool
) -> Request:
    """Put together what is sent."""
    text = route.endpoint.text
    told = ((text.title, facts.get("title")), ((*text.body, "")[0], facts.get("body")))
    fields: dict[str, str | list[str]] = {
        name: value for name, value in told if name and value is not None
    }
    if text.tags and tags:
        fields[text.tags] = list(tags)
    kind = route.endpoint.body
    if kind is BodyKind.OBJECT:
        body = orjson.dumps(fields)
    elif kind is BodyKind.FORM:
        beside = {"team": facts.get("team", ""), "preview": "true" if preview else ""}
        body = _form(fields | {name: value for name, value in beside.items() if value})
    else:
        body = _BODIES[kind]
    return Request(route=route, facts=facts, body=body)


def _form(fields: Mapping[str, str | list[str]]) -> bytes:
    flat = {name: ";".join(v) if isinstance(v, list) else v for name, v in fields.items()}
    return urlencode(flat).encode()


_BODIES = {BodyKind.NONE: b"", BodyKind.IDS: b"[1]", BodyKind.IMAGE: b"image"}


def write_of(
    request: Request, registered: Mapping[str, Integration], *, id: str, at: float
) -> Write:
    """Read a request as the gateway does.

    Args:
        registered: the integrations by name; where there are none, any name may write.

    Raises:
        RequestError: the gateway refuses it before any rule looks at it.
    """
    facts, route = request.facts, request.route
    name = facts.get("as", ANONYMOUS)
    token = facts.get("token", f"token of {name}")
    caller = Caller(integration=registered.get(name), token=token)
    error = objection(caller, route.endpoint.operation, at, "allow")
    if error is not None:
        raise error
    reading = read_write(route, (), request.body)
    post, person = reading.post, facts.get("person")
    sent = repr((name, token, route.endpoint.method, route.path, request.body))
    keyed = "key" in facts and route.endpoint.publishes and not reading.preview
    return Write(
        id=id,
        at=at,
        integration=name,
        tier=caller.tier,
        token=token,
        person=person,
        api=route.endpoint.api,
        operation=route.endpoint.operation,
        team=reading.team,
        thread=reading.thread,
        target=reading.target,
        publishes=route.endpoint.publishes,
        preview=reading.preview,
        post=post,
        fingerprint=fingerprint(post, author_of(person, token, name)) if post.has_text else None,
        actions=(_acted(facts["action"], at),) if "action" in facts else (),
        user_agent=facts.get("user_agent", ""),
        request=sent,
        key=repr((name, token, facts["key"])) if keyed else None,
    )


def _acted(action: str, at: float) -> str:
    """An assertion that tells no time tells of this moment: a story runs on a clock of its own."""
    asserts = re.search(r'\bact="', action) and not re.search(r"\bat=", action)
    return f"{action}, at=@{int(at)}" if asserts else action
