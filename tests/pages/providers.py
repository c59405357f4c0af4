"""An OpenID provider that says what a test wants: what the sandbox's honest one never would."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.proxy.listener import Listener
from gateway.sandbox.fields import form_of

CLIENT, SECRET = "gateway & co", "a secret: with a colon"
KEYS = [RSAKey.generate_key(2048, {"use": "sig", "kid": f"key-{n}"}) for n in range(2)]


@dataclass
class Scripted:
    """What it says; `None` in place of a claim or a member leaves it out."""

    issuer: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    signs: int = 0
    publishes: tuple[int, ...] = (0,)
    secret_key: bytes = b""
    token: str | None = None
    asked: list[str] = field(default_factory=list)
    redeemed: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    body: bytes | None = None

    async def describe(self, _: Request) -> Response:
        self.asked.append("description")
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return JSONResponse(_without_none(told | self.described))

    async def keys(self, _: Request) -> Response:
        self.asked.append("keys")
        odd = [{"kty": "OKP", "crv": "X", "kid": "odd"}, {"kty": "RSA", "kid": "broken"}, 7]
        return JSONResponse({"keys": [*odd, *(KEYS[n].as_dict(private=False) for n in self.publishes)]})  # fmt: skip

    async def redeem(self, request: Request) -> Response:
        self.asked.append("token")
        form = dict(form_of(request, await request.body()))
        self.redeemed.append((request.headers.get("authorization", ""), form))
        if self.body is not None:
            return Response(self.body, media_type="application/json")
        return JSONResponse({"id_token": self.token or self.signed(), "access_token": "x"})

    def signed(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "sub": "7",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        header = {"alg": "RS256", "kid": f"key-{self.signs}"} | self.header
        told = _without_none(claims | self.claims)
        if self.secret_key:  # by hand: no library signs with a public key in the place of a secret
            signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, told))
            mac = hmac.digest(self.secret_key, signed, "sha256")
            return b".".join((signed, _encoded(mac))).decode()
        return jwt.encode(header, told, KEYS[self.signs], algorithms=[header["alg"]])


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _without_none(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


@asynccontextmanager
async def provider() -> AsyncIterator[Scripted]:
    """Run one."""
    scripted = Scripted()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", scripted.describe),
            Route("/keys", scripted.keys),
            Route("/token", scripted.redeem, methods=["POST"]),
        ]
    )
    listener = Listener(app, ("127.0.0.1", 0))
    scripted.issuer = await listener.start()
    yield scripted
    await listener.stop(1)
