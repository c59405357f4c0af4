"""The Grafana dashboard, `deploy/grafana/soe-write-gateway.json`: one file a row, put together here.

A new panel is one more entry of a row; `make gen` writes the file anew. `panels` has the four kinds,
`queries` what they ask. Its metrics are those of `gateway/observe/metrics.py`: a test compares,
another asks a real Prometheus for every panel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboard.base import SOURCE
from dashboard.caps import CAPS
from dashboard.copies import COPIES
from dashboard.integrations import INTEGRATIONS
from dashboard.overview import OVERVIEW
from dashboard.panels import Panel
from dashboard.process import PROCESS
from dashboard.rules import RULES
from dashboard.state_and_audit import STATE_AND_AUDIT
from dashboard.upstream import UPSTREAM

RUNBOOKS = "https://wiki.example.com/soe-write-gateway/runbooks"
"""A place that each site changes in the settings of its dashboard: a panel's links begin with it."""
ALL = model.VariableOption(selected=True, text="All", value="$__all")

ROWS: Mapping[str, Sequence[Panel]] = {
    "Overview": OVERVIEW,
    "Writes by integration": INTEGRATIONS,
    "Decisions by rule": RULES,
    "Caps near their limit": CAPS,
    "Duplicates and boilerplate": COPIES,
    "Upstream": UPSTREAM,
    "State and audit": STATE_AND_AUDIT,
    "Process": PROCESS,
}


def dashboard() -> str:
    """Give the dashboard as JSON, as Grafana imports it."""
    built = (
        build.Dashboard("SOE write gateway")
        .uid("soe-write-gateway")
        .description("What integrations write to Stack Overflow Enterprise, and what was refused.")
        .tags(["soe-write-gateway"])
        .time("now-6h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
    )
    for title, panels in ROWS.items():
        built.with_row(build.Row(title))
        for panel in panels:
            built.with_panel(panel.build())
    made = built.build()
    for number, placed in enumerate(made.panels or (), 1):
        placed.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=1) + "\n"


def _variables() -> list[Any]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    namespace = _values("namespace", "soe_gateway_enforcing").label("Namespace")
    writer = _values("integration", 'soe_gateway_decisions_total{namespace=~"$namespace"}')
    runbooks = build.ConstantVariable("runbooks").label("Where docs/runbooks is served")
    return [source, namespace, writer.label("Integration").multi(True), runbooks.value(RUNBOOKS)]


def _values(label: str, metric: str) -> build.QueryVariable:
    """Offer the values of a label, and all: also of what lacks it, as `namespace` may be."""
    query: dict[str, object] = {"query": f"label_values({metric}, {label})", "refId": label}
    variable = build.QueryVariable(label).datasource(SOURCE).query(query)
    variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.include_all(True).all_value(".*").current(ALL)
