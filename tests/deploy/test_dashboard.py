"""The dashboard is whole: every panel says what it shows, and asks for what the gateway has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from gateway.observe.metrics import Metrics, WorkersMetrics
from tests.deploy.grafana import Panel, loaded, panels, put_in, variables

ROOT = Path(__file__).parents[2]
ALL = pytest.mark.parametrize(
    "panel", [pytest.param(each, id=f"{each.row}: {each.title}") for each in panels()]
)
SCRAPED = {"namespace", "job", "instance"}
"""Labels that Prometheus gives, or who scrapes."""


@cache
def metrics_of_the_code() -> dict[str, set[str]]:
    """The names of all series, with their labels."""
    known = {"process_cpu_seconds_total": {"worker"}, "process_resident_memory_bytes": {"worker"}}
    for metric in (*vars(Metrics()).values(), *vars(WorkersMetrics(Path())).values()):
        if isinstance(metric, MetricWrapperBase):
            family = next(iter(metric.describe()))
            labels = set(metric._labelnames)
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            for suffix in suffixes.get(family.type, [""]):
                known[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return known


def selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    """Find every metric that an expression names, with the labels that narrow it."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or "", {matcher.name for matcher in node.matchers.matchers}
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (inner := getattr(node, name, None)) is not None:
            yield from selectors(inner)
    for inner in getattr(node, "args", ()):
        yield from selectors(inner)


def labels_named(expression: str) -> set[str]:
    """Find the labels by which an expression groups, joins, or writes legends."""
    lists = re.findall(r"\b(?:by|on|group_left|ignoring|without)\s*\(([^)]*)\)", expression)
    return {name.strip() for each in lists for name in each.split(",") if name.strip()}


@ALL
def test_a_panel_says_what_it_shows(panel: Panel) -> None:
    """Title, description with what it means, unit, and what stands there without data."""
    defaults = panel.raw["fieldConfig"]["defaults"]

    assert panel.title
    assert panel.row
    assert panel.raw["description"].endswith(".")
    assert defaults["unit"]
    assert defaults["noValue"]


@ALL
def test_a_panel_asks_the_source_that_is_chosen(panel: Panel) -> None:
    """No source of somebody's own Grafana is left in it."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    assert panel.queries
    assert [panel.raw["datasource"]] + [each["datasource"] for each in panel.raw["targets"]] == [
        chosen
    ] * (1 + len(panel.queries))


@ALL
def test_a_panel_names_what_the_code_has(panel: Panel) -> None:
    """Every expression parses, and every metric and label in it exists."""
    known = metrics_of_the_code()
    for query in panel.queries:
        tree = promql_parser.parse(put_in(query.expression, seconds=3600))
        found = list(selectors(tree))
        labels: set[str] = set()
        for name, narrowed in found:
            assert name in known
            assert "namespace" in narrowed
            assert narrowed <= known[name] | SCRAPED
            labels |= known[name]

        assert found
        assert labels_named(query.expression) <= labels | SCRAPED
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels | SCRAPED


@ALL
def test_a_panel_follows_the_chosen_integration(panel: Panel) -> None:
    """Whatever is known by integration is narrowed by the variable of that name."""
    known = metrics_of_the_code()
    for query in panel.queries:
        tree = promql_parser.parse(put_in(query.expression, seconds=3600))
        for name, narrowed in selectors(tree):
            assert ("integration" in narrowed) == ("integration" in known[name]), name


@ALL
def test_a_rate_looks_back_as_far_as_scrapes_need(panel: Panel) -> None:
    """No fixed range: with a longer scrape interval it would hold one sample, and nothing shows."""
    for query in panel.queries:
        ranges = set(re.findall(r"\[([^\]]*)\]", query.expression))

        assert ranges <= {"$__rate_interval", "$__range"}


@ALL
def test_a_runbook_that_a_panel_names_is_there(panel: Panel) -> None:
    """The links beside a panel lead to pages of this repository."""
    for link in panel.raw["links"]:
        page = link["url"].removeprefix("${runbooks}/")

        assert (ROOT / "docs" / "runbooks" / page).exists(), page


def test_every_alert_has_a_panel_that_shows_it() -> None:
    """Who is woken by an alert finds the panel, and who sees the panel finds the alert's page."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())
    alerts = {
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }
    linked = {
        link["title"].removeprefix("Runbook: ") for panel in panels() for link in panel.raw["links"]
    }

    assert linked == alerts


def test_panels_lie_beside_each_other() -> None:
    """No two overlap, none leaves the 24 columns, and no hole is left between them."""
    cells: dict[tuple[int, int], str] = {}
    for each in loaded()["panels"]:
        at = each["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert cells.setdefault((x, y), each["title"]) == each["title"]

    assert sorted(cells) == [(x, y) for x in range(24) for y in range(1 + max(y for _, y in cells))]


def test_panels_are_told_apart() -> None:
    """No title stands twice in a row, no number twice at all."""
    for one, other in combinations(panels(), 2):
        assert (one.row, one.title) != (other.row, other.title)
        assert one.raw["id"] != other.raw["id"]


def test_one_chooses_source_namespace_and_integrations() -> None:
    """All of a variable also means what lacks the label; several integrations can be chosen."""
    chosen = variables()

    assert list(chosen)[:3] == ["datasource", "namespace", "integration"]
    assert chosen["namespace"]["allValue"] == chosen["integration"]["allValue"] == ".*"
    assert chosen["integration"]["multi"]
