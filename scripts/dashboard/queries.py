"""What a panel asks of Prometheus: expressions over the gateway's metrics, as text.

Each is narrowed by the variables of the dashboard, `namespace` and `integration`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BY_INTEGRATION = (
    "decisions_total",
    "constant_action",
    "cap_used_ratio",
    "integration_disabled",
)
"""The metrics that have the label `integration`, which the variable of that name narrows."""

REFUSE = 'effect="refuse"'
FAIL = 'result="fail"'
PASS_OR_FAIL = 'result=~"pass|fail", mode!="disabled"'
"""Matchers that several rows use."""


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


def rate_by(label: str, metric: str, *matchers: str) -> Mapping[str, str]:
    """Count a second for each value of a label, which is the legend."""
    return {f"{{{{{label}}}}}": or_none(rate(metric, *matchers, by=[label]), label)}


def quantile(share: float, metric: str, *by: str) -> str:
    """Give the time that this share of what a histogram saw did not exceed."""
    buckets = rate(f"{metric}_bucket", by=("le", *by))
    return f"histogram_quantile({share:g}, {buckets})"


def quantiles(metric: str) -> Mapping[str, str]:
    """Give the times that 50, 95 and 99 % did not exceed, by these legends."""
    return {f"{share:.0%}": quantile(share, metric) for share in (0.5, 0.95, 0.99)}
