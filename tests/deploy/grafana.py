"""The dashboard as Grafana takes it: its panels, and their queries with variables put in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "soe-write-gateway.json"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    ref: str
    expression: str
    legend: str
    instant: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel, and the row in which it stands; `raw` is its JSON."""

    row: str
    raw: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.raw["title"])

    @property
    def queries(self) -> tuple[Query, ...]:
        """What it asks."""
        return tuple(
            Query(each["refId"], each["expr"], each.get("legendFormat", ""), each["instant"])
            for each in self.raw["targets"]
        )


def loaded() -> dict[str, Any]:
    """Give the JSON that is checked in."""
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return dashboard


def panels() -> Iterator[Panel]:
    """Give all panels, in order."""
    row = ""
    for each in loaded()["panels"]:
        if each["type"] == "row":
            row = each["title"]
        else:
            yield Panel(row, each)


def variables() -> dict[str, dict[str, Any]]:
    """Give the variables by their names."""
    return {each["name"]: each for each in loaded()["templating"]["list"]}


def put_in(
    expression: str, *, seconds: int, interval: int = 4, values: Mapping[str, str] | None = None
) -> str:
    """Put in the variables as Grafana does, by default `All` of those that one chooses.

    Args:
        expression: PromQL with variables.
        seconds: the length of the time shown.
        interval: of `$__rate_interval`: four scrapes, and no less than a step and a scrape.
        values: what is chosen, as regular expressions; several are `(a|b)`.
    """
    chosen = {name: each["allValue"] for name, each in variables().items() if "allValue" in each}
    chosen |= {"__rate_interval": f"{interval}s", "__range": f"{seconds}s", **(values or {})}
    for name in sorted(chosen, key=len, reverse=True):
        expression = expression.replace(f"${name}", chosen[name])
    return expression
