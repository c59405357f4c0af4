"""`soe-gateway replay` over what running gateways recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forked import run
from tests.e2e.process import gateway
from tests.e2e.recorder import Recorded, created, recorder
from tests.e2e.test_copies import much_the_same, post_many, the_same

pytestmark = pytest.mark.slow

RULES = """\
policy: tests
owner: tests
rules:
  acted: {title: T, mode: enforce, for: ["*"], explicit_action: {evidence: literal}}
  copies: {title: T, mode: enforce, for: ["*"], duplicate: {within: 1d}}
  much-alike: {title: T, mode: warn, for: ["*"], duplicate: {similarity: 60%, within: 1d}}
"""


def replay(data: Path, *arguments: str) -> dict[str, Any]:
    """Run the command over a gateway's log."""
    done = run(["replay", "--data", str(data), "--json", *arguments], os.environ)
    done.check_returncode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_what_two_workers_decided_at_once_comes_out_as_it_did(tmp_path: Path) -> None:
    """Of copies that met in state, while SOE refused some, every finding is the same again."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "tests.yaml").write_text(RULES)
    answered = iter(range(1000))

    def answer(request: Recorded) -> bytes:
        refused = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"
        return created(request) if next(answered) % 3 else refused

    with (
        recorder(answer) as soe,
        gateway(soe.url, tmp_path, "--policies", str(policies), "--workers", "2") as running,
    ):
        for question in (the_same, much_the_same, the_same):
            post_many(running.proxy, 20, question)
    told = replay(tmp_path, "--policies", str(policies))

    assert told["writes"] == 60
    assert (told["changed"], told["other_reasons"], told["lacking"]) == (0, 0, [])
    assert {each["then"] for each in told["effects"]} == {"allow", "refuse"}
