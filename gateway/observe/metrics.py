"""Every metric. Label values come from closed sets: traffic cannot make new ones.

Of callers that nobody registered all count as one integration, `anonymous`. Rules and integrations
are those that are loaded: what a reload takes away goes (`Metrics.keep`).
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.observe.fate import FATE

_FILES = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names where the workers keep their values; read by prometheus_client."""

STORE_CALLS = ("reserve", "settle", "keep_answer", "peek", "notes")
"""What state is asked."""
UPSTREAM_CODES = (
    "abandoned",
    "closed",
    "connect_failed",
    "connect_timeout",
    "cut",
    "first_byte_timeout",
    "malformed",
    "pool_closed",
    "pool_exhausted",
    "tls_failed",
    "total_timeout",
)
"""How an exchange with SOE fails."""
_STATUSES = ("2xx", "3xx", "4xx", "5xx", "none")
PROCESS = {
    "process_cpu_seconds_total": ("counter", "Processor time that the process used."),
    "process_max_fds": ("gauge", "Files that it may have open."),
    "process_open_fds": ("gauge", "Files that it has open."),
    "process_resident_memory_bytes": ("gauge", "Memory that it holds."),
    "process_start_time_seconds": ("gauge", "When it started."),
    "process_virtual_memory_bytes": ("gauge", "Memory that it may address."),
}
"""What Prometheus calls the same in every program; with --workers, of each process."""
OTHER = "other"
"""The rule or integration of what is counted when too many names were seen already."""
_CHILDREN_AT_MOST = 10_000
"""Sets of label values of one metric, since what workers counted stays in their files."""
_PREFIX = "soe_gateway"
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# When each child was made would be as many series again, and no worker tells it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # as the library comes


_Of = TypeVar("_Of", Counter, Gauge)


