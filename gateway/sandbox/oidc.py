"""A small OpenID provider, to sign in at the gateway's pages as one of the site's people.

Authorization code flow with PKCE alone. It asks for no password: its page lists who there is, and
whoever looks at it chooses. In all else it is as strict as a provider that people trust, so that
a client that works here has made no mistake that would show only there. Errors are those of
RFC 6749 sections 4.1.2.1 and 5.2 and of OpenID Connect Core section 3.1.2.6.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.sandbox import page
from gateway.sandbox.codes import CHALLENGE, Codes, proves
from gateway.sandbox.fields import base_of, form_of, query_of
from gateway.sandbox.people import People, User

PATH = "/_sandbox/oidc"
"""Where it is below the sandbox's address; the two together are the issuer."""
CLIENT_ID = "soe-gateway"
CLIENT_SECRET = "sandbox-oidc-secret-and-nothing-else"
CODE_SECONDS = 60.0
TOKEN_SECONDS = 3600
_LOOPBACK = re.compile(
    r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?(?:[/?](?:(?![\\#])[!-~])*)?"
)
_CLAIMS = {
    "profile": ("name", "preferred_username"),
    "email": ("email", "email_verified"),
}
"""What a scope lets a client know, OpenID Connect Core section 5.4."""


class _RefusedError(Exception):
    """What the client is told, in the words of the RFCs."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.told = {"error": error, "error_description": description}
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A sound request to sign somebody in."""

    redirect: str
    state: str
    challenge: str
    nonce: str
    scope: frozenset[str]


_SignedIn = tuple[_Asked, User]


class Provider:
    """The provider: its key, and the codes and access tokens that are out.

    Args:
        redirects: where it sends people back to, beside every loopback address.
    """

    def __init__(
        self,
        people: People,
        redirects: Sequence[str] = (),
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._people = people
        self._redirects = frozenset(redirects)
        self._now = now
        self._codes = Codes[_SignedIn](CODE_SECONDS, now)
        self._tokens: dict[str, tuple[float, _SignedIn]] = {}

    @cached_property
    def _key(self) -> RSAKey:
        return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def routes(self) -> list[Route]:
        """Its pages and endpoints."""
        return [
            Route(f"{PATH}/.well-known/openid-configuration", self._discover),
            Route(f"{PATH}/jwks", self._show_keys),
            Route(f"{PATH}/authorize", self._authorize, methods=["GET", "POST"]),
            Route(f"{PATH}/token", self._exchange, methods=["POST"]),
            Route(f"{PATH}/userinfo", self._tell, methods=["GET", "POST"]),
        ]

    def reset(self) -> None:
        """Forget who signed in; the key stays."""
        self._codes.clear()
        self._tokens.clear()

    async def _discover(self, request: Request) -> Response:
        issuer = base_of(request) + PATH
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/jwks",
                "scopes_supported": ["openid", *_CLAIMS],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "claims_supported": ["sub", *(name for names in _CLAIMS.values() for name in names)],
                "request_uri_parameter_supported": False,
            }
        )  # fmt: skip

    async def _show_keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    # ── the page ─────────────────────────────────────────────────────────────────────────────

    async def _authorize(self, request: Request) -> Response:
        """Show who there is; where somebody chose, send them back with a code."""
        posted = request.method == "POST"
        pairs = form_of(request, await request.body()) if posted else query_of(request)
        fields = dict(pairs)
        redirect = fields.get("redirect_uri", "")
        repeated = len(fields) < len(pairs)
        if fields.get("client_id") != CLIENT_ID or not self._may_return_to(redirect) or repeated:
            # RFC 6749 section 4.1.2.1: nobody is sent to an address that is not the client's.
            told = "This sign-in was asked for by an unknown client, for an address that is not its own, or with a field twice."  # fmt: skip
            return _page(page.refuse(told), 400)
        state = fields.get("state", "")
        try:
            asked = _read(fields)
            if not posted or "person" not in fields:
                hinted = self._people.find(fields.get("login_hint", ""))
                shown = {name: text for name, text in fields.items() if name != "person"}
                return _page(page.choose([*self._people.users.values()], hinted, shown))
            user = self._people.find(fields["person"])
            if user is None:
                raise _RefusedError("access_denied", "Nobody was chosen.")
        except _RefusedError as refused:
            return _back(redirect, refused.told | ({"state": state} if state else {}))
        return _back(redirect, {"code": self._codes.issue((asked, user)), "state": state})

    def _may_return_to(self, redirect: str) -> bool:
        return redirect in self._redirects or _LOOPBACK.fullmatch(redirect) is not None

    # ── the token ────────────────────────────────────────────────────────────────────────────

    async def _exchange(self, request: Request) -> Response:
        """Give the tokens for a code, once."""
        pairs = form_of(request, await request.body())
        fields = dict(pairs)
        try:
            if len(fields) < len(pairs):
                raise _RefusedError("invalid_request", "A field is given twice.")
            _authenticate(request, fields)
            asked, user = self._redeem(fields)
        except _RefusedError as refused:
            headers = {"WWW-Authenticate": 'Basic realm="sandbox"'} if refused.status == 401 else {}
            return _fresh(refused.told, refused.status, headers)
        now = int(self._now())
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (now + TOKEN_SECONDS, (asked, user))
        claims = {
            "iss": base_of(request) + PATH,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            **({"nonce": asked.nonce} if asked.nonce else {}),
            **_about(user, asked.scope),
        }
        return _fresh(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "scope": " ".join(sorted(asked.scope)),
                "id_token": jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key),
            }
        )

    def _redeem(self, fields: dict[str, str]) -> _SignedIn:
        """Spend a code. A try that fails spends it, too: whoever guesses has one guess."""
        if fields.get("grant_type") != "authorization_code":
            raise _RefusedError("unsupported_grant_type", "Only authorization_code is known.")
        found = self._codes.redeem(fields.get("code", ""))
        if found is None:
            raise _RefusedError("invalid_grant", "The code is unknown, was used, or is too old.")
        if fields.get("redirect_uri") != found[0].redirect:
            raise _RefusedError("invalid_grant", "The code was given to another redirect_uri.")
        if not proves(fields.get("code_verifier", ""), found[0].challenge):
            raise _RefusedError("invalid_grant", "code_verifier does not fit the code_challenge.")
        return found

    async def _tell(self, request: Request) -> Response:
        """Tell who signed in, to who has the access token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        until, found = self._tokens.get(token, (0.0, None))
        if scheme.lower() != "bearer" or found is None or self._now() >= until:
            asks = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return _fresh({"error": "invalid_token"}, 401, asks)
        asked, user = found
        return _fresh(_about(user, asked.scope))


def _read(fields: dict[str, str]) -> _Asked:
    """Read a request whose client and address are known."""
    problems = (
        (not fields.get("state"), "invalid_request", "state is missing."),
        (fields.get("response_type") != "code", "unsupported_response_type", "Only code is known."),
        (fields.get("response_mode", "query") != "query", "invalid_request", "Only query is known."),
        ("request" in fields, "request_not_supported", "Request objects are not known."),
        ("request_uri" in fields, "request_uri_not_supported", "Request objects are not known."),
        ("openid" not in fields.get("scope", "").split(), "invalid_scope", "scope has no openid."),
        (
            fields.get("code_challenge_method") != "S256"
            or not CHALLENGE.fullmatch(fields.get("code_challenge", "")),
            "invalid_request",
            "PKCE is missing: code_challenge, with the code_challenge_method S256.",
        ),
        (fields.get("prompt") == "none", "login_required", "Somebody has to choose."),
    )  # fmt: skip
    for wrong, error, description in problems:
        if wrong:
            raise _RefusedError(error, description)
    return _Asked(
        redirect=fields["redirect_uri"],
        state=fields["state"],
        challenge=fields["code_challenge"],
        nonce=fields.get("nonce", ""),
        scope=frozenset(fields["scope"].split()) & {"openid", *_CLAIMS},
    )


def _authenticate(request: Request, fields: dict[str, str]) -> None:
    """Make sure that it is the client, by one of the two ways of RFC 6749 section 2.3.1."""
    given = (fields.get("client_id", ""), fields.get("client_secret", ""))
    scheme, _, basic = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        if "client_secret" in fields:
            raise _RefusedError("invalid_request", "The client's secret is given in two ways.")
        try:
            name, _, secret = base64.b64decode(basic, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = secret = ""
        given = (unquote_plus(name), unquote_plus(secret))
    if given != (CLIENT_ID, CLIENT_SECRET):
        raise _RefusedError("invalid_client", "The client or its secret is unknown.", 401)


def _about(user: User, scope: frozenset[str]) -> dict[str, Any]:
    """What the scopes let a client know of somebody."""
    known = {
        "name": user.name,
        "preferred_username": user.login,
        "email": user.email,
        "email_verified": True,
    }
    told = {name: known[name] for each in _CLAIMS if each in scope for name in _CLAIMS[each]}
    return {"sub": user.external_id} | told


def _back(redirect: str, told: dict[str, str]) -> Response:
    joint = "&" if "?" in redirect else "?"
    return RedirectResponse(f"{redirect}{joint}{urlencode(told)}", 303, _UNKEPT)


_UNKEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _page(text: str, status: int = 200) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return HTMLResponse(text, status, {**_UNKEPT, "Content-Security-Policy": policy})


def _fresh(told: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:  # fmt: skip
    return JSONResponse(told, status, {**_UNKEPT, **(headers or {})})
