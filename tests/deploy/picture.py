"""Draws the dashboard as Grafana lays it out, from what a Prometheus answered: HTML with SVG.

It is no Grafana: it knows the four kinds of panels that are used here, their units, thresholds,
mappings, legends and fixed colours, so that one sees what an operator will see.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tests.deploy.grafana import Panel, loaded
from tests.deploy.legends import Shown, legend_of, written

WIDTH = 1480
_CELL, _UNIT, _GAP = WIDTH / 24, 34, 6
_NAMED = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
    "purple": "#b877d9",
}
_PALETTE = (
    "#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#3f8fd8", "#d966b8", "#9a86d0",
    "#a8d48a", "#f2d06b", "#64b0c8", "#e0a78a",
)  # fmt: skip
_STYLE = """
* { box-sizing: border-box; margin: 0 }
body { width: WIDTHpx; background: #111217; color: #ccccdc; font: 12px Inter, "DejaVu Sans", sans-serif }
header { display: flex; gap: 10px; align-items: center; padding: 12px 10px; height: 52px }
h1 { font-size: 17px; font-weight: 500; margin-right: auto }
header span { border: 1px solid #34363d; border-radius: 2px; background: #181b1f; padding: 6px 9px }
header span b { color: #6e9fff; font-weight: 500; margin-right: 6px }
main { position: relative }
.panel, .row { position: absolute }
.row { font-size: 15px; padding: 7px 10px }
.panel { background: #181b1f; border: 1px solid #26292f; border-radius: 2px; padding: 7px 9px; overflow: hidden; display: flex; flex-direction: column }
h2 { font-size: 13px; font-weight: 500; margin-bottom: 4px; white-space: nowrap }
svg { display: block; flex: none }
text { fill: #9a9aa6; font-size: 10.5px }
.big { flex: 1; display: flex; flex-direction: column; align-items: center; justify-content: center; position: relative; z-index: 1; white-space: nowrap }
.big small { font-size: 12px; color: #9a9aa6 }
.spark { position: absolute; left: 0; bottom: 0 }
table { border-collapse: collapse; width: 100%; white-space: nowrap }
td, th { padding: 2.5px 6px; text-align: right; font-weight: 400 }
td.name, th.name { text-align: left; max-width: 330px; overflow: hidden; text-overflow: ellipsis }
th { color: #6e9fff }
.grid td, .grid th { border-bottom: 1px solid #26292f; padding: 4.5px 8px }
.legend { margin-top: 4px; font-size: 11px }
.legend td, .legend th { padding: 0 6px; line-height: 15.5px }
.legend i { display: inline-block; width: 12px; height: 4px; border-radius: 2px; margin-right: 7px; vertical-align: middle }
.bars td { padding: 3.5px 4px }
.bar { height: 15px; border-radius: 2px; opacity: .85 }
.track { background: #22252b; width: 100%; border-radius: 2px }
"""


def page(shown: Sequence[tuple[Panel, Mapping[str, Shown]]], start: float, end: float) -> str:
    """Give the whole dashboard as a page; `shown` has each panel's series by its queries."""
    board = loaded()
    chosen = [("Data source", "Prometheus"), ("Namespace", "All"), ("Integration", "All")]
    clock = " to ".join(time.strftime("%H:%M:%S", time.gmtime(at)) for at in (start, end))
    head = "".join(f"<span><b>{name}</b>{value}</span>" for name, value in [*chosen, ("", clock)])
    parts = [
        f'<div class="row" style="{_place(each["gridPos"])}">⌄ {escape(each["title"])}</div>'
        for each in board["panels"]
        if each["type"] == "row"
    ]
    for panel, found in shown:
        _, _, w, h = _box(panel.raw["gridPos"])
        inner = _KINDS[panel.raw["type"]](panel, found, w - 20, h - 40, (start, end))
        style = _place(panel.raw["gridPos"])
        parts.append(
            f'<section class="panel" style="{style}"><h2>{escape(panel.title)}</h2>{inner}</section>'
        )
    high = max(sum(_box(each["gridPos"])[1::2]) for each in board["panels"]) + _GAP
    return (
        f"<!doctype html><meta charset=utf-8><style>{_STYLE.replace('WIDTH', str(WIDTH))}</style>"
        f"<header><h1>{escape(board['title'])}</h1>{head}</header>"
        f'<main style="height: {high:.0f}px">{"".join(parts)}</main>'
    )


def _box(at: Mapping[str, int]) -> tuple[float, float, float, float]:
    return (
        at["x"] * _CELL + _GAP / 2,
        at["y"] * _UNIT,
        at["w"] * _CELL - _GAP,
        at["h"] * _UNIT - _GAP,
    )


def _place(at: Mapping[str, int]) -> str:
    x, y, w, h = _box(at)
    return f"left: {x:.1f}px; top: {y:.1f}px; width: {w:.1f}px; height: {h:.1f}px"


def _defaults(panel: Panel) -> Mapping[str, Any]:
    found: Mapping[str, Any] = panel.raw["fieldConfig"]["defaults"]
    return found


def _lines(
    panel: Panel, found: Mapping[str, Shown], w: float, h: float, span: tuple[float, float]
) -> str:
    drawn = [
        (legend_of(query.legend, labels), values)
        for query in panel.queries
        for labels, values in found[query.ref]
    ]
    drawn.sort(key=lambda each: each[0])
    colours = _fixed(panel)
    paint = {
        name: colours.get(name, _PALETTE[place % len(_PALETTE)])
        for place, (name, _) in enumerate(drawn)
    }
    rows = min(len(drawn), 5)
    plot = _plot(panel, drawn, paint, w, h - 22 - 15.5 * rows, span)
    unit = _defaults(panel)["unit"]
    busiest = sorted(drawn, key=lambda each: -max(value for _, value in each[1]))[:rows]
    legend = "".join(
        f'<tr><td class="name"><i style="background: {paint[name]}"></i>{escape(name)}</td>'
        f"<td>{written(values[-1][1], unit)}</td>"
        f"<td>{written(max(value for _, value in values), unit)}</td></tr>"
        for name, values in busiest
    )
    heads = '<tr><th class="name">Name</th><th>Last</th><th>Max</th></tr>'
    return f'{plot}<table class="legend">{heads}{legend}</table>'


def _fixed(panel: Panel) -> dict[str, str]:
    return {
        each["matcher"]["options"]: _NAMED[each["properties"][0]["value"]["fixedColor"]]
        for each in panel.raw["fieldConfig"]["overrides"]
        if each["properties"][0]["id"] == "color"
    }


def _plot(
    panel: Panel,
    drawn: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    paint: Mapping[str, str],
    w: float,
    h: float,
    span: tuple[float, float],
) -> str:
    defaults, (start, end) = _defaults(panel), span
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    curves, below = [], dict[float, float]()
    for name, values in drawn:
        base = {at: below.get(at, 0.0) if stacked else 0.0 for at, _ in values}
        top = {at: value + base[at] for at, value in values}
        below |= top if stacked else {}
        curves.append((name, top, base))
    peak = max((value for _, top, _ in curves for value in top.values()), default=0.0)
    most = max(defaults.get("max") or 0.0, peak) or 1.0
    step = _step(most, 1024.0 if defaults["unit"] == "bytes" else 10.0)
    most = max(step * -(-most // step), step)
    left, bottom = 62.0, 18.0

    def x(at: float) -> float:
        return left + (w - left) * (at - start) / (end - start)

    def y(value: float) -> float:
        return 4 + (h - bottom - 4) * (1 - value / most)

    parts = []
    for tick in range(round(most / step) + 1):
        at = y(tick * step)
        label = written(tick * step, defaults["unit"])
        parts.append(f'<path d="M{left} {at:.1f}H{w}" stroke="#26292f"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 3.5:.1f}" text-anchor="end">{label}</text>')
    seconds = next(each for each in (2, 5, 10, 15, 30, 60, 300) if (end - start) / each <= w / 80)
    for instant in range(-int(-start // seconds) * seconds, int(end) + 1, seconds):
        label = time.strftime("%H:%M:%S", time.gmtime(instant))
        parts.append(
            f'<text x="{x(instant):.1f}" y="{h - 4:.1f}" text-anchor="middle">{label}</text>'
        )
    for name, top, base in curves:
        line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in top.items())
        under = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in reversed(base.items()))
        fill = defaults["custom"]["fillOpacity"] / 100
        parts.append(f'<polygon points="{line} {under}" fill="{paint[name]}" opacity="{fill}"/>')
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{paint[name]}" stroke-width="1.3"/>'
        )
    for mark in defaults.get("thresholds", {}).get("steps", []):
        if mark["value"] is not None and mark["value"] <= most and "max" in defaults:
            parts.append(
                f'<path d="M{left} {y(mark["value"]):.1f}H{w}" stroke="{_NAMED[mark["color"]]}" '
                'stroke-dasharray="5 4" opacity=".7"/>'
            )
    return f'<svg width="{w:.0f}" height="{h:.0f}">{"".join(parts)}</svg>'


def _step(most: float, base: float) -> float:
    """Give a round distance of at most six marks up to `most`, in powers of ten or of 1024."""
    parts = (1, 2, 5) if base == 10 else tuple(1 << bits for bits in range(10))
    power = base ** math.floor(math.log(most, base) - 1)
    steps = (power * base**more * part for more in range(3) for part in parts)
    return next(step for step in steps if most / step <= 6)


def _stat(
    panel: Panel, found: Mapping[str, Shown], w: float, h: float, span: tuple[float, float]
) -> str:
    (query,) = panel.queries
    series, names = found[query.ref], panel.raw["options"]["textMode"] == "name"
    said, spark = [], ""
    for labels, values in series:
        text, colour = _said(panel, values[-1][1])
        name = legend_of(query.legend, labels)
        size = min(38.0, 1.6 * w / max(len(name if names else text), 1), h / 1.9 / len(series))
        small = f"<small>{escape(name)}</small>" if name and not names else ""
        said.append(
            f'<div style="font-size: {size:.0f}px; color: {colour}">'
            f"{escape(name if names else text)} {small}</div>"
        )
        if panel.raw["options"]["graphMode"] == "area":
            spark = _spark(values, colour, w + 18, h / 2.4, span)
    return f'<div class="big">{"".join(said)}</div>{spark}'


def _spark(
    values: Sequence[tuple[float, float]],
    colour: str,
    w: float,
    h: float,
    span: tuple[float, float],
) -> str:
    most = max(value for _, value in values) or 1.0
    points = " ".join(
        f"{w * (at - span[0]) / (span[1] - span[0]):.1f},{h - (h - 3) * value / most:.1f}"
        for at, value in values
    )
    return (
        f'<svg class="spark" width="{w:.0f}" height="{h:.0f}">'
        f'<polygon points="{points} {w:.0f},{h:.0f} 0,{h:.0f}" fill="{colour}" opacity=".15"/>'
        f'<polyline points="{points}" fill="none" stroke="{colour}" opacity=".7"/></svg>'
    )


def _said(panel: Panel, value: float) -> tuple[str, str]:
    """Give the words for a value, and its colour: what the mapping says, else the thresholds."""
    defaults = _defaults(panel)
    for mapping in defaults.get("mappings", []):
        if told := mapping["options"].get(f"{value:g}"):
            return told["text"], _NAMED[told["color"]]
    colour = "green"
    for mark in defaults["thresholds"]["steps"]:
        if mark["value"] is None or value >= mark["value"]:
            colour = mark["color"]
    return written(value, defaults["unit"], defaults.get("decimals")), _NAMED[colour]


def _bars(
    panel: Panel, found: Mapping[str, Shown], w: float, h: float, span: tuple[float, float]
) -> str:
    (query,) = panel.queries
    series = found[query.ref]
    most = _defaults(panel).get("max") or max(values[-1][1] for _, values in series) or 1.0
    rows = []
    for labels, values in series:
        text, colour = _said(panel, values[-1][1])
        part = min(values[-1][1] / most, 1) * 100
        rows.append(
            f'<tr><td class="name">{escape(legend_of(query.legend, labels))}</td>'
            f'<td width="55%"><div class="track"><div class="bar" style="width: {part:.1f}%; '
            f'background: {colour}"></div></div></td><td style="color: {colour}">{text}</td></tr>'
        )
    return f'<table class="bars">{"".join(rows)}</table>'


def _table(
    panel: Panel, found: Mapping[str, Shown], w: float, h: float, span: tuple[float, float]
) -> str:
    organized = panel.raw["transformations"][1]["options"]["renameByName"]
    keys = [name for name in organized if not name.startswith("Value #")]
    heads = {query.ref: organized[f"Value #{query.ref}"] for query in panel.queries}
    cells: dict[tuple[str, ...], dict[str, float]] = {}
    for ref, series in found.items():
        for labels, values in series:
            row = cells.setdefault(tuple(labels.get(key, "") for key in keys), {})
            row[heads[ref]] = values[-1][1]
    units = {
        each["matcher"]["options"]: each["properties"][0]["value"]
        for each in panel.raw["fieldConfig"]["overrides"]
    }
    sort = panel.raw["options"]["sortBy"][0]["displayName"]
    ordered = sorted(cells.items(), key=lambda each: -each[1].get(sort, -1))
    top = "".join(f'<th class="name">{key}</th>' for key in keys)
    top += "".join(f"<th>{head}</th>" for head in heads.values())
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="name">{escape(part)}</td>' for part in names)
        + "".join(
            f"<td>{_cell(row.get(head), units.get(head, 'short'))}</td>" for head in heads.values()
        )
        + "</tr>"
        for names, row in ordered
    )
    return f'<table class="grid"><tr>{top}</tr>{rows}</table>'


def _cell(value: float | None, unit: str) -> str:
    return "" if value is None else written(value, unit, 0)


_KINDS = {"timeseries": _lines, "stat": _stat, "bargauge": _bars, "table": _table}
