"""How a panel of the dashboard is made: queries to Prometheus, and the four kinds of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
BY_INTEGRATION = (
    "decisions_total",
    "constant_action",
    "cap_used_ratio",
    "integration_disabled",
)
"""The metrics that have the label `integration`, which the variable of that name narrows."""

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
CALM = ((None, GREEN),)
NONE_IS_GOOD = ((None, GREEN), (1, RED))
"""Green for 0, red from 1: what should not happen at all."""

Steps = Sequence[tuple[float | None, str]]
Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel


def of(metric: str, *matchers: str) -> str:
    """Select a metric of ours, narrowed by the variables of the dashboard."""
    narrowed = ['namespace=~"$namespace"']
    if metric in BY_INTEGRATION:
        narrowed.append('integration=~"$integration"')
    return f"soe_gateway_{metric}{{{', '.join((*narrowed, *matchers))}}}"


def total(expression: str, *by: str) -> str:
    """Add up over all processes, apart by these labels."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def rate(metric: str, *matchers: str, by: Sequence[str] = ()) -> str:
    """Count a second, over all processes."""
    return total(f"rate({of(metric, *matchers)}[$__rate_interval])", *by)


def grown(metric: str, *matchers: str, by: Sequence[str] = ()) -> str:
    """Count in the time shown, over all processes."""
    return total(f"increase({of(metric, *matchers)}[$__range])", *by)


def or_zero(expression: str) -> str:
    """Give 0 where nothing was counted yet: a panel of what should not happen is never empty."""
    return f"{expression} or vector(0)"


def or_none(expression: str, label: str) -> str:
    """Give one series `none` of 0 where nothing was counted yet, for a legend by this label."""
    return f'{expression} or on () label_replace(vector(0), "{label}", "none", "", "")'


def quantile(share: float, metric: str, *by: str) -> str:
    """Give the time that this share of what a histogram saw did not exceed."""
    buckets = rate(f"{metric}_bucket", by=("le", *by))
    return f"histogram_quantile({share:g}, {buckets})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a reader is told about a panel.

    Attributes:
        about: what it shows, and what to do where it looks bad.
        none: what stands there while there is nothing to show.
        runbooks: the alerts whose pages help here.
    """

    title: str
    about: str
    unit: str
    none: str = "No data: is the gateway scraped?"
    runbooks: Sequence[str] = ()


def lines(
    words: Words,
    queries: Mapping[str, str],
    *,
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    most: float | None = None,
    steps: Steps = CALM,
    colours: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Draw the course of time; `queries` are expressions by their legends, `colours` by series."""
    panel = timeseries.Panel().span(width).height(height)
    _tell(panel, words)
    for ref, (legend, expression) in zip("ABCDEFG", queries.items(), strict=False):
        panel.with_target(_query(expression, ref).range().legend_format(legend))
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    if len(steps) > 1:
        style = looks.GraphThresholdsStyleMode.LINE
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
    for series, colour in (colours or {}).items():
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
        .fill_opacity(30 if stacked else 10)
        .show_points(looks.VisibilityMode.NEVER)
    )


def figure(
    words: Words,
    expression: str,
    *,
    steps: Steps = CALM,
    says: Mapping[str, tuple[str, str]] | None = None,
    names: str = "",
    legend: str = "",
    spark: bool = False,
    width: int = 4,
    height: int = 4,
    decimals: float | None = None,
) -> stat.Panel:
    """Show one value large.

    Args:
        says: word and colour in the place of a value.
        names: a legend that is shown instead of the value, for each series.
        legend: a legend that is shown beside the value, for each series.
        spark: whether the course of time stands behind it.
    """
    panel = stat.Panel().span(width).height(height)
    _tell(panel, words)
    query = _query(expression, "A").legend_format(names or legend)
    panel.with_target(query.range() if spark else query.instant())
    panel.graph_mode(looks.BigValueGraphMode.AREA if spark else looks.BigValueGraphMode.NONE)
    panel.text_mode(looks.BigValueTextMode.NAME if names else looks.BigValueTextMode.AUTO)
    panel.color_mode(looks.BigValueColorMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel.decimals(decimals)
    if says:
        results = {
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(says.items())
        }
        panel.mappings([model.ValueMap(options=results)])
    return panel.thresholds(_thresholds(steps))


def bars(
    words: Words,
    expression: str,
    legend: str,
    *,
    most: float | None = None,
    steps: Steps = CALM,
    width: int = 8,
) -> bargauge.Panel:
    """Show the values of now as bars beside each other."""
    panel = bargauge.Panel().span(width).height(8).decimals(0)
    _tell(panel, words)
    panel.with_target(_query(expression, "A").instant().legend_format(legend))
    if most is not None:
        panel.max(most)
    return (
        panel.min(0)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(steps))
    )


def columns(
    words: Words,
    keys: Sequence[str],
    queries: Mapping[str, str],
    *,
    sort: str,
    shares: Sequence[str] = (),
    width: int = 12,
    height: int = 8,
) -> table.Panel:
    """Show a table: a row for each combination of the labels `keys`, a column for each query.

    Args:
        queries: expressions by the heads of their columns.
        sort: the head of the column whose greatest values come first.
        shares: heads of columns that are shares of one, not counts.
    """
    panel = table.Panel().span(width).height(height).decimals(0)
    _tell(panel, words)
    named = {key: key for key in keys}
    for ref, (head, expression) in zip("ABCDEFG", queries.items(), strict=False):
        panel.with_target(_query(expression, ref).instant().format(PromQueryFormat.TABLE))
        named[f"Value #{ref}"] = head
    order = {name: place for place, name in enumerate(named)}
    organized = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": named}
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organized))
    for head in shares:
        share = model.DynamicConfigValue(id_val="unit", value="percentunit")
        panel.override_by_name(head, [share])
    return panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])


def _tell(panel: Panel, words: Words) -> None:
    panel.title(words.title).description(words.about).unit(words.unit).no_value(words.none)
    panel.datasource(SOURCE)
    panel.links(
        [
            dashboard.DashboardLink(f"Runbook: {alert}")
            .type(model.DashboardLinkType.LINK)
            .url(f"${{runbooks}}/{alert}.md")
            .target_blank(True)
            for alert in words.runbooks
        ]
    )


def _query(expression: str, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).ref_id(ref).datasource(SOURCE)


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    marks: list[Any] = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)
