"""The parts that a gateway has because it serves: policies in force, the way to SOE, who decides."""

from __future__ import annotations

import datetime
import importlib
import secrets
from collections.abc import Collection

from gateway.audit.key import derived
from gateway.cli.assembly import with_shipped
from gateway.observe.observer import Observer
from gateway.pages.confirm import Confirm
from gateway.pages.people import People
from gateway.pages.session import Sessions
from gateway.pages.signin import Provider, SignIn
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering, ends
from gateway.ports import Clock, Recorder, Store
from gateway.proxy.holds import Holds
from gateway.proxy.reload import Policies
from gateway.proxy.upstream import Origin
from gateway.seal import Seal
from gateway.settings import Settings


def open_policies(
    settings: Settings, clock: Clock, observer: Observer, *, secrets: bool
) -> Policies:
    """Load the policies that the settings name, as they are in force, to be watched.

    Args:
        secrets: whether what integrations are sent with is read, too.

    Raises:
        PolicyError: with all problems.
    """

    def loaded() -> PolicySet:
        return load(
            settings["policies.directory"],
            today=datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).date(),
            shipped=with_shipped(settings),
            kept=settings["state.keep"],
            secrets=secrets,
        )

    def in_force(policies: PolicySet) -> PolicySet:
        posture = settings.posture
        is_discovering = posture.mode == "discover" and clock.now() < ends(posture.until)
        return discovering(policies) if is_discovering else policies

    return Policies(loaded, settings["policies.directory"], observer, in_force)


def open_holds(
    settings: Settings, store: Store, audit: Recorder, key: bytes, clock: Clock, observer: Observer
) -> Holds:
    """Give the holds of the site, which stand in the state.

    Args:
        key: of the audit log, so that all replicas read what one of them sealed.
    """
    return Holds(
        store=store,
        audit=audit,
        clock=clock,
        observer=observer,
        seal=Seal(derived(key, "holds")),
        new_id=lambda: secrets.token_hex(16),
        open_for=settings["holds.open_for"],
        per_integration=settings["holds.per_integration"],
    )


def open_provider(
    settings: Settings, clock: Clock, groups: Collection[str] = ()
) -> Provider | None:
    """Make the client of the OpenID provider, where there is one.

    Args:
        groups: as of `oidc.Provider`.
    """
    if settings["sign_in.issuer"] is None:
        return None
    from gateway.pages import oidc  # with its HTTP client a sixth of all that a start would import

    return oidc.Provider(
        settings["sign_in.issuer"],
        settings["sign_in.client_id"],
        settings["sign_in.client_secret"],
        settings["sign_in.scopes"],
        now=clock.now,
        groups=groups,
    )


def import_ahead(settings: Settings) -> None:
    """Import what these settings need beside what all need, so that forked workers share it."""
    if settings["sign_in.issuer"] is not None:
        importlib.import_module("gateway.pages.oidc")


def open_people(
    settings: Settings, key: bytes, clock: Clock, observer: Observer, holds: Holds
) -> People:
    """Make the pages on which people sign in and decide.

    Args:
        key: of the audit log, so that all replicas read the same cookies.
    """
    sessions = Sessions(
        seal=Seal(derived(key, "sessions")),
        clock=clock,
        secret=derived(key, "forms"),
        header=(settings["sign_in.header"] or "").encode(),
        trusted=settings["proxy.trusted"] or (),
    )
    provider = open_provider(settings, clock)
    sign_in = None if provider is None else SignIn(provider=provider, sessions=sessions)
    public: Origin | None = settings["server.public_url"]
    return People(
        confirm=Confirm(
            holds=holds,
            sessions=sessions,
            contact=settings.contact,
            site=settings["upstream.url"].url.decode(),
            can_sign_in=sign_in is not None,
        ),
        sign_in=sign_in,
        observer=observer,
        public_url=public.url.decode() if public else "",
    )
