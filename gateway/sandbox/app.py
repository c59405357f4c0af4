"""The sandbox as an ASGI app: finds the API that is meant, and answers in its words."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from gateway.sandbox import page, v3, v23
from gateway.sandbox.site import Site, SiteError, User

_VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_THROTTLE = {
    "x-burst-throttle-calls-left": "49",
    "x-burst-throttle-seconds-until-full": "1",
    "x-token-bucket-calls-left": "4999",
    "x-token-bucket-seconds-until-full": "60",
    "x-token-bucket-seconds-until-next-refill": "60",
}
_BACKOFF = 60
"""Seconds between two posts of one token in v2.3, with `throttle`."""


@dataclass(slots=True)
class Behaviour:
    """How the next writes are answered, as somebody told through `/_sandbox/next`.

    Attributes:
        reads: means the next requests of any kind.
        headers: header fields that the answers get, in place of others of their names.
        members: what the JSON of the answers gets, such as v2.3's `backoff`.
    """

    status: int | None = None
    delay: float = 0.0
    drop: str = ""
    count: int = 0
    reads: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Sandbox:
    """The site, what it was told, and what it was asked."""

    site: Site
    throttle: bool = False
    next: Behaviour = field(default_factory=Behaviour)
    log: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=10_000))
    posted: dict[str, float] = field(default_factory=dict)


class _Drop(Response):
    """No answer at all: the connection is aborted by whoever serves the sandbox."""

    async def __call__(self, scope: Any, _receive: Any, _send: Any) -> None:
        scope["sandbox.abort"]()


def sandbox_app(sandbox: Sandbox) -> Starlette:
    """Make the app over a site."""
    pages = _Pages(sandbox)
    routes = [
        Route("/", pages.home),
        Route("/_sandbox/next", pages.behave, methods=["POST"]),
        Route("/_sandbox/log", pages.log),
        Route("/_sandbox/reset", pages.reset, methods=["POST"]),
        Route("/oauth", pages.authorize),
        Route("/oauth/dialog", pages.authorize),
        Route("/oauth/access_token", pages.exchange, methods=["POST"]),
        Route("/oauth/access_token/json", pages.exchange, methods=["POST"]),
        Route("/api/v3/{path:path}", pages.v3, methods=_VERBS),
        Route("/api/scim/v2/{path:path}", pages.scim, methods=_VERBS),
        Route("/api/{version}/{path:path}", pages.v23, methods=_VERBS),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True, slots=True)
class _Pages:
    """The routes' endpoints."""

    sandbox: Sandbox

    async def home(self, _: Request) -> Response:
        return HTMLResponse(page.render(self.sandbox.site))

    async def behave(self, request: Request) -> Response:
        self.sandbox.next = Behaviour(**({"count": 1} | await request.json()))
        return JSONResponse({"status": "told"})

    async def log(self, _: Request) -> Response:
        return JSONResponse(list(self.sandbox.log))

    async def reset(self, _: Request) -> Response:
        self.sandbox.site.reset()
        self.sandbox.log.clear()
        self.sandbox.posted.clear()
        self.sandbox.next = Behaviour()
        return JSONResponse({"status": "reset"})

    async def v3(self, request: Request) -> Response:
        return await _answered(self.sandbox, request, _v3)

    async def v23(self, request: Request) -> Response:
        answer = await _answered(self.sandbox, request, _v23)
        plain = request.headers.get("accept-encoding") == "identity"
        return answer if plain and self.sandbox.site.lenient else _compressed(answer)

    async def scim(self, request: Request) -> Response:
        return await _answered(self.sandbox, request, _scim)

    async def exchange(self, request: Request) -> Response:
        return await _answered(self.sandbox, request, _exchange)

    async def authorize(self, request: Request) -> Response:
        """Sign somebody in at once, as a person would with a click."""
        asked = request.query_params
        target = asked.get("redirect_uri", "/")
        secret = secrets.token_urlsafe(16)
        if request.url.path.endswith("dialog"):
            return RedirectResponse(f"{target}#access_token={secret}&expires=86400", 302)
        self.sandbox.site.codes[secret] = secrets.token_urlsafe(16)
        told = urlencode({"code": secret, "state": asked.get("state", "")})
        return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{told}", 302)


