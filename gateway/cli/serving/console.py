"""The console put together from the settings, for the process that has the admin listener."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.admin.caps import CapsPage
from gateway.admin.console import BACK, Console, place
from gateway.admin.decision import Explained
from gateway.admin.feed import Feed
from gateway.admin.followed import Followed
from gateway.admin.held import Held
from gateway.admin.integrations import Integrations
from gateway.admin.overview import Overview
from gateway.admin.roles import Doors, Tries
from gateway.admin.rules import PoliciesPage
from gateway.audit.index.file import path_in
from gateway.audit.key import derived
from gateway.cli.assembly import audit_directories, state_url
from gateway.cli.serving.parts import open_provider
from gateway.observe.observer import Observer
from gateway.pages.session import Sessions
from gateway.pages.signin import SignIn
from gateway.policy.policyset import PolicySet
from gateway.ports import AuditLog, Caps, Clock, Recorder
from gateway.proxy.holds import Holds
from gateway.proxy.switches import Switches
from gateway.seal import Seal
from gateway.settings import Settings

_LASTS = 8 * 3600.0
"""Seconds that a session lasts: a working day."""


class RecordedWhenAsked:
    """The audit log of a process that writes none but what is done on its console.

    Args:
        opened: opens it, when there is something to record.
    """

    def __init__(self, opened: Callable[[], AuditLog]) -> None:
        self._opened = opened
        self._audit: AuditLog | None = None

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """As `Recorder.told`."""
        if self._audit is None:
            self._audit = self._opened()
        self._audit.told(event, person=person, **facts)

    async def close(self) -> None:
        """Close what was opened."""
        if self._audit is not None:
            await self._audit.close()


def is_on(settings: Settings) -> bool:
    """Whether the settings let anybody in."""
    return bool(settings["console.viewers"] or settings["console.operators"])


def open_console(
    settings: Settings,
    key: bytes,
    clock: Clock,
    observer: Observer,
    audit: Recorder,
    switches: Switches,
    policies: Callable[[], PolicySet],
    store: Caps,
    holds: Holds,
) -> Console | None:
    """Make the console; None where nobody is let in.

    Args:
        key: of the audit log, so that all replicas read the same cookies.
        policies: gives those that are in force.
        store: of which caps are asked.
    """
    if not is_on(settings):
        return None
    doors = Doors(
        viewers=settings["console.viewers"] or (), operators=settings["console.operators"] or ()
    )
    sessions = Sessions(
        seal=Seal(derived(key, "console")),
        clock=clock,
        secret=derived(key, "console forms"),
        header=(settings["sign_in.header"] or "").encode(),
        trusted=settings["proxy.trusted"] or (),
        cookie="soe-gateway-console",
        lasts=_LASTS,
    )
    provider = open_provider(settings, clock, doors.groups)
    followed = _followed(settings)
    feed = Feed(followed=followed, policies=policies)
    explained = Explained(followed=followed, policies=policies)
    overview = Overview(followed=followed, clock=clock, switches=switches)
    integrations = Integrations(
        registered=lambda: policies().registry.integrations,
        switches=switches,
        audit=audit,
        followed=followed,
        clock=clock,
    )
    rules = PoliciesPage(followed=followed, policies=policies, clock=clock)
    caps = CapsPage(policies=policies, caps=store, audit=audit, clock=clock)
    held = Held(holds=holds)
    sign_in = None
    if provider is not None:
        sign_in = SignIn(provider=provider, sessions=sessions, back=BACK, place=place)
    public = settings["console.url"]
    return Console(
        doors=doors,
        sessions=sessions,
        tries=Tries(),
        sign_in=sign_in,
        observer=observer,
        views=(
            overview.view,
            feed.view,
            explained.view,
            integrations.view,
            rules.view,
            caps.view,
            held.view,
        ),
        acts=(*integrations.acts, *caps.acts),
        followed=followed,
        public_url=public.url.decode() if public else "",
    )


def _followed(settings: Settings) -> Followed:
    """Begin to follow the audit log in its first directory."""
    directory = next(iter(audit_directories(settings)), None)
    path = path_in(settings["data.directory"], directory) if directory else Path()
    shared = not state_url(settings).startswith(("sqlite:", "memory:"))
    followed = Followed(directory, path, shared=shared)
    followed.start()
    return followed
