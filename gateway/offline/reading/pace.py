"""How fast SOE may be asked, and how its answers say so."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

Sleep = Callable[[float], Awaitable[None]]

_ROUNDED = 1.0
"""`backoff` counts whole seconds: one more is sure to be enough."""
_BUCKETS = (
    ("x-burst-throttle-calls-left", "x-burst-throttle-seconds-until-full"),
    ("x-token-bucket-calls-left", "x-token-bucket-seconds-until-next-refill"),
)
"""v3's header fields: calls that are left, and after how many seconds there are more."""


class Pace:
    """When the next request may go: at most `rate` a second, and not before SOE allows it.

    Attributes:
        waited: seconds that were spent waiting.
    """

    def __init__(
        self,
        rate: float,
        *,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waited = 0.0
        self._gap = 1 / rate
        self._sleep = sleep
        self._now = now
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next request may go."""
        seconds = self._next - self._now()
        if seconds > 0:
            self.waited += seconds
            await self._sleep(seconds)
        self._next = self._now() + self._gap

    def hold(self, seconds: float) -> None:
        """Let no request go for some seconds."""
        self._next = max(self._next, self._now() + seconds)


def until_next(headers: Mapping[str, str], document: Mapping[str, Any]) -> float:
    """Tell for how many seconds an answer wants no further request: v2.3's word, or v3's."""
    backoff = _seconds(document.get("backoff"))
    waits = [backoff + _ROUNDED if backoff else 0.0]
    waits += [_seconds(headers.get(wait)) for left, wait in _BUCKETS if headers.get(left) == "0"]
    return max(waits)


def until_again(headers: Mapping[str, str], document: Mapping[str, Any]) -> float:
    """Tell after how many seconds a request that was put off may be sent again; 0 where untold."""
    told = re.search(r"\bin (\d{1,9}) seconds", str(document.get("error_message", "")))
    return max(
        until_next(headers, document),
        _retry_after(headers),
        _seconds(told[1]) if told else 0.0,
    )


def _retry_after(headers: Mapping[str, str]) -> float:
    """Read `Retry-After`; a date is measured by the answer's own clock (RFC 9110 section 10.2.3)."""
    value = headers.get("retry-after", "")
    if not value or value.isdecimal():
        return _seconds(value)
    try:
        until, at = (parsedate_to_datetime(each) for each in (value, headers["date"]))
        return max(0.0, (until - at).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0


def _seconds(value: Any) -> float:
    """Read a number of seconds; what is none is 0."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value):
        return float(value)
    return max(0.0, float(value)) if type(value) in (int, float) else 0.0
