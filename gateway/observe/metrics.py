"""Every metric. Label values come from closed sets: traffic cannot make new ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FILES = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names where the workers keep their values; read by prometheus_client."""

_PREFIX = "soe_gateway"
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class _OneOf(Gauge):
    """A gauge of which one child is 1. In a worker's file no child can be removed: it becomes 0."""

    def clear(self) -> None:
        for labels in tuple(self._metrics):
            self.labels(*labels).set(0)
        if FILES not in os.environ:
            super().clear()


class Metrics:
    """All metrics of one process, in a registry of their own.

    What a gauge's mode says holds between workers: the least, the greatest or the last set value
    of those that live is shown. Counters and histograms add up, and keep what dead workers counted.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests answered.", ("kind", "status"))
        self.decisions = self._counter(
            "decisions", "Writes decided.", ("operation", "effect", "integration")
        )
        self.findings = self._counter(
            "findings",
            "What rules found; shows what observed rules would do.",
            ("rule", "mode", "result"),
        )
        self.outcomes = self._counter(
            "outcomes", "What became of writes that passed.", ("operation", "outcome")
        )
        self.holds = self._counter(
            "holds",
            "Holds that became open, confirmed, declined, used or expired.",
            ("status",),
        )
        self.refused = self._counter(
            "request_errors", "Requests refused before any rule judged them.", ("code",)
        )
        self.store_errors = self._counter("store_errors", "Calls to state that failed.", ("call",))
        self.open_errors = self._counter(
            "rules_open", "Rules that let a write pass because state failed.", ("rule",)
        )
        self.audit_errors = self._counter("audit_errors", "Records that could not be written.", ())
        self.upstream_errors = self._counter("upstream_errors", "Exchanges that failed.", ("code",))
        self.person_lookups = self._counter(
            "person_lookups", "Questions to SOE about whose a token is.", ("result",)
        )
        self.title_lookups = self._counter(
            "title_lookups", "Questions to SOE about what a thread is called.", ("result",)
        )
        self.log_dropped = self._counter("log_lines_dropped", "Log lines nobody took.", ())
        self.audit_sync = self._histogram("audit_sync_seconds", "Time of a sync.", _FAST)
        self.added_latency = self._histogram(
            "added_latency_seconds", "Time in the gateway less the time at SOE.", _FAST
        )
        self.upstream = self._histogram("upstream_seconds", "Time until SOE's head.", _SLOW)
        self.reload_success = Gauge(
            f"{_PREFIX}_policy_reload_success",
            "Whether the last look at the policy files was good.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.reload_success.set(1)  # a worker that starts says nothing bad of the files
        self.policy_info = _OneOf(
            f"{_PREFIX}_policy_info",
            "The revision in force is 1.",
            ("revision",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.enforcing = Gauge(
            f"{_PREFIX}_enforcing",
            "Whether any rule can refuse a write.",
            registry=self.registry,
            multiprocess_mode="livemostrecent",
        )
        self.canary = Gauge(
            f"{_PREFIX}_canary_refused",
            "Whether the last write that must be refused was; 0 also where there is none to try.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.canary_runs = self._counter(
            "canary_runs", "Writes that must be refused, tried through the pipeline.", ("result",)
        )
        self.constant_action = Gauge(
            f"{_PREFIX}_constant_action",
            "Writes in a row whose asserted act differs in nothing but its time.",
            ("integration",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.disabled = Gauge(
            f"{_PREFIX}_integration_disabled",
            "Whether an operator switched the integration off; of those that ever were.",
            ("integration",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.posture = _OneOf(
            f"{_PREFIX}_posture",
            "The posture in force is 1.",
            ("posture",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def render(self) -> bytes:
        """Give all values as Prometheus reads them; takes milliseconds, so not on the loop."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, labels: Sequence[str]) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", meaning, buckets=buckets, registry=self.registry)


class WorkersMetrics:
    """The metrics of all workers as one, and what their supervisor counts itself.

    Args:
        directory: where the workers keep their values, each in files of its number: a worker that
            takes a dead one's place counts on from there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, self._directory)  # type: ignore[no-untyped-call]  # as the library comes
        self.ready = Gauge(
            f"{_PREFIX}_workers", "Workers that are ready, with --workers.", registry=self.registry
        )
        self.restarts = Counter(
            f"{_PREFIX}_worker_restarts",
            "Workers that were started in the place of one that ended.",
            registry=self.registry,
        )

    def ended(self, number: int) -> None:
        """Forget the gauges of a worker that ended; its counters stay counted."""
        mark_process_dead(number, self._directory)  # type: ignore[no-untyped-call]  # as the library comes

    def render(self) -> bytes:
        """As `Metrics.render`; reads the workers' files."""
        return generate_latest(self.registry)


def keep_in_files(number: int) -> None:
    """Let the metrics that are made from now on live in files, as those of the worker `number`."""
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # as the library comes


@cache
def status_class(status: int) -> str:
    """Give `2xx` for 201; `none` where no answer was sent."""
    return f"{status // 100}xx" if status else "none"


def metrics_reference() -> str:
    """Give the table of all metrics, in Markdown."""
    rows = []
    for metric in (*vars(Metrics()).values(), *vars(WorkersMetrics(Path())).values()):
        if isinstance(metric, MetricWrapperBase):
            described = next(iter(metric.describe()))
            suffix = "_total" if described.type == "counter" else ""
            names = metric._labelnames  # noqa: SLF001  # it has no public name
            labels = ", ".join(f"`{name}`" for name in names) or "–"
            rows.append(
                f"| `{described.name}{suffix}` | {described.type} | {labels} | "
                f"{described.documentation} |"
            )
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *sorted(rows)])
