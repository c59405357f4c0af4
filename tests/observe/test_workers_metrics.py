"""The metrics of several workers, whose files come and go."""

from __future__ import annotations

import threading
from pathlib import Path

from gateway.observe.metrics import WorkersMetrics


def test_a_file_that_a_worker_is_just_making_is_read_when_it_is_there(tmp_path: Path) -> None:
    """It is empty for a moment; who asks then gets an answer all the same."""
    file = tmp_path / "counter_1.db"
    file.touch()
    making = threading.Timer(0.05, file.write_bytes, [bytes(4096)])
    making.start()
    told = WorkersMetrics(tmp_path).render()
    making.join()

    assert b"soe_gateway_workers 0.0" in told
