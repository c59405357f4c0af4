"""The pages on which people sign in and decide: which there are, and what a browser is told.

What goes wrong here is told as a page, for it is a person who reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from gateway.errors import RequestError, StoreError
from gateway.observe.observer import Observer
from gateway.pages.confirm import Confirm
from gateway.pages.holds import status
from gateway.pages.page import HTML, JSON, answer, rendered
from gateway.pages.signin import ProviderError, SignIn
from gateway.policy.policyset import PolicySet
from gateway.proxy.exchange import Exchange, Response
from gateway.proxy.waiting import own_url

_HOLD = re.compile(rb"holds/([0-9a-z-]{1,64})(/status)?")
_READING = ("GET", "HEAD")
_NO_PAGE = RequestError(404, "no_page", "There is no such page; /_gateway/ lists them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Answers who looks at a hold, signs in or decides.

    Attributes:
        sign_in: None where nobody can sign in here.
        public_url: where people reach the gateway, as `https://host`; empty where nobody said so.
    """

    confirm: Confirm
    sign_in: SignIn | None
    observer: Observer
    public_url: str = ""

    async def handle(self, exchange: Exchange, path: bytes, policies: PolicySet) -> Response:
        """Answer a request.

        Args:
            path: what follows `/_gateway/`.

        Raises:
            RequestError: `no_hold` (404) or `method_not_allowed` (405), to a program.
            StoreError: state is away, to a program.
        """
        found = _HOLD.fullmatch(path)
        if found is not None and found[2]:
            return await self._status(exchange, found[1].decode())
        try:
            return await self._page(exchange, path, found, policies)
        except RequestError as error:
            exchange.code = error.code
            return _wrong(error.status, HTTPStatus(error.status).phrase, error.detail)
        except ProviderError as error:
            exchange.code = "sign_in_failed"
            self.observer.event("sign_in.failed", reason=error.code)
            told = "Where you sign in did not say who you are. Try once more, or ask whoever runs this gateway."  # fmt: skip
            return _wrong(502, "You could not be signed in", told)
        except StoreError as error:
            exchange.code = "state_unavailable"
            self.observer.store_failed("pages", error)
            told = "What waits here cannot be read at the moment. Nothing was decided. Load the page again in a minute."  # fmt: skip
            return _wrong(503, "Not now", told)

    async def _page(
        self, exchange: Exchange, path: bytes, found: re.Match[bytes] | None, policies: PolicySet
    ) -> Response:
        own, reads = own_url(exchange, self.public_url), exchange.method in _READING
        if found is not None and reads:
            return await self.confirm.show(exchange, policies, found[1].decode(), own)
        if found is not None and exchange.method == "POST":
            return await self.confirm.decide(exchange, found[1].decode(), own)
        if self.sign_in is not None and path == b"sign-in" and reads:
            return await self.sign_in.start(exchange, own)
        if self.sign_in is not None and path == b"signed-in" and reads:
            return await self.sign_in.finish(exchange, own)
        if self.sign_in is not None and path == b"sign-out" and exchange.method == "POST":
            return await self.sign_in.out(exchange, own)
        raise _NO_PAGE

    async def _status(self, exchange: Exchange, hold_id: str) -> Response:
        """Tell a program how far a hold is."""
        if exchange.method not in _READING:
            raise RequestError(405, "method_not_allowed", "This page is read by GET.")
        hold = await self.confirm.holds.get(hold_id)
        if hold is None:
            raise RequestError(404, "no_hold", "No write waits here, or none does any more.")
        return answer(JSON, orjson.dumps(status(hold)))


def _wrong(code: int, heading: str, told: str) -> Response:
    return answer(HTML, rendered("wrong.html", heading=heading, told=told), status=code)
