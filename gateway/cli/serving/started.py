"""What a start says: where the gateway listens, what it stands on, and what is weak.

The log has it as events; who sits at a terminal gets it as text besides.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from gateway import __version__
from gateway.cli.assembly import sink_urls, state_url
from gateway.cli.serving.console import is_on
from gateway.settings import TABLE, Known, Settings, weaknesses


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a start tells of the policies."""

    revision: str = ""
    enforcing: bool = False
    shipped: bool = False


def tell_started(
    settings: Settings, tell: Callable[..., None], proxy: str, admin: str, policies: InForce
) -> None:
    """Say that the gateway serves; last, in the line that whoever started it waits for.

    Args:
        tell: logs an event.
        proxy: where clients reach it, and `admin`, where admins do.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    weak = weaknesses(Known(settings=settings, today=today, enforcing=policies.enforcing))
    for name, text in weak:
        tell("settings.weak", setting=f"{name}: {text}")
    facts = {"proxy": proxy, "admin": admin, **_stands_on(settings, policies, today)}
    tell("server.started", version=__version__, **facts)
    if sys.stderr.isatty():
        lines = [f"soe-gateway {__version__}", *_aligned(facts.items())]
        lines += ["Weaker than recommended:", *_aligned(weak)] if weak else []
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    told = {"event": "server.listening", "proxy": proxy, "admin": admin}
    print(orjson.dumps(told).decode(), flush=True)


def _stands_on(settings: Settings, policies: InForce, today: datetime.date) -> dict[str, str]:
    own = settings.policies.directory
    posture = settings.posture
    discovers = posture.mode == "discover" and posture.until >= today
    return {
        "console": "on" if is_on(settings) else "off",
        "upstream": settings.upstream.url.url.decode(),
        "policies": " and ".join(["shipped"] * policies.shipped + [str(own)] * (own is not None)),
        "revision": policies.revision,
        "posture": f"discover until {posture.until}" if discovers else "guard",
        "state": TABLE["state.url"].hide.sub("***", state_url(settings)),
        "audit": ", ".join(sink_urls(settings)),
    }


def _aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"  {name:25} {text}" for name, text in rows]
