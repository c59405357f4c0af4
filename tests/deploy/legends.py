"""How Grafana writes names and numbers, as far as the dashboard needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Shown = Sequence[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]
"""Series: labels, and values with their instants."""

_PER_SECOND = {"wps": "wr/s", "reqps": "req/s", "ops": "ops/s"}
_TIMES = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def legend_of(pattern: str, labels: Mapping[str, str]) -> str:
    """Put labels into a legend."""
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), pattern).strip()


def written(value: float, unit: str, decimals: float | None = None) -> str:
    """Write a value in its unit."""
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals else 0}f} %"
    if unit in ("s", "bytes") and value:
        table = _TIMES if unit == "s" else _SIZES
        size, name = next((each for each in table if value >= each[0]), table[-1])
        return f"{value / size:.3g} {name}" if value / size < 1000 else f"{value / size:.0f} {name}"
    number = f"{value:.{int(decimals)}f}" if decimals is not None else _short(value)
    return f"{number} {_PER_SECOND.get(unit, '')}".strip()


def _short(value: float) -> str:
    return f"{value:.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"
