"""Which endpoint a request means: the raw target, read the way the most liberal server would.

Laws: the target is decoded once and compared without regard to case; what could be decoded again,
or be folded into something else, is refused (`ambiguous_target`); reads are GET and HEAD on known
prefixes, less the GETs that write; everything else is a write, and one that no row names is
refused (`unknown_operation`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError
from gateway.model import Api
from gateway.soe import other, v3, v23
from gateway.soe.endpoint import BodyKind, Endpoint

MAX_TARGET = 8192

ENDPOINTS: tuple[Endpoint, ...] = (*v3.ENDPOINTS, *v23.ENDPOINTS, *other.ENDPOINTS)
OPERATIONS = frozenset(endpoint.operation for endpoint in ENDPOINTS if endpoint.write)
PUBLISHING = frozenset(endpoint.operation for endpoint in ENDPOINTS if endpoint.publishes)

_PATH = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")  # RFC 3986 pchar
_QUERY = re.compile(rb"[!-\"$-~]*")
_ENCODED_TROUBLE = re.compile(rb"%(?:2[5FEfe]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_VERSION = re.compile(r"2\.(?:0|[1-9]\d?)")
_METHOD_FIELD = re.compile(rb"(?:^|[&;])_method(?:=|&|;|$)", re.IGNORECASE)
_LOOKS_LIKE_V2 = re.compile(rb"/+api/+[012]\.", re.IGNORECASE)
_PARAMETERS = {
    "team": re.compile(r"[a-z0-9][a-z0-9._-]{0,99}"),
    "tokens": re.compile(r"[^/]{1,4096}"),
    "name": re.compile(r"[^/;]{1,256}"),
}
_ID = re.compile(r"\d{1,18}")
_READS = MappingProxyType(
    {
        api: Endpoint(api=api, method="GET", template="*", operation="read", write=False)
        for api in (Api.V2, Api.V3)
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a request means.

    Attributes:
        path: the canonical path.
        params: what stands in the template's braces, in lower case.
        team: the team's slug where the path names one.
        query: as received, without its `?`.
    """

    endpoint: Endpoint
    path: str
    params: Mapping[str, str]
    team: str | None
    query: bytes


def classify(method: str, target: bytes) -> Route:
    """Find the endpoint that a request means.

    Raises:
        RequestError: `ambiguous_target` (400), `target_too_long` (414), `method_not_allowed` (405),
            `unknown_operation` (403) for a write that no row names, `not_proxied` (404) for what
            is no API of SOE's.
    """
    if len(target) > MAX_TARGET:
        raise RequestError(414, "target_too_long", f"The target is over {MAX_TARGET} bytes.")
    path, _, query = target.partition(b"?")
    if not _QUERY.fullmatch(query):
        raise _ambiguous("the query holds a byte that must be percent-encoded")
    if (b"_" in query or b"%" in query) and _METHOD_FIELD.search(unquote_to_bytes(query)):
        raise _ambiguous("the field _method would change the method")
    found = _find(method, path)
    if not query:
        return found
    return Route(
        endpoint=found.endpoint,
        path=found.path,
        params=found.params,
        team=found.team,
        query=query,
    )


def api_of(target: bytes) -> Api:
    """Tell in whose dialect to answer; a guess where the target is no known one."""
    return Api.V2 if _LOOKS_LIKE_V2.match(unquote_to_bytes(target[:64])) else Api.V3


def body_limit(route: Route) -> int:
    """The bytes a body may have: 1 MiB, and for images 2 MiB with room for their framing."""
    return 2_162_688 if route.endpoint.body is BodyKind.IMAGE else 1_048_576


def canonical(path: bytes) -> tuple[str, ...]:
    """Give the segments of a path, decoded once, in lower case, less one trailing slash.

    Raises:
        RequestError: `ambiguous_target` (400).
    """
    if not _PATH.fullmatch(path):
        raise _ambiguous("the path is not an absolute one of RFC 3986")
    if b"%" in path:
        if _ENCODED_TROUBLE.search(path):
            raise _ambiguous("an encoded slash, backslash, dot, percent or control byte")
        try:
            text = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            raise _ambiguous("the path is not UTF-8") from None
        if not text.isascii():
            _refuse_look_alikes(text)
    else:
        text = path.decode()
    segments = text.lower().split("/")[1:]
    if len(segments) > 1 and not segments[-1]:
        segments.pop()
    for part in (part for segment in segments for part in segment.split(";")):
        if not part or part[0] == " " or part[-1] in " .":  # `.net` is a tag
            raise _ambiguous("an empty segment, a dot segment, or a dot or space at its end")
    return tuple(segments)


