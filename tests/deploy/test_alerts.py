"""Alerts fire when they should and not when they should not, by promtool, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "command", [["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]]
)
def test_promtool_finds_nothing(command: list[str]) -> None:
    """The rules are well-formed, and their own tests pass."""
    assert PROMTOOL is not None
    ended = subprocess.run(
        [PROMTOOL, *command], cwd=RULES, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
