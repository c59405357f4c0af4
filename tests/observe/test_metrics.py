"""Metrics: the names that dashboards rely on, and label values that traffic cannot make."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe import metrics as module
from gateway.observe.fate import FATE
from gateway.observe.metrics import (
    UPSTREAM_CODES,
    Metrics,
    child,
    metrics_reference,
    status_class,
)
from tests.shared import ROOT

FIXED = {
    "soe_gateway_decisions_total": {"operation", "effect", "integration"},
    "soe_gateway_findings_total": {"rule", "mode", "result"},
    "soe_gateway_outcomes_total": {"operation", "outcome"},
    "soe_gateway_store_errors_total": {"call"},
    "soe_gateway_policy_reload_success": set(),
    "soe_gateway_policy_info": {"revision"},
    "soe_gateway_audit_sync_seconds": set(),
    "soe_gateway_added_latency_seconds": set(),
    "soe_gateway_upstream_seconds": set(),
    "soe_gateway_posture": {"posture"},
}


_SENDING = ("connection", "pipeline", "upstream")
"""The modules that say how an exchange with SOE failed."""


def described() -> dict[str, set[str]]:
    """The metrics of the reference with their labels."""
    rows = [row.split(" | ") for row in metrics_reference().splitlines()[2:]]
    return {row[0].strip("|` "): set(row[2].split("`")[1::2]) for row in rows}


@pytest.mark.parametrize("name", sorted(FIXED))
def test_promised_metrics_have_their_names_and_labels(name: str) -> None:
    """Dashboards and alerts are written against these."""
    assert described()[name] == FIXED[name]


def test_two_gateways_in_one_process_do_not_share_counters() -> None:
    """Each has a registry of its own; nothing is registered for the whole process."""
    one, other = Metrics(), Metrics()
    one.audit_errors.inc()

    assert b"soe_gateway_audit_errors_total 1.0" in one.render()
    assert b"soe_gateway_audit_errors_total 0.0" in other.render()


def test_what_is_rendered_is_what_prometheus_reads() -> None:
    """Every metric has a meaning, and our prefix or the one that processes of all programs have."""
    families = list(text_string_to_metric_families(Metrics().render().decode()))

    assert families
    assert all(each.name.startswith(("soe_gateway_", "process_")) for each in families)
    assert all(each.documentation for each in families)


def test_the_reference_has_all_that_is_rendered() -> None:
    """The page and `/metrics` tell of the same metrics, those of the process among them."""
    families = text_string_to_metric_families(Metrics().render().decode())
    rendered = {each.name + ("_total" if each.type == "counter" else "") for each in families}
    supervisor = {"soe_gateway_workers", "soe_gateway_worker_restarts_total"}

    assert rendered | supervisor | set(FATE) == set(described())


def test_names_without_end_share_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers counted cannot be dropped, so from some number on new rules are `other`."""
    monkeypatch.setattr(module, "_CHILDREN_AT_MOST", 3)
    metrics = Metrics()
    for number in range(10):
        child(metrics.findings, f"rule-{number}", "enforce", "pass").inc()
    child(metrics.findings, "rule-0", "enforce", "pass").inc()
    lines = [line for line in metrics.render().decode().splitlines() if "findings_total{" in line]

    assert [float(line.rpartition(" ")[2]) for line in lines] == [2, 1, 1, 7]
    assert 'rule="other"' in lines[-1]


def test_every_way_in_which_soe_fails_is_there_from_the_start() -> None:
    """An error that begins its own counter would not be seen as an increase."""
    places = [ROOT / "gateway" / "proxy" / f"{name}.py" for name in _SENDING]
    source = "".join(path.read_text() for path in places)
    told = set(re.findall(r'UpstreamError\(\s*"(\w+)"', source)) | {"closed", "cut", "pool_closed"}
    told |= set(re.findall(r'"(\w+_timeout)"', source))

    assert set(UPSTREAM_CODES) == told


@pytest.mark.parametrize(
    ("status", "name"), [(200, "2xx"), (204, "2xx"), (404, "4xx"), (599, "5xx"), (0, "none")]
)
def test_a_status_counts_as_its_class(status: int, name: str) -> None:
    """Five classes and `none`: SOE cannot make new label values either."""
    assert status_class(status) == name
