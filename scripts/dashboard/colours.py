"""The colours of panels, and from which values they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
CALM = ((None, GREEN),)
NONE_IS_GOOD = ((None, GREEN), (1, RED))
"""Green for 0, red from 1: what should not happen at all."""
FULL = ((None, GREEN), (0.8, ORANGE), (1, RED))
"""For the used share of what is bounded."""

Steps = Sequence[tuple[float | None, str]]
"""Colours by the value from which they hold; None is from the least on."""


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Say it as Grafana takes it."""
    marks: list[Any] = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)
