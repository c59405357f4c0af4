"""Counts by hour as figures to draw: places and sizes for SVG, and the rows of its table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.admin.wording import EFFECTS
from gateway.audit.index.entries import Hour, RuleHour

HOURS = 24
WIDTH, HEIGHT = 960, 220
_LEFT, _TOP, _BOTTOM = 44, 12, 194
_SLOT = (WIDTH - _LEFT) / HOURS
_GAP = 0.24
"""Of a slot, what is left free beside its bar."""
_EVERY = 3
"""Hours between two labels."""
SPARK_WIDTH, SPARK_HEIGHT = 144, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A part of an hour's bar."""

    x: float
    y: float
    width: float
    height: float
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An hour in the table: its beginning, and its writes by effect."""

    at: float
    writes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Writes by hour, stacked by effect.

    Attributes:
        lines: of the grid: where, and how many writes that is.
        labels: of hours: where, and the hour.
        rows: all hours, the oldest first.
    """

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, int], ...]
    labels: tuple[tuple[float, str], ...]
    rows: tuple[Row, ...]


def by_hour(hours: Iterable[Hour], since: float) -> Chart:
    """Draw the writes of a day.

    Args:
        since: the first of its hours.
    """
    counted: Counter[tuple[int, str]] = Counter()
    for hour in hours:
        counted[int((hour.at - since) // 3600), hour.effect] += hour.writes
    rows = tuple(
        Row(at=since + n * 3600, writes=tuple(counted[n, effect] for effect in EFFECTS))
        for n in range(HOURS)
    )
    top = scale(max(sum(row.writes) for row in rows))
    return Chart(
        bars=tuple(bar for n, row in enumerate(rows) for bar in _stack(n, row, top)),
        lines=tuple((_y(value, top), value) for value in (0, top // 2, top)),
        labels=tuple(
            (_LEFT + (n + 0.5) * _SLOT, datetime.fromtimestamp(row.at, UTC).strftime("%H:00"))
            for n, row in enumerate(rows)
            if n % _EVERY == 0
        ),
        rows=rows,
    )


def scale(most: int) -> int:
    """Give the top of an axis: an even number that is easily read, and not below the most."""
    power = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * power >= most:
                return step * power
        power *= 10


def _stack(number: int, row: Row, top: int) -> Iterable[Bar]:
    below = 0
    for effect, writes in zip(EFFECTS, row.writes, strict=True):
        if writes:
            yield Bar(
                x=_LEFT + (number + _GAP / 2) * _SLOT,
                y=_y(below + writes, top),
                width=_SLOT * (1 - _GAP),
                height=_y(below, top) - _y(below + writes, top),
                effect=effect,
            )
            below += writes


def _y(writes: int, top: int) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * writes / top


def spark(hours: Sequence[RuleHour], since: float) -> tuple[Bar, ...]:
    """Draw a rule's hits of a day, small, each hour relative to its most."""
    counted: Counter[int] = Counter()
    for hour in hours:
        counted[int((hour.at - since) // 3600)] += hour.hits
    most, slot = max(counted.values(), default=1), SPARK_WIDTH / HOURS
    return tuple(
        Bar(
            x=n * slot,
            y=SPARK_HEIGHT - max(2.0, SPARK_HEIGHT * hits / most),
            width=slot - 1.5,
            height=max(2.0, SPARK_HEIGHT * hits / most),
        )
        for n, hits in sorted(counted.items())
    )
