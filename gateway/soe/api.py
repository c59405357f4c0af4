"""Which endpoint a request means, found from method and raw target alone.

Laws: unknown means write, and an unknown write is refused; the same path in any case, encoding,
2.x version or team route means the same endpoint; nothing here depends on header or body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError
from gateway.model import Api
from gateway.soe import other, v3, v23
from gateway.soe.endpoint import PUBLISHING, BodyKind, Endpoint, TextFields
from gateway.soe.target import MAX_TARGET, canonical, split_target

__all__ = [
    "ENDPOINTS",
    "OPERATIONS",
    "PUBLISHING",
    "BodyKind",
    "Endpoint",
    "Route",
    "TextFields",
    "api_of",
    "body_limit",
    "classify",
]

ENDPOINTS: tuple[Endpoint, ...] = (*v3.ENDPOINTS, *v23.ENDPOINTS, *other.ENDPOINTS)

OPERATIONS = frozenset(endpoint.operation for endpoint in ENDPOINTS if endpoint.write)
"""All write operations."""

_BODY_LIMIT = 1 << 20
_IMAGE_LIMIT = (2 << 20) + (64 << 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request's endpoint, and what varies in its path.

    Attributes:
        path: the canonical path; may hold a token (`/access-tokens/…`).
        params: the path's parameters by their names in the template.
        team: the team's slug in lower case, None for the main site or where a field names it.
        query: raw, without its `?`; may hold credentials.
    """

    endpoint: Endpoint
    path: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    team: str | None = None
    query: bytes = field(default=b"", repr=False)

    @property
    def id(self) -> str | None:
        """The number in a path of v2.3, which has at most one."""
        return next((v for name, v in self.params.items() if name not in ("version", "team")), None)


def classify(method: str, target: bytes) -> Route:
    """Find the endpoint of a request.

    Args:
        target: as received, not decoded.

    Raises:
        RequestError: `ambiguous_target` (400), `method_not_allowed` (405), `unknown_operation`
            (403) for what might write, or `not_proxied` (404) for a path outside the API.
    """
    if len(target) > MAX_TARGET:
        raise RequestError(400, "ambiguous_target", f"The target is over {MAX_TARGET} bytes.")
    path, query = split_target(target)
    route = _locate(method, path)
    if not query:
        return route
    return Route(
        endpoint=route.endpoint,
        path=route.path,
        params=route.params,
        team=route.team,
        query=query,
    )


@lru_cache(maxsize=2048)
def _locate(method: str, path: bytes) -> Route:
    text = canonical(path)
    if method == "OPTIONS":
        raise RequestError(405, "method_not_allowed", "The gateway does not answer OPTIONS.")
    segments = tuple(text.split("/")[1:])
    team = segments[3] if segments[:3] == ("api", "v3", "teams") and len(segments) > 3 else None
    found = _find(method, segments)
    if found is not None:
        endpoint, params = found
        return Route(endpoint=endpoint, path=text, params=params, team=team)
    surface = _surface(segments)
    if surface is None:
        raise RequestError(404, "not_proxied", "Only SOE's API is reached through this gateway.")
    reading = _READS.get((surface, method))
    if reading is None or not _reads(surface, segments):
        raise RequestError(
            403,
            "unknown_operation",
            "The gateway does not know this method and path, so it may be a write, and unknown "
            "writes are refused. Compare method, path and ids with SOE's documentation.",
        )
    return Route(endpoint=reading, path=text, team=team)


def api_of(target: bytes) -> Api:
    """Tell, as well as can be, in whose dialect an error about this target is understood."""
    path = unquote_to_bytes(target.partition(b"?")[0]).lower()
    return next((api for mark, api in _MARKS if mark in path), Api.V3)


def body_limit(route: Route) -> int:
    """Give the size in bytes that the request's body may have at most."""
    return _IMAGE_LIMIT if route.endpoint.body is BodyKind.IMAGE else _BODY_LIMIT


# ── surfaces and their reads ─────────────────────────────────────────────────────────────────

_MARKS = (
    (b"/api/2.", Api.V2),
    (b"/api/docs", Api.V2),
    (b"/api/scim/", Api.SCIM),
    (b"/oauth", Api.OAUTH),
)
_VERSION = re.compile(r"2\.(?:0|[1-9][0-9]?)")
_READS = {
    (api, method): Endpoint(api=api, method=method, template="", operation="read", write=False)
    for api in (Api.V2, Api.V3, Api.SCIM)
    for method in ("GET", "HEAD")
}


def _surface(segments: tuple[str, ...]) -> Api | None:
    match segments:
        case ("api", "v3", *_):
            return Api.V3
        case ("api", word, *_) if word == "docs" or _VERSION.fullmatch(word):
            return Api.V2
        case ("api", "scim", "v2", *_):
            return Api.SCIM
        case ("oauth", *_):
            return Api.OAUTH
    return None


def _reads(surface: Api, segments: tuple[str, ...]) -> bool:
    """Tell whether GET certainly changes nothing there."""
    if surface is Api.SCIM:
        return segments[3:4] == ("users",)
    if surface is Api.V3 or segments[1] == "docs":
        return True
    # In v2.x the act is a word of the path, and what answers POST may answer GET. Tokens are
    # guarded wider: nobody reads below one, and a suffix that SOE drops must not hide the act.
    last = segments[-1]
    if segments[2:3] in (("access-tokens",), ("apps",)) and len(segments) > 4:
        return False
    return last not in v23.ACTS and "invalidate" not in last and "de-authenticate" not in last


# ── the table as a tree ──────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_SLOTS = {
    "version": _VERSION,
    "team": re.compile(r"[a-z0-9][a-z0-9._-]{0,99}"),
    "account": re.compile(r"[a-z0-9-]{1,64}"),
    "tokens": re.compile(r".+"),
}


@dataclass(frozen=True, slots=True)
class _Node:
    words: dict[str, _Node] = field(default_factory=dict)
    slots: dict[str, _Node] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)


def _tree(endpoints: tuple[Endpoint, ...]) -> _Node:
    root = _Node()
    for endpoint in endpoints:
        node = root
        for segment in endpoint.template.split("/")[1:]:
            slot = segment.startswith("{")
            children = node.slots if slot else node.words
            node = children.setdefault(segment.strip("{}"), _Node())
        node.endpoints[endpoint.method] = endpoint
    return root


_TREE = _tree(ENDPOINTS)


def _find(method: str, segments: tuple[str, ...]) -> tuple[Endpoint, Mapping[str, str]] | None:
    node = _TREE
    params: dict[str, str] = {}
    for segment in segments:
        child = node.words.get(segment)
        if child is None:
            # No two slots stand side by side in the tables, and no word fits its neighbour's slot.
            for name, child in node.slots.items():  # noqa: B007  # the one found goes on
                if _SLOTS.get(name, _NUMBER).fullmatch(segment):
                    params[name] = segment
                    break
            else:
                return None
        node = child
    endpoint = node.endpoints.get(method)
    return (endpoint, MappingProxyType(params)) if endpoint else None
