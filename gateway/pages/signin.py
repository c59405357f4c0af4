"""People sign in at the site's OpenID provider and come back with a session; and sign out again."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

from gateway.errors import GatewayError, RequestError
from gateway.pages.forms import check_token, form_of, place_of, query_of
from gateway.pages.page import see_other
from gateway.pages.session import Sessions
from gateway.proxy.exchange import Exchange, Response
from gateway.proxy.hold import Visitor

SIGN_OUT = "sign-out"
"""The purpose for which the form that signs out has its token."""
_GOING = "signing-in"
"""The cookie that knows, until they come back, whom we sent there."""
_LASTS = 600.0
"""Seconds that somebody may take to sign in."""


class ProviderError(GatewayError):
    """Nobody could be signed in; `code` tells the log why, and holds nothing of who it was."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is remembered of a person's way to the provider until they come back.

    Attributes:
        state: comes back with them.
        nonce: comes back in the token.
        verifier: shows that it is us who asked (RFC 7636).
        back: the address to which they come back.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    back: str

    @classmethod
    def begun(cls, back: str) -> Attempt:
        """Begin one."""
        made = [secrets.token_urlsafe(32) for _ in range(3)]
        return cls(made[0], made[1], made[2], back)


class Provider(Protocol):
    """Who knows people: `oidc.Provider`, which is imported only where people sign in."""

    async def address(self, attempt: Attempt, *, another: bool = False) -> str:
        """Give the address at which somebody signs in.

        Args:
            another: somebody else than who is signed in there already.

        Raises:
            ProviderError: the provider cannot be asked, or is none.
        """

    async def redeem(self, attempt: Attempt, came: Mapping[str, str]) -> Visitor:
        """Give who came back.

        Args:
            came: the fields of the address at which they came back; their `state` was looked at.

        Raises:
            ProviderError: it cannot be told who it is.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Signs people in and out.

    Attributes:
        back: the path to which the provider sends people back.
        place: tells from the fields of an address or a form which page somebody looks at.
    """

    provider: Provider
    sessions: Sessions
    back: str = "/_gateway/signed-in"
    place: Callable[[Mapping[str, str]], str] = place_of

    async def start(self, exchange: Exchange, own: str) -> Response:
        """Send somebody to the provider, and remember which page they look at.

        Raises:
            RequestError: `no_page` (404), or `ambiguous_fields` (400).
            ProviderError: the provider cannot be asked.
        """
        fields = query_of(exchange)
        kept = {"place": self.place(fields)}
        attempt = Attempt.begun(own + self.back)
        address = await self.provider.address(attempt, another=fields.get("as") == "another")
        until = self.sessions.clock.now() + _LASTS
        cookie = self.sessions.closed(kept | asdict(attempt), own, _GOING, until)
        return see_other(address, (cookie,))

    async def finish(self, exchange: Exchange, own: str) -> Response:
        """Take somebody back, and give them a session.

        Raises:
            RequestError: `not_signing_in` (400): this browser was not sent there, or long ago.
            ProviderError: it cannot be told who it is.
        """
        fields = query_of(exchange)
        told = self.sessions.opened(exchange, own, _GOING)
        state = fields.get("state", "").encode()
        if told is None or not hmac.compare_digest(told["state"].encode(), state):
            raise RequestError(
                400,
                "not_signing_in",
                "This browser did not begin to sign in here, or too long ago: open the page that "
                "you want to see, and sign in from there.",
            )
        place = told.pop("place")
        del told["until"]
        session = self.sessions.begun(await self.provider.redeem(Attempt(**told), fields))
        cookies = (self.sessions.kept(session, own), self.sessions.ended(own, _GOING))
        return see_other(place, cookies)

    async def out(self, exchange: Exchange, own: str) -> Response:
        """Sign somebody out.

        Raises:
            RequestError: as `form_of` and `check_token`.
        """
        fields = await form_of(exchange, own)
        check_token(self.sessions, self.sessions.of(exchange, own), SIGN_OUT, fields)
        return see_other(self.place(fields), (self.sessions.ended(own),))
