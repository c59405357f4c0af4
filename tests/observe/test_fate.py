"""What `audit fate` leaves is shown among the metrics, and nothing where it left nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.observe.fate import FATE, Fate, FateMetrics, write_fates


def shown(path: Path) -> list[str]:
    """The samples that a registry gives."""
    registry = CollectorRegistry()
    registry.register(FateMetrics(path))
    return [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]


def test_what_was_counted_last_is_shown_by_integration(tmp_path: Path) -> None:
    """Operations add up; a later count takes the place of an earlier one, without a restart."""
    path = tmp_path / "data" / "fate.json"
    write_fates(path, [Fate(integration="gone-bot", operation="answer.create", published=9)], 5.0)
    counts = [
        Fate(integration="help-bot", operation="answer.create", published=3, deleted=2),
        Fate(integration="help-bot", operation="question.create", published=4, closed=1),
    ]
    write_fates(path, counts, 1_795_000_000.0)

    assert sorted(shown(path)) == [
        'soe_gateway_fate_posts{fate="closed",integration="help-bot"} 1.0',
        'soe_gateway_fate_posts{fate="deleted",integration="help-bot"} 2.0',
        'soe_gateway_fate_posts{fate="downvoted",integration="help-bot"} 0.0',
        'soe_gateway_fate_posts{fate="published",integration="help-bot"} 7.0',
        "soe_gateway_fate_timestamp_seconds 1.795e+09",
    ]
    assert [each.name for each in path.parent.iterdir()] == ["fate.json"]


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b'{"version": 9}', b'{"version": 1, "fates": [{}], "at": 1}']
)
def test_without_a_count_there_is_no_metric(content: bytes | None, tmp_path: Path) -> None:
    """A file that is not there, or is none of ours, breaks no scrape."""
    path = tmp_path / "fate.json"
    if content is not None:
        path.write_bytes(content)

    assert shown(path) == []


def test_the_names_are_told_without_a_file(tmp_path: Path) -> None:
    """So that no other metric can take them."""
    told = {metric.name for metric in FateMetrics(tmp_path / "fate.json").describe()}

    assert told == set(FATE)
