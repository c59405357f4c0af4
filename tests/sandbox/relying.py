"""A client of the sandbox's OpenID provider, and what it does right unless it is told otherwise."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser

from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, PATH

REDIRECT = "http://127.0.0.1:9999/back"
VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:-1]
ASKED = {
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid email profile",
    "state": "a state & more",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def changed(fields: dict[str, str], **changes: str | None) -> dict[str, str]:
    """The fields with others in their place; None leaves one out."""
    return {name: text for name, text in (fields | changes).items() if text is not None}


@dataclass
class Relying:
    """The client, over HTTP."""

    http: httpx.AsyncClient
    base: str
    redirect: str = REDIRECT

    @property
    def issuer(self) -> str:
        return self.base + PATH

    async def ask(self, **changes: str | None) -> httpx.Response:
        """Send somebody to the page."""
        asked = changed(ASKED | {"redirect_uri": self.redirect}, **changes)
        return await self.http.get(f"{self.issuer}/authorize", params=asked)

    async def choose(self, shown: httpx.Response, person: str) -> httpx.Response:
        """Press a button of the page, as a browser without scripts does."""
        page = LexborHTMLParser(shown.text)
        button = next(
            each for each in page.css("form[method=post] button") if person in each.text()
        )
        chosen = [*page.css("form input"), button]
        fields = {str(each.attributes["name"]): each.attributes["value"] for each in chosen}
        return await self.http.post(shown.url, data=fields)

    async def sign_in(self, person: str = "Ada", **changes: str | None) -> dict[str, str]:
        """What the client is told at its own address in the end."""
        sent = await self.choose(await self.ask(**changes), person)
        return dict(httpx.URL(sent.headers["location"]).params)

    async def redeem(self, given: str, **changes: str | None) -> httpx.Response:
        """Give a code for tokens."""
        fields = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": self.redirect,
            "code_verifier": VERIFIER,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        return await self.http.post(f"{self.issuer}/token", data=changed(fields, **changes))

    async def discover(self) -> Any:
        """What the provider says of itself."""
        return (await self.http.get(f"{self.issuer}/.well-known/openid-configuration")).json()
