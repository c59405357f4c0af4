"""The console put together from settings."""

from __future__ import annotations

import threading
from pathlib import Path

from gateway.cli.serving.console import open_console
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.settings import load_settings
from gateway.state.memory import MemoryStore
from tests.admin.rig import Recorded, shipped, switches
from tests.holding import holds_over
from tests.patience import until
from tests.proxy.rig import Quiet, Ticking


async def test_nothing_follows_the_audit_log_where_the_console_is_off(tmp_path: Path) -> None:
    """Its thread begins with the console, and ends with it."""
    until(lambda: _followers() == 0)  # those of tests before may be about to end
    followers = []
    for viewers in ("", "sha256:" + "0" * 64):
        flags = {"data.directory": str(tmp_path)} | (
            {"console.viewers": viewers} if viewers else {}
        )
        store, clock = MemoryStore(1.0), Ticking()
        console = open_console(
            load_settings(flags=flags, environ={}, required=()),
            b"k" * 32,
            clock,
            Observer(Quiet(), Metrics()),
            Recorded(),
            switches(tmp_path),
            shipped,
            store,
            holds_over(store, clock),
        )
        followers.append(_followers())
        if console is not None:
            await console.close()

    assert followers == [0, 1]
    until(lambda: _followers() == 0)


def _followers() -> int:
    return sum(thread.name == "index" for thread in threading.enumerate())
