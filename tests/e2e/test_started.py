"""What a start tells whoever sits before it, and whoever reads the log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __version__
from tests.e2e.process import CONTACT
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_start_says_what_it_stands_on_and_what_is_weak(workers: str, tmp_path: Path) -> None:
    """At a terminal as text, in the log as events; the listening line comes first on stdout."""
    ours, theirs = os.openpty()
    data = tmp_path / "data"
    command = [sys.executable, "-m", "gateway", "serve", "--upstream", "http://127.0.0.1:1"]
    command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    command += ["--data", str(data), "--workers", workers]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, **CONTACT}, text=True
    )
    assert process.stdout is not None
    with process.stdout as out:
        listening = json.loads(out.readline())
        process.send_signal(signal.SIGTERM)
        events = [json.loads(line) for line in out]
    assert process.wait(PATIENCE) == 0
    text = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)

    [started] = [told for told in events if told["event"] == "server.started"]
    weak = [told["setting"] for told in events if told["event"] == "settings.weak"]
    assert listening["event"] == "server.listening"
    assert {name: started[name] for name in ("proxy", "admin")} == {
        name: listening[name] for name in ("proxy", "admin")
    }
    assert started["version"] == __version__
    assert started["upstream"] == "http://127.0.0.1:1"
    assert started["policies"] == "shipped"
    assert len(started["revision"]) >= 12
    assert started["posture"] == "guard"
    assert started["state"] == f"sqlite:///{data / 'state.db'}"
    assert started["audit"] == f"file://{data / 'audit'}"
    assert [each.partition(":")[0] for each in weak] == ["audit.key_file"]
    assert f"soe-gateway {__version__}" in text
    for shown in (listening["proxy"], started["revision"], started["audit"], "audit.key_file"):
        assert shown in text
