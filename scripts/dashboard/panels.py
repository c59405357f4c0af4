"""The four kinds of panels, and what Grafana is told of each: `Figure`, `Lines`, `Bars`, `Columns`.

A panel is a value: its title, what it asks (see `queries`), then what a reader is told. `build`
makes of it what Grafana's SDK takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboard.base import Titled, query
from dashboard.colours import CALM, Steps, thresholds


@dataclass(frozen=True, slots=True)
class Lines(Titled):
    """The course of time; `queries` are expressions by their legends, `colours` by series."""

    queries: Mapping[str, str]
    _: KW_ONLY
    width: int = 12
    stacked: bool = False
    most: float | None = None
    steps: Steps = CALM
    colours: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> timeseries.Panel:
        """Make the panel for Grafana."""
        panel = self.told(timeseries.Panel())
        for ref, (legend, expression) in zip("ABCDEFG", self.queries.items(), strict=False):
            panel.with_target(query(expression, ref).range().legend_format(legend))
        if self.stacked:
            panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
        if self.most is not None:
            panel.max(self.most)
        if len(self.steps) > 1:
            style = looks.GraphThresholdsStyleMode.LINE
            panel.thresholds(thresholds(self.steps))
            panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        for series, colour in self.colours.items():
            fixed = {"mode": "fixed", "fixedColor": colour}
            panel.override_by_name(series, [model.DynamicConfigValue(id_val="color", value=fixed)])
        listing = common.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"])
        listing.display_mode(looks.LegendDisplayMode.TABLE).placement(looks.LegendPlacement.BOTTOM)
        tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI)
        return (
            panel.legend(listing)
            .tooltip(tooltip.sort(looks.SortOrder.DESCENDING))
            .min(0)
            .line_width(1)
            .fill_opacity(30 if self.stacked else 10)
            .show_points(looks.VisibilityMode.NEVER)
        )


@dataclass(frozen=True, slots=True)
class Figure(Titled):
    """One value, large.

    Attributes:
        says: word and colour in the place of a value.
        names: a legend that is shown instead of the value, for each series.
        legend: a legend that is shown beside the value, for each series.
        spark: whether the course of time stands behind it.
    """

    query: str
    _: KW_ONLY
    width: int = 4
    height: int = 4
    steps: Steps = CALM
    says: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    names: str = ""
    legend: str = ""
    spark: bool = False
    decimals: float | None = None

    def build(self) -> stat.Panel:
        """Make the panel for Grafana."""
        panel = self.told(stat.Panel())
        asked = query(self.query, "A").legend_format(self.names or self.legend)
        graph, text = looks.BigValueGraphMode, looks.BigValueTextMode
        panel.with_target(asked.range() if self.spark else asked.instant())
        panel.graph_mode(graph.AREA if self.spark else graph.NONE)
        panel.text_mode(text.NAME if self.names else text.AUTO)
        panel.color_mode(looks.BigValueColorMode.VALUE)
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        if self.decimals is not None:
            panel.decimals(self.decimals)
        if self.says:
            results = {
                value: model.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(self.says.items())
            }
            panel.mappings([model.ValueMap(options=results)])
        return panel.thresholds(thresholds(self.steps))


@dataclass(frozen=True, slots=True)
class Bars(Titled):
    """The values of now as bars beside each other."""

    query: str
    legend: str
    _: KW_ONLY
    width: int = 8
    most: float | None = None
    steps: Steps = CALM

    def build(self) -> bargauge.Panel:
        """Make the panel for Grafana."""
        panel = self.told(bargauge.Panel()).decimals(0)
        panel.with_target(query(self.query, "A").instant().legend_format(self.legend))
        if self.most is not None:
            panel.max(self.most)
        return (
            panel.min(0)
            .orientation(looks.VizOrientation.HORIZONTAL)
            .display_mode(looks.BarGaugeDisplayMode.BASIC)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .thresholds(thresholds(self.steps))
        )


@dataclass(frozen=True, slots=True)
class Columns(Titled):
    """A table: a row for each combination of the labels `keys`, a column for each query.

    Attributes:
        queries: expressions by the heads of their columns.
        sort: the head of the column whose greatest values come first.
        shares: heads of columns that are shares of one, not counts.
    """

    keys: Sequence[str]
    queries: Mapping[str, str]
    _: KW_ONLY
    width: int = 12
    sort: str
    shares: Sequence[str] = ()

    def build(self) -> table.Panel:
        """Make the panel for Grafana."""
        panel = self.told(table.Panel()).decimals(0)
        named = {key: key for key in self.keys}
        for ref, (head, expression) in zip("ABCDEFG", self.queries.items(), strict=False):
            panel.with_target(query(expression, ref).instant().format(PromQueryFormat.TABLE))
            named[f"Value #{ref}"] = head
        order = {name: place for place, name in enumerate(named)}
        organized = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": named}
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organized))
        for head in self.shares:
            share = model.DynamicConfigValue(id_val="unit", value="percentunit")
            panel.override_by_name(head, [share])
        return panel.sort_by([common.TableSortByFieldState().display_name(self.sort).desc(True)])


Panel = Lines | Figure | Bars | Columns