class _InForce(Gauge):
    """A gauge of what holds now is 1. In a worker's file no child can be removed: it becomes 0."""

    def clear(self) -> None:
        for labels in tuple(self._metrics):
            self.labels(*labels).set(0)
        if _FILES not in os.environ:
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
        self.in_flight = self._gauge(
            "requests_in_flight", "Requests that are being answered.", mode="livesum"
        )
        self.cap_used = self._gauge(
            "cap_used_ratio",
            "How full the fullest counter of a cap is, 0 to 1, as state last said to this process; "
            "falls evenly until its window has passed.",
            ("rule", "integration"),
            mode="livemax",
        )
        self.holds_open = self._gauge(
            "holds_open", "Writes that wait for a person; counted each minute.", mode="livemax"
        )
        self.store = self._histogram("store_seconds", "Time of a call to state.", _FAST, ("call",))
        self.store_errors = self._counter("store_errors", "Calls to state that failed.", ("call",))
        self.store_up = self._gauge(
            "store_up", "Whether the last call to state worked.", mode="livemin", start=1
        )
        self.store_waits = self._gauge(
            "store_waiting_for_word",
            "Whether state has lost data and refuses until `soe-gateway state accept-loss`.",
            mode="livemax",
        )
        self.store_losses = self._counter(
            "store_losses", "Times that a process found data of its state lost.", ()
        )
        self.open_errors = self._counter(
            "rules_open", "Rules that let a write pass because state failed.", ("rule",)
        )
        self.audit_errors = self._counter("audit_errors", "Records that could not be written.", ())
        self.audit_records = self._counter("audit_records", "Records written.", ("kind",))
        self.audit_waiting = self._gauge(
            "audit_waiting",
            "Records that are not yet durable, or could not be written yet.",
            mode="livesum",
        )
        self.audit_free = self._gauge(
            "audit_free_bytes",
            "Free space where the audit log's files are, the least of several; +Inf without files.",
            mode="livemin",
            start=inf,
        )
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
        self.upstream_connections = self._gauge(
            "upstream_connections", "Connections to SOE that a request has.", mode="livesum"
        )
        # A worker that starts says nothing bad of files, nor of state.
        self.reload_success = self._gauge(
            "policy_reload_success",
            "Whether the last look at the policy files was good.",
            mode="livemin",
            start=1,
        )
        self.reloads = self._counter(
            "policy_reloads", "Loads of the policy files, in each worker.", ("result",)
        )
        self.last_reload = self._gauge(
            "policy_last_reload_timestamp_seconds",
            "When the policy files were last loaded well; of several workers, the longest ago.",
            mode="livemin",
        )
        self.policy_info = _InForce(
            f"{_PREFIX}_policy_info",
            "The revision in force is 1.",
            ("revision",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.rule_info = _InForce(
            f"{_PREFIX}_rule_info",
            "Each rule in force is 1, with its check; conditions where it has none.",
            ("rule", "check"),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.enforcing = self._gauge(
            "enforcing", "Whether any rule can refuse a write.", mode="livemostrecent"
        )
        self.canary = self._gauge(
            "canary_refused",
            "Whether the last write that must be refused was; 0 also where there is none to try.",
            mode="livemin",
        )
        self.canary_runs = self._counter(
            "canary_runs", "Writes that must be refused, tried through the pipeline.", ("result",)
        )
        self.constant_action = self._gauge(
            "constant_action",
            "Writes in a row whose asserted act differs in nothing but its time.",
            ("integration",),
            mode="livemax",
        )
        self.disabled = self._gauge(
            "integration_disabled",
            "Whether an operator switched the integration off; of those that ever were.",
            ("integration",),
            mode="livemax",
        )
        self.switch_errors = self._counter(
            "switch_errors",
            "Outages in which what is switched off could not be read or kept, by the place.",
            ("place",),
        )
        for place in ("store", "file"):
            self.switch_errors.labels(place)
        self.posture = _InForce(
            f"{_PREFIX}_posture",
            "The posture in force is 1.",
            ("posture",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )

        self.build = self._gauge(
            "build_info", "The version that runs is 1.", ("version",), mode="livemax"
        )
        self.build.labels(__version__).set(1)
        # What is not there yet cannot be seen to begin, nor to be absent.
        for code in UPSTREAM_CODES:
            self.upstream_errors.labels(code)
        for kind, status in product(("read", "write"), _STATUSES):
            self.requests.labels(kind, status)
        if _FILES not in os.environ:
            self.registry.register(_Processes({"": "self"}.items))

    def render(self) -> bytes:
        """Give all values as Prometheus reads them; takes milliseconds, so not on the loop."""
        return generate_latest(self.registry)

    def keep(self, *, rules: Collection[str], integrations: Collection[str]) -> None:
        """Drop what is counted of all other rules and integrations.

        In workers' files nothing can be dropped: there a gauge becomes 0, a counter stays, and
        `child` sees to it that they are not too many.
        """
        loaded = {"rule": rules, "integration": integrations}
        for metric in (self.decisions, self.findings, self.open_errors, self.cap_used):
            _keep(metric, loaded)
        _keep(self.constant_action, loaded)

    def _counter(self, name: str, meaning: str, labels: Sequence[str]) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(
            f"{_PREFIX}_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def _gauge(
        self, name: str, meaning: str, labels: Sequence[str] = (), *, mode: Any, start: float = 0
    ) -> Gauge:
        gauge = Gauge(
            f"{_PREFIX}_{name}", meaning, labels, registry=self.registry, multiprocess_mode=mode
        )
        if start:
            gauge.set(start)
        return gauge


def child(metric: _Of, *labels: str) -> _Of:
    """Give a metric's child, whose rule and integration are `other` where there are too many."""
    known = metric._metrics  # noqa: SLF001  # it has no public name
    if len(known) >= _CHILDREN_AT_MOST and labels not in known:
        names = metric._labelnames  # noqa: SLF001  # nor has this
        labels = tuple(
            OTHER if name in ("rule", "integration") else value
            for name, value in zip(names, labels, strict=True)
        )
    return metric.labels(*labels)


def _keep(metric: Counter | Gauge, loaded: Mapping[str, Collection[str]]) -> None:
    names = metric._labelnames  # noqa: SLF001  # it has no public name
    for labels in tuple(metric._metrics):  # noqa: SLF001  # nor has this
        named = zip(names, labels, strict=True)
        if all(value in loaded.get(name, (value,)) for name, value in named):
            continue
        if _FILES not in os.environ:
            metric.remove(*labels)
        elif isinstance(metric, Gauge):
            metric.labels(*labels).set(0)


class _Processes(Collector):
    """What the system knows of processes, read when it is asked for.

    Args:
        processes: the values of the label `worker`, each with a process id; an empty one is left out.
    """

    def __init__(self, processes: Callable[[], Iterable[tuple[str, int | str]]]) -> None:
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for worker, pid in self._processes():
            labels = {"worker": worker} if worker else {}
            of_one = ProcessCollector(pid=partial(str, pid), registry=None)
            for told in of_one.collect():
                family = families.setdefault(
                    told.name, Metric(told.name, told.documentation, told.type)
                )
                for sample in told.samples:
                    family.add_sample(sample.name, labels, sample.value)
        yield from families.values()


_TRIES, _PAUSE = 100, 0.01
"""How often files that cannot be read are read again, and the seconds between."""


class WorkersMetrics:
    """The metrics of all workers as one, and what their supervisor counts itself.

    Args:
        directory: where the workers keep their values, each in files of its number: a worker that
            takes a dead one's place counts on from there.
        processes: gives the process ids of the workers that live, by number.
    """

    def __init__(self, directory: Path, processes: Callable[[], Mapping[int, int]] = dict) -> None:
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
        self.registry.register(
            _Processes(
                lambda: [
                    ("supervisor", "self"),
                    *((str(number), pid) for number, pid in processes().items()),
                ]
            )
        )

    def ended(self, number: int) -> None:
        """Forget the gauges of a worker that ended; its counters stay counted."""
        mark_process_dead(number, self._directory)  # type: ignore[no-untyped-call]  # as the library comes

    def render(self) -> bytes:
        """As `Metrics.render`; reads the workers' files.

        One that a worker is just making, or that goes with it, cannot be read: then all are again.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(struct.error, FileNotFoundError):
                return generate_latest(self.registry)
            time.sleep(_PAUSE)
        return generate_latest(self.registry)


def keep_in_files(number: int, directory: str) -> None:
    """Let metrics live in files from now on, as those of the worker `number`; before one is made."""
    os.environ[_FILES] = directory
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # as the library comes


@cache
def status_class(status: int) -> str:
    """Give `2xx` for 201; `none` where no answer was sent."""
    return f"{status // 100}xx" if status else "none"


def metrics_reference() -> str:
    """Give the table of all metrics, in Markdown."""
    rows = [
        f"| `{name}` | {kind} | `worker` (with --workers) | {meaning} |"
        for name, (kind, meaning) in PROCESS.items()
    ]
    for name, (names, meaning) in FATE.items():
        shown = ", ".join(f"`{label}`" for label in names) or "–"
        rows.append(f"| `{name}` | gauge | {shown} | {meaning} |")
    for metric in (*vars(Metrics()).values(), *vars(WorkersMetrics(Path())).values()):
        if isinstance(metric, MetricWrapperBase):
            described = next(iter(metric.describe()))
            suffix = "_total" if described.type == "counter" else ""
            labelled = metric._labelnames  # noqa: SLF001  # it has no public name
            labels = ", ".join(f"`{name}`" for name in labelled) or "–"
            rows.append(
                f"| `{described.name}{suffix}` | {described.type} | {labels} | "
                f"{described.documentation} |"
            )
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *sorted(rows)])
