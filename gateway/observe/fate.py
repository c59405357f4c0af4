"""The fate of posts, as `soe-gateway audit fate --metrics` leaves it for a running gateway to show.

A small file in the data directory, replaced as a whole and read whenever metrics are asked for: the
command asks SOE, when it is told to; the gateway does not.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

FATE_FILE = "fate.json"
"""Its name in the data directory."""
FATES = ("published", "deleted", "closed", "downvoted")
_VERSION = 1
_POSTS, _AT = "soe_gateway_fate_posts", "soe_gateway_fate_timestamp_seconds"
FATE: Mapping[str, tuple[tuple[str, ...], str]] = {
    _POSTS: (
        ("integration", "fate"),
        "Posts that an integration made in the time that `audit fate` looked at: all of them are "
        "`published`, and some `deleted`, `closed` or `downvoted`; as it last found them.",
    ),
    _AT: ((), "When `audit fate --metrics` last counted."),
}
"""What there is where `audit fate --metrics` ran: labels and meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of the posts that an integration made by one operation.

    Attributes:
        published: all of them.
        closed: those that stand and are closed; questions alone can be.
        downvoted: those that stand and have more votes against than for them.
    """

    integration: str
    operation: str
    published: int = 0
    deleted: int = 0
    closed: int = 0
    downvoted: int = 0


def write_fates(path: Path, fates: Collection[Fate], at: float) -> None:
    """Leave fates for the gateway, whole or not at all."""
    told = {"version": _VERSION, "at": at, "fates": [asdict(fate) for fate in fates]}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(told))
    unfinished.replace(path)


class FateMetrics(Collector):
    """Shows what the file holds; nothing where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterator[Metric]:
        """As `Collector.collect`."""
        told = _read(self._path)
        if told is None:
            return
        at, posts = told
        yield GaugeMetricFamily(_AT, FATE[_AT][1], value=at)
        family = GaugeMetricFamily(_POSTS, FATE[_POSTS][1], labels=FATE[_POSTS][0])
        for labels, count in sorted(posts.items()):
            family.add_metric(labels, count)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Tell the names without reading the file."""
        yield GaugeMetricFamily(_AT, FATE[_AT][1])
        yield GaugeMetricFamily(_POSTS, FATE[_POSTS][1], labels=FATE[_POSTS][0])


def _read(path: Path) -> tuple[float, Mapping[tuple[str, str], int]] | None:
    """Read when it was counted, and how many posts by integration and fate."""
    posts: Counter[tuple[str, str]] = Counter()
    try:
        told: Any = json.loads(path.read_bytes())
        if told["version"] != _VERSION:
            return None
        for each in told["fates"]:
            for fate in FATES:
                posts[str(each["integration"]), fate] += int(each[fate])
        return float(told["at"]), posts
    except (OSError, ValueError, LookupError, TypeError):
        return (
            None  # there is none, or none of ours: whoever reads metrics is not the one to mend it
        )
