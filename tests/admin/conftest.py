"""A desk before a console of real parts, into which nobody signed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.admin.console import Console
from gateway.admin.followed import Followed
from gateway.admin.integrations import Integrations
from gateway.admin.roles import Doors, Tries
from gateway.admin.visit import Told, View, Visit
from gateway.errors import StoreError
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.pages.session import Sessions
from gateway.policy.registry import Integration
from gateway.seal import Seal
from tests.admin.desk import OPERATOR, VIEWER, Desk, hashed
from tests.admin.rig import Recorded, switches
from tests.proxy.rig import Quiet, Ticking

REGISTERED = (
    Integration(
        name="help-bot", owner="Grace", contact="#help", purpose="asks <b>", tier="trusted"
    ),
    Integration(name="other", owner="Alan", contact="#other", purpose="tells"),
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A console, in which nobody signed in."""
    clock, log, audit = Ticking(), Quiet(), Recorded()
    off = switches(tmp_path, clock)
    followed = Followed(None, tmp_path / "index.db", shared=False)
    page = Integrations(
        registered=lambda: REGISTERED,
        switches=off,
        audit=audit,
        followed=followed,
        clock=clock,
    )

    async def fails(visit: Visit) -> Told:
        raise {"state": StoreError("away")}.get(visit.rest, ZeroDivisionError())

    async def lives(_: Visit) -> Told:
        return {"heading": "Live", "detail": "", "code": ""}

    console = Console(
        doors=Doors(viewers=(hashed(VIEWER),), operators=(hashed(OPERATOR),)),
        sessions=Sessions(
            seal=Seal(b"c" * 32), clock=clock, secret=b"f" * 32, cookie="console", lasts=3600
        ),
        tries=Tries(),
        sign_in=None,
        observer=Observer(log, Metrics()),
        views=(
            page.view,
            View(path="fails/", template="wrong.html", show=fails),
            View(path="live", template="wrong.html", show=lives, live=True),
        ),
        acts=page.acts,
        followed=followed,
    )
    return Desk(console, clock, log, audit, off)
