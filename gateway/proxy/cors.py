"""Which pages of the web may read the gateway's answers: those whose origin is registered. Pure.

Laws: the gateway answers preflights itself, by the registry alone; whether SOE would allow an origin
does not matter here, so its own fields of this kind go no further where any origin is registered; no
origin is allowed to use cookies.
"""

from __future__ import annotations

from gateway.errors import RequestError
from gateway.model import Headers
from gateway.policy.registry import Registry
from gateway.proxy.exchange import Response

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_FIELDS = (
    b"Accept, Accept-Language, Authorization, Content-Type, Idempotency-Key, Prefer, "
    b"X-API-Access-Token, X-API-Key, X-Explicit-Action, X-Gateway-Dry-Run"
)
"""What a script may send. X-Gateway-Key is not among them: a key in a page is published."""
_EXPOSED = (
    b"Gateway-Decision, Gateway-Policy, Gateway-Warning, Idempotent-Replayed, RateLimit, "
    b"RateLimit-Policy, Retry-After"
)
_PERMITTED = (
    (b"access-control-allow-methods", _METHODS),
    (b"access-control-allow-headers", _FIELDS),
    (b"access-control-max-age", b"600"),
)
_PREFIX = b"access-control-"
_VARY = (b"vary", b"Origin")


def origin_of(headers: Headers) -> str | None:
    """Give the origin that a request says it comes from; None where it says none.

    Two are none that anybody registered.
    """
    told = [value for name, value in headers if name == b"origin"]
    if not told:
        return None
    return told[0].decode("latin-1") if len(told) == 1 else "null"


def foreign_origin() -> RequestError:
    """The refusal of a page that nobody registered."""
    return RequestError(
        403,
        "foreign_origin",
        "No integration has registered the origin of this page, and scripts of pages may write "
        "from a registered one alone. Tell the contact named here what it will post.",
    )


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks what a script may send, before it sends it."""
    names = {name for name, _ in headers}
    return method == "OPTIONS" and {b"origin", b"access-control-request-method"} <= names


def preflight(registry: Registry, headers: Headers) -> Response:
    """Answer a preflight, of which SOE hears nothing.

    Raises:
        RequestError: `foreign_origin` (403).
    """
    if registry.by_origin(origin_of(headers) or "") is None:
        raise foreign_origin()
    return Response(204, _PERMITTED)


def readable(registry: Registry, request: Headers, answer: Headers) -> Headers:
    """Give the fields of an answer, so that a script of a registered origin may read it.

    Where no origin is registered they stay as they are.
    """
    if not registry.has_origins:
        return answer
    origin = origin_of(request)
    kept = tuple(each for each in answer if each in _PERMITTED or not each[0].startswith(_PREFIX))
    if origin is None or registry.by_origin(origin) is None:
        return (*kept, _VARY)
    allowed = (b"access-control-allow-origin", origin.encode())
    return (*kept, allowed, (b"access-control-expose-headers", _EXPOSED), _VARY)
