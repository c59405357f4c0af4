"""The example by which the language of policies was designed works as it was written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.offline.testing.play import play
from gateway.offline.testing.suite import read_suite
from tests.offline.testing.stories import TODAY

REGISTERED = """\
integrations:
  help-bot: {owner: it-service, contact: c, purpose: answers what was asked in chat}
  official-import: {owner: knowledge-team, contact: c, purpose: moves the old wiki}
  release-bot: {owner: release-team, contact: c, purpose: announces releases}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The policy, and the integrations that it names."""
    shutil.copy(Path(__file__).parent / "design.yaml", tmp_path)
    (tmp_path / "integrations.yaml").write_text(REGISTERED)
    return tmp_path


def test_it_loads_and_its_tests_pass(directory: Path) -> None:
    """Nothing is to be warned of."""
    suite = read_suite(directory, today=TODAY)

    assert suite.policies.warnings == ()
    assert suite.cases
    assert [each.case.name for each in play(suite.policies, suite.cases) if each.failure] == []