async def _answered(sandbox: Sandbox, request: Request, act: Any) -> Response:
    """Note the request, behave as told, act, and add what SOE adds to every answer."""
    raw = await request.body()
    sandbox.log.append(
        {
            "method": request.method,
            "target": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "headers": sorted(request.headers.keys()),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
    )
    told = Behaviour()
    is_meant = sandbox.next.reads or request.method not in ("GET", "HEAD")
    if is_meant and sandbox.next.count > 0:
        told = sandbox.next
        told.count -= 1
    if told.delay:
        await asyncio.sleep(told.delay)
    if told.drop == "before":
        return _Drop()
    if told.status is not None:
        document = {"status": told.status, "title": "As told"} | told.members
        return JSONResponse(document, told.status, _THROTTLE | told.headers)
    response: Response = await act(sandbox, request, raw)
    if told.drop == "after":
        return _Drop()
    if told.members:
        document = json.loads(bytes(response.body)) | told.members
        response = JSONResponse(document, response.status_code)
    response.headers.update(_THROTTLE | told.headers)
    return response


def _compressed(response: Response) -> Response:
    """Compress an answer, as v2.3 does whatever a client accepts."""
    if isinstance(response, _Drop):
        return response
    response.body = gzip.compress(response.body, compresslevel=1)
    response.headers["content-length"] = str(len(response.body))
    response.headers["content-encoding"] = "gzip"
    return response


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', 'sandbox')}"


def _fields(request: Request, raw: bytes) -> dict[str, str]:
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    pairs = parse_qsl(raw.decode(errors="replace"), keep_blank_values=True) if form else []
    return dict([*parse_qsl(request.url.query, keep_blank_values=True), *pairs])


async def _scim(_: Sandbox, request: Request, _raw: bytes) -> Response:
    return JSONResponse({"id": request.path_params["path"].rpartition("/")[2]})


async def _exchange(sandbox: Sandbox, request: Request, raw: bytes) -> Response:
    token = sandbox.site.codes.pop(_fields(request, raw).get("code", ""), None)
    if token is None:
        return JSONResponse({"error": {"type": "OAuthException"}}, 400)
    if sandbox.site.tokens:
        sandbox.site.tokens.add(token)
    told = {"access_token": token, "expires": 86_400}
    if request.url.path.lower().rstrip("/").endswith("json"):
        return JSONResponse(told)
    return PlainTextResponse(urlencode(told))


# ── v3 ───────────────────────────────────────────────────────────────────────────────────────


async def _v3(sandbox: Sandbox, request: Request, raw: bytes) -> Response:
    user = _user_v3(sandbox.site, request)
    if user is None:
        return PlainTextResponse("Invalid access token", 401)
    path = request.path_params["path"].lower().rstrip("/")
    team = None
    if found := re.fullmatch(r"teams/([^/]+)/(.+)", path):
        team, path = found[1], found[2]
    try:
        method, numbers, words = v3.find(
            "GET" if request.method == "HEAD" else request.method, path
        )
        call = v3.Call(
            site=sandbox.site,
            space=sandbox.site.space(team),
            user=user,
            base=_base(request),
            client=request.headers.get("user-agent", ""),
            path=numbers,
            words=words,
            query=dict(request.query_params),
            body=v3.read_body(request.headers.get("content-type", ""), raw),
            raw=raw,
        )
        status, told = method(call)
    except SiteError as error:
        return JSONResponse(v3.problem(error), error.status)
    except ValueError:
        told = v3.problem(SiteError(400, "", "query", "The value is not valid."))
        return JSONResponse(told, 400)
    if isinstance(told, bytes):
        return Response(told, status, media_type="application/octet-stream")
    return Response(status_code=status) if told is None else JSONResponse(told, status)


def _user_v3(site: Site, request: Request) -> User | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or not site.knows(token):
        return None
    return site.user_of(token)


# ── v2.3 ─────────────────────────────────────────────────────────────────────────────────────


async def _v23(sandbox: Sandbox, request: Request, raw: bytes) -> Response:
    if not re.fullmatch(r"2\.\d{1,2}", request.path_params["version"]):
        return PlainTextResponse("Not found", 404)
    fields = _fields(request, raw)
    token = _token_v23(request, fields)
    if request.method == "POST" and (not token or not sandbox.site.knows(token)):
        told = {"error_id": 402, "error_name": "invalid_access_token"}
        return JSONResponse(told | {"error_message": "`access_token` is not valid"}, 400)
    if sandbox.throttle and request.url.path.rstrip("/").endswith("/add"):
        waited = time.monotonic() - sandbox.posted.get(token, -_BACKOFF)
        if waited < _BACKOFF:
            told = {"error_id": 502, "error_name": "throttle_violation"}
            left = int(_BACKOFF - waited) + 1
            return JSONResponse(told | {"error_message": "too many requests", "backoff": left}, 400)
        sandbox.posted[token] = time.monotonic()
    try:
        path = request.path_params["path"].lower().rstrip("/")
        method, number, word = v23.find("GET" if request.method == "HEAD" else request.method, path)
        call = v23.Call(
            site=sandbox.site,
            space=sandbox.site.space(fields.get("team", "").rpartition("/")[2] or None),
            user=sandbox.site.user_of(token or "nobody"),
            base=_base(request),
            client=request.headers.get("user-agent", ""),
            fields=fields,
            id=number,
            word=word,
        )
        return JSONResponse(v23.wrapper(method(call), call.filter))
    except SiteError as error:
        return JSONResponse(v23.error(error), 400)


def _token_v23(request: Request, fields: dict[str, str]) -> str:
    headers = request.headers
    bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
    given = (headers.get("x-api-access-token"), headers.get("access_token"))
    return next(filter(None, (*given, fields.get("access_token"), bearer)), "")
