"""What a thread is called, as SOE tells it to the caller's own token: for the page of a hold.

So nobody is told what that token could not read. Never raises: what cannot be found out in time is
not known, and the page shows the thread's number instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from gateway import __version__
from gateway.errors import UpstreamError
from gateway.ports import Upstream
from gateway.proxy.coding import inflated

_SECONDS = 3.0
"""That an answer may take."""
_LARGEST = 512 * 2**10
"""Bytes of an answer; a question comes with its whole text."""
_TITLE_AT_MOST = 300
_TITLED = ("question", "article")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoeTitles:
    """Asks SOE: `ports.Titles`.

    Attributes:
        authority: SOE's host and port, for `Host`.
        tell: is told how each question ended: `found`, `nothing` (SOE told no title) or `failed`.
    """

    upstream: Upstream
    authority: bytes
    tell: Callable[[str], None]

    async def title(self, token: str, team: str | None, thread: str) -> str:
        """As `ports.Titles.title`."""
        kind, _, number = thread.partition("/")
        sendable = token.isascii() and token.isprintable()
        if kind not in _TITLED or not number.isdecimal() or not sendable:
            return ""
        space = f"/teams/{team}" if team else ""
        try:
            async with asyncio.timeout(_SECONDS):
                body = await self._read(f"/api/v3{space}/{kind}s/{number}", token)
        except (UpstreamError, TimeoutError):
            self.tell("failed")
            return ""
        title = _title(body)
        self.tell("found" if title else "nothing")
        return title

    async def _read(self, path: str, token: str) -> bytes:
        headers = (
            (b"host", self.authority),
            (b"user-agent", f"soe-write-gateway/{__version__}".encode()),
            (b"accept", b"application/json"),
            (b"authorization", b"Bearer " + token.encode()),
        )
        answer = await self.upstream.send("GET", path.encode(), headers, None)
        body = b""
        try:
            while not answer.complete and len(body) <= _LARGEST:
                body += await answer.read()
        finally:
            await answer.aclose()
        return inflated(body, answer.headers, _LARGEST) if answer.status == 200 else b""


def _title(body: bytes) -> str:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    title = told.get("title") if isinstance(told, dict) else None
    return title[:_TITLE_AT_MOST] if isinstance(title, str) else ""
