"""The example by which the language of policies was designed works as it was written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.errors import PolicyError
from gateway.offline.suite import read_suite
from tests.offline.stories import TODAY

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


def test_it_has_no_problem_but_the_mode_that_is_to_come(directory: Path) -> None:
    """The page on which people confirm does not exist yet."""
    with pytest.raises(PolicyError) as caught:
        read_suite(directory, today=TODAY)

    assert [(p.line, p.text[:11]) for p in caught.value.problems] == [(22, "mode 'hold'")]
