"""What a running gateway tells Prometheus, under driven traffic, alone and with workers."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.fate import FATE_FILE, Fate, write_fates
from tests import local
from tests.e2e.process import Running, gateway
from tests.e2e.recorder import recorder
from tests.observe.test_metrics import described
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.slow

PROMTOOL = shutil.which("promtool")
ROUNDS = 6
POLICIES = """\
policy: driven
owner: tests
rules:
  person-acted:
    title: A person acted
    mode: enforce
    for: ["*"]
    explicit_action: {evidence: literal, values: ["true"]}
  few:
    title: Few
    mode: enforce
    for: ["*"]
    on_error: allow
    rate_cap: {limit: 8, window: 1h, per: [integration]}
  copies:
    title: No copies
    mode: observe
    for: [question.create]
    duplicate: {similarity: 90%, within: 1d}
  shouting:
    title: Look again before you shout
    mode: hold
    approver: link
    for: [question.create]
    if: {title: {matches: '!$'}}
tests:
  nobody acted:
    steps: [{question.create: new, title: How?, expect: {refused_by: [person-acted]}}]
"""
UNSEEN = {
    "soe_gateway_constant_action",
    "soe_gateway_integration_disabled",
    "soe_gateway_person_lookups_total",
    "soe_gateway_title_lookups_total",
}
"""What this traffic gives no cause for, so that workers' files hold nothing of it."""
Totals = defaultdict[str, float]


def drive(running: Running) -> int:
    """Write, be refused, held and told no, try in vain, ask, and let the policies be read again.

    Gives how many writes were decided.
    """
    decided = 0
    acted = {"authorization": "Bearer 1", "x-explicit-action": "true"}
    each_anew = httpx.Limits(max_keepalive_connections=0)  # so that all workers get some
    with httpx.Client(
        base_url=running.proxy, limits=each_anew, timeout=PATIENCE, trust_env=False
    ) as client:
        for number in range(ROUNDS):
            for title, fields in (
                (f"How do I rotate key {number}?", acted),
                (f"How do I rotate lock {number}?", acted),
                (f"Help {number}!", acted),
                ("How?", {"authorization": "Bearer 1"}),
                ("How?", acted | {"x-gateway-dry-run": "true"}),
            ):
                document = {"title": title, "body": "It runs out.", "tags": ["a"]}
                answer = client.post("/api/v3/questions", json=document, headers=fields)
                assert answer.status_code != 503, answer.text
                decided += "x-gateway-dry-run" not in fields
            for path in ("/api/v3/questions", "/no-such-page"):
                client.get(path)
        client.post("/api/v3/nothing", headers=acted)
    running.process.send_signal(signal.SIGHUP)
    return decided


def scraped(
    running: Running, named: set[str], enough: Callable[[Totals], bool]
) -> tuple[bytes, Totals]:
    """What the gateway tells, as text and summed by name, once all is named and it is enough."""
    text, totals = b"", Totals(float)

    def is_there() -> bool:
        nonlocal text, totals
        text, totals = local.get(f"{running.admin}/metrics").content, Totals(float)
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                totals[sample.name] += sample.value
        return not lacking(text, named) and enough(totals)

    until(is_there, lambda: (totals, lacking(text, named)))
    return text, totals


def lacking(text: bytes, named: set[str]) -> set[str]:
    """The metrics of which nothing is told."""
    return {name for name in named if f"# TYPE {name} " not in text.decode()}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("workers", [1, 2])
def test_promtool_finds_nothing_in_what_a_gateway_tells(tmp_path: Path, workers: int) -> None:
    """Names, types, units and help are as Prometheus wants them, and the numbers are right."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "driven.yaml").write_text(POLICIES)
    arguments = ("--policies", str(policies), "--workers", str(workers))
    with recorder() as soe, gateway(soe.url, tmp_path, *arguments) as running:
        counted = [Fate(integration="help-bot", operation="answer.create", published=3)]
        write_fates(tmp_path / FATE_FILE, counted, 1_795_000_000.0)
        decided = drive(running)
        told = set(described()) - (UNSEEN if workers > 1 else set())
        if workers == 1:
            told -= {"soe_gateway_workers", "soe_gateway_worker_restarts_total"}
        text, totals = scraped(
            running,
            told,
            lambda told: (
                told["soe_gateway_policy_reloads_total"] == 2 * workers
                and told["soe_gateway_canary_refused"] == 1
                # `few` is full for an hour; those of dry runs and holds count besides.
                and told["soe_gateway_cap_used_ratio"] > 1
                and told["soe_gateway_decisions_total"] >= decided
            ),
        )
    assert PROMTOOL is not None
    linted = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (linted.returncode, linted.stdout, linted.stderr) == (0, b"", b"")
    assert totals["soe_gateway_decisions_total"] == decided
    assert totals["soe_gateway_fate_posts"] == 3
    assert 0 < totals["soe_gateway_outcomes_total"] <= 8
    assert 0 < totals["soe_gateway_holds_total"] <= ROUNDS
    assert totals["soe_gateway_audit_records_total"] > totals["soe_gateway_decisions_total"]
    assert totals["soe_gateway_store_up"] == 1
    assert 0 < totals["soe_gateway_audit_free_bytes"] < float("inf")
    assert totals["process_resident_memory_bytes"] > 1e7
