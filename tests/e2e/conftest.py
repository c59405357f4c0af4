"""Policies for running gateways."""

from __future__ import annotations

from pathlib import Path

import pytest

ACTION_ONLY = """\
policy: action-only
owner: tests
rules:
  person-acted:
    title: Every write names the user's act
    mode: enforce
    for: ["*"]
    explicit_action: {evidence: literal, values: ["true"]}
"""


@pytest.fixture
def policies_without_caps(tmp_path: Path) -> Path:
    """A directory whose only rule asks for the user's act."""
    directory = tmp_path / "policies"
    directory.mkdir()
    (directory / "action.yaml").write_text(ACTION_ONLY)
    return directory
