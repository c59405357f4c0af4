"""SOE's own OAuth: its two pages, which sign in at once, and the exchange of a code for a token.

A code belongs to the client that asked for it, so who sees an exchange that worked knows which
client the token was minted for. Any client is registered here, with any secret.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from gateway.sandbox.codes import CHALLENGE, Codes, proves
from gateway.sandbox.fields import fields_of
from gateway.sandbox.people import People, User

_CODE_SECONDS = 300.0
_TOKEN_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a client asked the page for, and who signed in there."""

    client: str
    redirect: str
    challenge: str
    scope: tuple[str, ...]
    user: User


class _RefusedError(Exception):
    """What the client did wrong."""


class OAuth:
    """The pages and the exchange, over the site's people."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._codes = Codes[_Asked](_CODE_SECONDS, time.monotonic)

    def reset(self) -> None:
        """Forget every code."""
        self._codes.clear()

    async def authorize(self, request: Request) -> Response:
        """Sign somebody in at once, as a person would with a click: Ada, or the `login_hint`."""
        fields = dict(request.query_params)
        try:
            asked = _read(fields, self._people)
        except _RefusedError as refused:
            return PlainTextResponse(str(refused), 400)
        state = {"state": fields["state"]} if "state" in fields else {}
        if request.url.path.endswith("dialog"):
            token = self._people.mint(asked.user, asked.scope, client=asked.client)
            told = {"access_token": token, **_lasts(asked), **state}
            return RedirectResponse(f"{asked.redirect}#{urlencode(told)}", 302)
        joint = "&" if "?" in asked.redirect else "?"
        told = {"code": self._codes.issue(asked), **state}
        return RedirectResponse(f"{asked.redirect}{joint}{urlencode(told)}", 302)

    async def exchange(self, request: Request, raw: bytes) -> Response:
        """Give the token for a code, once, as JSON or as a form, by the path."""
        try:
            asked = self._redeem(fields_of(request, raw))
        except _RefusedError as refused:
            told = {"type": "OAuthException", "message": str(refused)}
            return JSONResponse({"error": told}, 400)
        token = self._people.mint(asked.user, asked.scope, client=asked.client)
        answer = {"access_token": token, **_lasts(asked)}
        if request.url.path.lower().rstrip("/").endswith("json"):
            return JSONResponse(answer)
        return PlainTextResponse(urlencode(answer))

    def _redeem(self, fields: dict[str, str]) -> _Asked:
        asked = self._codes.redeem(fields.get("code", ""))
        if asked is None:
            raise _RefusedError("code is unknown, was used, or is too old")
        if fields.get("client_id") != asked.client:
            raise _RefusedError("client_id is not the one that the code was given to")
        if fields.get("redirect_uri") != asked.redirect:
            raise _RefusedError("redirect_uri is not the one that the code was given to")
        if asked.challenge and not proves(fields.get("code_verifier", ""), asked.challenge):
            raise _RefusedError("code_verifier does not fit the code_challenge")
        if not asked.challenge and not fields.get("client_secret"):
            raise _RefusedError("client_secret is missing, and there is no code_challenge")
        return asked


def _read(fields: dict[str, str], people: People) -> _Asked:
    redirect, challenge = fields.get("redirect_uri", ""), fields.get("code_challenge", "")
    user = people.find(fields.get("login_hint", "ada"))
    if not fields.get("client_id"):
        raise _RefusedError("client_id is missing")
    if not redirect.startswith(("http://", "https://")) or "#" in redirect:
        raise _RefusedError("redirect_uri is missing, or no address of the web")
    if challenge and (
        fields.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge)
    ):
        raise _RefusedError("code_challenge is none of the method S256")
    if user is None:
        raise _RefusedError("login_hint names nobody")
    return _Asked(
        client=fields["client_id"],
        redirect=redirect,
        challenge=challenge,
        scope=tuple(fields.get("scope", "").replace(",", " ").split()),
        user=user,
    )


def _lasts(asked: _Asked) -> dict[str, int]:
    return {} if "no_expiry" in asked.scope else {"expires": _TOKEN_SECONDS}