def _refuse_look_alikes(text: str) -> None:
    """Refuse characters that some servers fold into ASCII: full-width, Kelvin, long s, dotless i."""
    if unicodedata.normalize("NFKC", text) != text:
        raise _ambiguous("a character that normalises into another")
    for char in text:
        if not char.isascii() and (char.upper().isascii() or char.lower()[0].isascii()):
            raise _ambiguous("a character that folds into an ASCII letter")


@lru_cache(maxsize=4096)
def _find(method: str, path: bytes) -> Route:
    segments = canonical(path)
    located = _locate(segments)
    if method == "OPTIONS":
        raise RequestError(405, "method_not_allowed", "OPTIONS is not answered here.")
    if located is None:
        raise RequestError(404, "not_proxied", "The gateway forwards SOE's API and nothing else.")
    api, team, rest = located
    lookup = "GET" if method == "HEAD" else method
    for endpoint in _TABLE.get((api, lookup, len(rest)), ()):
        if team is not None and not endpoint.everywhere:
            continue
        params = _match(endpoint.template, rest)
        if params is not None:
            if method == "HEAD" and endpoint.write:
                raise _unknown()
            return _route(endpoint, segments, params, team)
    if lookup == "GET" and api in _READS:
        _refuse_vectors(api, segments)
        return _route(_READS[api], segments, {}, team)
    raise _unknown()


def _route(
    endpoint: Endpoint, segments: tuple[str, ...], params: dict[str, str], team: str | None
) -> Route:
    return Route(
        endpoint=endpoint,
        path="/" + "/".join(segments),
        params=MappingProxyType(params),
        team=team,
        query=b"",
    )


def _locate(segments: tuple[str, ...]) -> tuple[Api, str | None, tuple[str, ...]] | None:
    """Tell which API the path belongs to, the team it names, and what stands below its prefix."""
    match segments:
        case ("api", "v3", "teams", team, *rest) if rest and _PARAMETERS["team"].fullmatch(team):
            return Api.V3, team, tuple(rest)
        case ("api", "v3", *rest):
            return Api.V3, None, tuple(rest)
        case ("api", "scim", "v2", *rest):
            return Api.SCIM, None, tuple(rest)
        case ("api", version, *rest) if _VERSION.fullmatch(version):
            return Api.V2, None, tuple(rest)
        case ("oauth", *rest):
            return Api.OAUTH, None, tuple(rest)
    return None


def _match(template: str, segments: tuple[str, ...]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for part, segment in zip(template.split("/") if template else (), segments, strict=True):
        if part[:1] != "{":
            if part != segment:
                return None
            continue
        name = part[1:-1]
        if not _PARAMETERS.get(name, _ID).fullmatch(segment):
            return None
        params[name] = segment
    return params


def _refuse_vectors(api: Api, segments: tuple[str, ...]) -> None:
    """Allow `1;2;3` where v2.3 has it, below the method's noun; never path parameters (`;a=b`)."""
    for position, segment in enumerate(segments):
        if ";" in segment and (api is not Api.V2 or position < 3 or "=" in segment):
            raise _ambiguous("a path parameter")


def _table() -> dict[tuple[Api, str, int], tuple[Endpoint, ...]]:
    table: dict[tuple[Api, str, int], tuple[Endpoint, ...]] = {}
    for endpoint in ENDPOINTS:
        length = len(endpoint.template.split("/")) if endpoint.template else 0
        key = (endpoint.api, endpoint.method, length)
        table[key] = (*table.get(key, ()), endpoint)
    return table


_TABLE: Mapping[tuple[Api, str, int], tuple[Endpoint, ...]] = MappingProxyType(_table())


def _ambiguous(why: str) -> RequestError:
    return RequestError(
        400,
        "ambiguous_target",
        f"The target can be read in more than one way ({why}); send it in its plainest form.",
    )


def _unknown() -> RequestError:
    return RequestError(
        403,
        "unknown_operation",
        "The gateway knows no such write of SOE's API, so it is not forwarded.",
    )
