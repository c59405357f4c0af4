"""Gauges that are read now and then show what is, and forget what is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.model import Charge, Reservation, Window
from gateway.observe.caps import CapUse
from gateway.observe.levels import Levels
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.state.memory import MemoryStore
from tests.samples import a_write


@dataclass(slots=True)
class Counted:
    """What is asked how many there are."""

    in_use: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """Levels over what they read."""

    levels: Levels
    metrics: Metrics
    observer: Observer
    caps: CapUse
    counted: Counted

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(f"soe_gateway_{name}", labels)


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Levels over a process that does nothing yet, with its audit log in a real directory."""
    metrics, caps, counted = Metrics(), CapUse(), Counted()
    observer = Observer(None, metrics)
    levels = Levels(metrics, observer, caps, counted, (tmp_path,))
    return Reading(levels, metrics, observer, caps, counted)


def test_what_is_in_flight_is_read(reading: Reading) -> None:
    """Requests, connections and records, as many as there are at that moment."""
    reading.observer.began()
    reading.observer.began()
    reading.observer.left()
    reading.counted.in_use, reading.counted.waiting = 3, 5
    reading.levels.audit = reading.counted
    reading.levels.read(0.0)

    assert reading.value("requests_in_flight") == 1
    assert reading.value("upstream_connections") == 3
    assert reading.value("audit_waiting") == 5


def test_an_audit_log_that_is_not_open_keeps_nobody_waiting(reading: Reading) -> None:
    """While its disk is full at the start, there is none."""
    reading.levels.read(0.0)

    assert reading.value("audit_waiting") == 0


async def test_caps_fall_to_nothing_without_traffic(reading: Reading) -> None:
    """A minute after the last write of a cap per minute nothing of it is used."""
    charge = Charge(cap="cap|", windows=(Window(limit=4, seconds=60.0),))
    asked = Reservation(write=a_write(), groups=({"cap": charge},))
    reading.caps.reserved(asked, await MemoryStore(86_400.0).reserve(asked), 0.0)
    shown = []
    for at in (0.0, 61.0, 62.0):
        reading.levels.read(at)
        shown.append(reading.value("cap_used_ratio", rule="cap", integration="help-bot"))

    assert shown == [0.25, 0.0, 0.0]


def test_free_space_is_that_of_the_audit_log(reading: Reading) -> None:
    """More than nothing, and a number; before the first look it is not known to be short."""
    before = reading.value("audit_free_bytes")
    reading.levels.read_disks()
    free = reading.value("audit_free_bytes")

    assert before == float("inf")
    assert free is not None
    assert 0 < free < float("inf")
