"""Asks SOE for JSON, at the pace that it allows, and again where it fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import orjson

from gateway import __version__
from gateway.errors import GatewayError
from gateway.offline.reading.pace import Pace, until_again, until_next

_TRIES = 6
_FIRST_PAUSE = 0.5
"""Seconds before the second try; doubled each time, and more or less by half."""
_LONGEST_WAIT = 900.0
"""Seconds: whoever is to wait longer does better to come back."""
_THROTTLED = 502
_FAILED = (500, 503)
_NO_METHOD = 404


class ReadingError(GatewayError):
    """Reading cannot go on now; a later run may."""


class RefusedError(ReadingError):
    """SOE answers, and says no."""


class NotThereError(RefusedError):
    """The site has no such list."""


class _AgainError(Exception):
    """The same request may do better, after some seconds if SOE said after how many."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class Reader:
    """Sends reads, one at a time, over one transport. No cookies, no redirects, no proxies.

    Args:
        transport: the way to SOE.
        url: the site's origin.
        credentials: header fields by API, `v2.3` and `v3`.
        purpose: stands in `User-Agent`: which command reads.
        contact: stands there as well, as the vendor wants it.
        note: hears of every wait that is longer than usual.

    Attributes:
        requests: how many were sent.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        url: str,
        *,
        pace: Pace,
        credentials: Mapping[str, Mapping[str, str]],
        purpose: str,
        contact: str = "",
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.requests = 0
        self.pace = pace
        self.note = note
        self._credentials = credentials
        self._spent = False
        whom = "".join(char for char in contact if " " <= char <= "~" and char not in "()\\")
        agent = f"soe-write-gateway/{__version__} ({purpose}{'; ' if whom else ''}{whom})"
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url=url,
            headers={"user-agent": agent, "accept": "application/json"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
            timeout=None,  # noqa: S113 - the pool has its own time-outs
        )

    async def get(self, api: str, path: str, query: Mapping[str, str | int]) -> dict[str, Any]:
        """Read a JSON object.

        Raises:
            NotThereError: there is nothing under this path.
            RefusedError: SOE refuses, as for a token that it does not know.
            ReadingError: SOE's quota is used up, or it fails again and again.
        """
        if self._spent:
            raise ReadingError("the day's quota of SOE's API is used up; a later run goes on")
        headers = self._credentials.get(api, {})
        why = ""
        for attempt in range(_TRIES):
            await self.pace.turn()
            self.requests += 1
            try:
                return self._read(await self._http.get(path, params=dict(query), headers=headers))
            except httpx.RequestError as error:
                why, seconds = f"SOE cannot be reached ({error})", 0.0
            except _AgainError as error:
                why, seconds = str(error), error.seconds
            pause = _FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            self._hold(seconds or pause, f"{why}: ")
        raise ReadingError(f"{why}, {_TRIES} times in a row; a later run goes on")

    async def aclose(self) -> None:
        """Close the transport."""
        await self._http.aclose()

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        status, document, headers = response.status_code, _document(response), response.headers
        error_id, path = document.get("error_id"), response.url.path
        self._spent = document.get("quota_remaining") == 0
        if status == httpx.codes.TOO_MANY_REQUESTS or error_id == _THROTTLED:
            raise _AgainError("SOE throttles", until_again(headers, document))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or error_id in _FAILED:
            raise _AgainError(
                f"SOE fails with {error_id or status}", until_again(headers, document)
            )
        if _NO_METHOD in (status, error_id):
            raise NotThereError(f"SOE has no {path}")
        if status != httpx.codes.OK or error_id is not None:
            raise RefusedError(f"SOE refuses {path} with {error_id or status}{_named(document)}")
        if not document:
            raise ReadingError(f"SOE gives no JSON object for {path}; is upstream.url right?")
        self._hold(until_next(headers, document))
        return document

    def _hold(self, seconds: float, why: str = "") -> None:
        if seconds > _LONGEST_WAIT:
            raise ReadingError(f"SOE asks to wait {seconds:.0f} s; a later run goes on")
        if seconds > 1:
            self.note(f"{why or 'SOE asks for it: '}waiting {seconds:.0f} s")
        self.pace.hold(seconds)


def items_of(document: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """Give the items of a page.

    Raises:
        ReadingError: there are none, or they are no objects.
    """
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ReadingError(f"SOE gives no items for {path}; is upstream.url right?")
    return items


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _named(document: Mapping[str, Any]) -> str:
    named = str(document.get("error_name") or document.get("title") or "")[:100]
    return f": {named}" if named and named.isprintable() else ""
