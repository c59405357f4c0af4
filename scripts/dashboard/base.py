"""What all panels have in common: the words, the size, the chosen data source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Built = TypeVar("Built", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel)


@dataclass(frozen=True, slots=True)
class Titled:
    """What every panel has.

    Attributes:
        about: what it shows, and what to do where it looks bad.
        unit: of its values, as Grafana names units; "short" is a count.
        runbooks: the alerts whose pages help here.
        width: of the 24 columns of the dashboard.
    """

    title: str
    _: KW_ONLY
    about: str
    unit: str = "short"
    runbooks: Sequence[str] = ()
    width: int
    height: int = 8

    def told(self, panel: Built) -> Built:
        """Tell it of a panel of Grafana, whatever its kind."""
        panel.title(self.title).description(self.about).unit(self.unit)
        panel.no_value("No data: is the gateway scraped?")
        panel.datasource(SOURCE).span(self.width).height(self.height)
        return panel.links(
            [
                dashboard.DashboardLink(f"Runbook: {alert}")
                .type(model.DashboardLinkType.LINK)
                .url(f"${{runbooks}}/{alert}.md")
                .target_blank(True)
                for alert in self.runbooks
            ]
        )


def query(expression: str, ref: str) -> prometheus.Dataquery:
    """Ask the chosen data source; the answer is called `ref`."""
    return prometheus.Dataquery().expr(expression).ref_id(ref).datasource(SOURCE)
