"""Does SOE answer?"""

from __future__ import annotations

from dashboard.colours import GREEN, ORANGE, RED
from dashboard.panels import Lines
from dashboard.queries import quantiles, rate, rate_by

UPSTREAM = (
    Lines(
        "Time until SOE answers",
        quantiles("upstream_seconds"),
        about="From the first byte of a request to the head of its answer.",
        unit="s",
        runbooks=["UpstreamFailing"],
        width=8,
    ),
    Lines(
        "What became of writes that passed",
        rate_by("outcome", "outcomes_total"),
        about="ok; refused (SOE said no); failed (SOE broke); unknown (nobody can tell); not_sent.",
        unit="wps",
        stacked=True,
        colours={"ok": GREEN, "refused": ORANGE, "failed": RED, "unknown": "purple"},
        width=8,
    ),
    Lines(
        "Exchanges that failed",
        {"{{code}}": rate("upstream_errors_total", by=["code"])},
        about="By what went wrong between the gateway and SOE.",
        unit="reqps",
        runbooks=["UpstreamFailing"],
        width=8,
    ),
)
