"""The example by which the language of policies was designed works as it was written."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.offline.coverage import cover
from gateway.offline.suite import read_suite
from tests.offline.stories import TODAY, differences

REGISTERED = """\
integrations:
  help-bot: {owner: it-service, contact: c, purpose: answers what was asked in chat}
  official-import: {owner: knowledge-team, contact: c, purpose: moves the old wiki}
  release-bot: {owner: release-team, contact: c, purpose: announces releases}
"""


def test_it_loads_and_its_test_passes(tmp_path: Path) -> None:
    """And would miss the rule that it is about; that it may hold is told as a warning."""
    shutil.copy(Path(__file__).parent / "design.yaml", tmp_path)
    (tmp_path / "integrations.yaml").write_text(REGISTERED)

    suite = read_suite(tmp_path, today=TODAY)

    assert len(suite.cases) == 1
    assert differences(suite) == []
    assert ["mode 'hold'" in told for told in suite.policies.warnings] == [True]
    assert "same-answer-elsewhere" not in {place.text for place in cover(suite).untested}
