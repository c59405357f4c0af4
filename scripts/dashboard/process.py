"""How is the gateway itself?"""

from __future__ import annotations

from dashboard.colours import NONE_IS_GOOD
from dashboard.panels import Figure, Lines
from dashboard.queries import grown, of, or_none, or_zero, quantiles, rate, total

_CPU, _MEMORY = (
    f'process_{name}{{namespace=~"$namespace"}}'
    for name in ("cpu_seconds_total", "resident_memory_bytes")
)
_OURS = f"and on (job, instance) {of('enforcing')}"
_EACH = ("instance", "worker")

PROCESS = (
    Figure(
        "Processes that serve",
        f"{total(of('workers'))} or count({of('enforcing')})",
        about="Workers that are ready, or replicas where each is one process.",
    ),
    Figure(
        "Workers restarted",
        or_zero(grown("worker_restarts_total")),
        about="Workers of the time shown that ended and were replaced: a bug, or lack of memory; "
        "the log says worker.died.",
        runbooks=["WorkerRestarting"],
        steps=NONE_IS_GOOD,
        decimals=0,
    ),
    Figure(
        "Version",
        f"count by (version) ({of('build_info')})",
        about="Which versions run; two of them while a new one is rolled out.",
        unit="string",
        names="{{version}}",
    ),
    Figure(
        "Policies in force for",
        f"time() - min({of('policy_last_reload_timestamp_seconds')})",
        about="How long ago the oldest of the processes read the policies that it uses.",
        unit="s",
    ),
    Figure(
        "Policy files read",
        or_none(grown("policy_reloads_total", by=["result"]), "result"),
        about="How often policy files were read in the time shown, by how it went.",
        legend="{{result}}",
        decimals=0,
    ),
    Figure(
        "Log lines dropped",
        or_zero(grown("log_lines_dropped_total")),
        about="Lines of the time shown that nobody took from standard output in time. The audit "
        "log has every decision all the same.",
        steps=NONE_IS_GOOD,
        decimals=0,
    ),
    Lines(
        "Time that the gateway adds",
        quantiles("added_latency_seconds"),
        about="The time of a request less the time at SOE.",
        unit="s",
        runbooks=["LatencyAdded"],
        width=8,
    ),
    Lines(
        "Requests answered",
        {"{{kind}} {{status}}": or_none(rate("requests_total", by=["kind", "status"]), "kind")},
        about="Reads and writes by the class of their status; none: the client left before there "
        "was an answer.",
        unit="reqps",
        stacked=True,
        width=8,
    ),
    Lines(
        "In flight",
        {
            "requests": total(of("requests_in_flight")),
            "connections to SOE": total(of("upstream_connections")),
        },
        about="Requests that are being answered, and connections to SOE.",
        width=8,
    ),
    Lines(
        "CPU",
        {"{{instance}} {{worker}}": total(f"rate({_CPU}[$__rate_interval]) {_OURS}", *_EACH)},
        about="How much of a core each process uses. One process cannot use more than one: start "
        "more workers before it is full.",
        unit="percentunit",
    ),
    Lines(
        "Memory",
        {"{{instance}} {{worker}}": total(f"{_MEMORY} {_OURS}", *_EACH)},
        about="What each process has in memory.",
        unit="bytes",
    ),
)
