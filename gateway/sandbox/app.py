"""The sandbox as an ASGI app: finds the API that is meant, and answers in its words."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from gateway.sandbox import page, v3, v3_shapes, v23, v23_shapes
from gateway.sandbox.fields import base_of, fields_of
from gateway.sandbox.oauth import OAuth
from gateway.sandbox.oidc import Provider
from gateway.sandbox.people import User
from gateway.sandbox.site import Site, SiteError

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
    """The site, what it was told, and what it was asked.

    Attributes:
        redirects: where the OpenID provider sends people back to, beside loopback addresses.
    """

    site: Site
    throttle: bool = False
    redirects: tuple[str, ...] = ()
    next: Behaviour = field(default_factory=Behaviour)
    log: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=10_000))
    posted: dict[str, float] = field(default_factory=dict)
    oauth: OAuth = field(init=False)
    oidc: Provider = field(init=False)

    def __post_init__(self) -> None:
        self.oauth = OAuth(self.site.people)
        self.oidc = Provider(self.site.people, self.redirects)

    def reset(self) -> None:
        """Begin anew."""
        self.site.reset()
        self.oauth.reset()
        self.oidc.reset()
        self.log.clear()
        self.posted.clear()
        self.next = Behaviour()


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
        Route("/_sandbox/close/{number:int}", pages.close, methods=["POST"]),
        Route("/_sandbox/reset", pages.reset, methods=["POST"]),
        *sandbox.oidc.routes(),
        Route("/oauth", sandbox.oauth.authorize),
        Route("/oauth/dialog", sandbox.oauth.authorize),
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

    async def close(self, request: Request) -> Response:
        team = request.query_params.get("team")
        try:
            self.sandbox.site.close(self.sandbox.site.space(team), request.path_params["number"])
        except SiteError as error:
            return JSONResponse({"status": error.title}, error.status)
        return JSONResponse({"status": "closed"})

    async def reset(self, _: Request) -> Response:
        self.sandbox.reset()
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


async def _scim(_: Sandbox, request: Request, _raw: bytes) -> Response:
    return JSONResponse({"id": request.path_params["path"].rpartition("/")[2]})


async def _exchange(sandbox: Sandbox, request: Request, raw: bytes) -> Response:
    return await sandbox.oauth.exchange(request, raw)


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
        call = v3_shapes.Call(
            site=sandbox.site,
            space=sandbox.site.space(team),
            user=user,
            base=base_of(request),
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
    if scheme.lower() != "bearer" or not token or not site.people.knows(token):
        return None
    return site.user_of(token)


# ── v2.3 ─────────────────────────────────────────────────────────────────────────────────────


async def _v23(sandbox: Sandbox, request: Request, raw: bytes) -> Response:
    if not re.fullmatch(r"2\.\d{1,2}", request.path_params["version"]):
        return PlainTextResponse("Not found", 404)
    fields = fields_of(request, raw)
    try:
        verb = "GET" if request.method == "HEAD" else request.method
        found = v23.find(verb, request.path_params["path"].rstrip("/"))
        token, bearer = _tokens_v23(request, fields)
        user = v23.acting(found, sandbox.site.people, token, bearer)
        if waits := _throttle(sandbox, request, token or bearer):
            return waits
        headers = request.headers
        call = v23_shapes.Call(
            site=sandbox.site,
            space=sandbox.site.space(fields.get("team", "").rpartition("/")[2] or None),
            user=user,
            base=base_of(request),
            client=headers.get("user-agent", ""),
            fields=fields,
            key=headers.get("x-api-key") or headers.get("key") or fields.get("key", ""),
            ids=found.ids,
            word=found.word,
        )
        return JSONResponse(v23.wrapper(found.method(call), call.filter))
    except SiteError as error:
        return JSONResponse(v23.error(error), 400)


def _throttle(sandbox: Sandbox, request: Request, token: str) -> Response | None:
    if not sandbox.throttle or not request.url.path.rstrip("/").endswith("/add"):
        return None
    waited = time.monotonic() - sandbox.posted.get(token, -_BACKOFF)
    if waited < _BACKOFF:
        told = {"error_id": 502, "error_name": "throttle_violation"}
        left = int(_BACKOFF - waited) + 1
        return JSONResponse(told | {"error_message": "too many requests", "backoff": left}, 400)
    sandbox.posted[token] = time.monotonic()
    return None


def _tokens_v23(request: Request, fields: dict[str, str]) -> tuple[str, str]:
    """What was sent as a token, and what may be a token or a key."""
    headers = request.headers
    given = (headers.get("x-api-access-token"), headers.get("access_token"))
    bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
    return next(filter(None, (*given, fields.get("access_token"))), ""), bearer
