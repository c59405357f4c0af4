"""Policies change whole or not at all while the gateway runs."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.load import load
from gateway.proxy.reload import Policies
from tests.patience import eventually
from tests.proxy.rig import Quiet

RULE = "policy: p\nowner: o\nrules: {r: {title: T, mode: %s, for: ['*'], explicit_action: {evidence: literal}}}\n"


def a_configmap(directory: Path, name: str, text: str) -> None:
    """Write files as a ConfigMap does: a new folder, and a link to it that is swapped."""
    version = directory / f"..{name}"
    version.mkdir()
    (version / "rules.yaml").write_text(text)
    link = directory / "..data.new"
    link.symlink_to(version.name)
    link.replace(directory / "..data")
    if not (directory / "rules.yaml").is_symlink():
        (directory / "rules.yaml").symlink_to("..data/rules.yaml")


def policies(directory: Path) -> tuple[Policies, Metrics, Quiet]:
    """Policies that watch a directory, and who hears of it."""
    metrics, log = Metrics(), Quiet()
    today = date(2026, 11, 24)
    loaded = Policies(lambda: load(directory, today=today), directory, Observer(log, metrics))
    return loaded, metrics, log


def value(metrics: Metrics, name: str, **labels: Any) -> float | None:
    return metrics.registry.get_sample_value(f"soe_gateway_{name}", labels)


async def until_changed(active: Policies, revision: str) -> None:
    """Wait for the watch to take a new set."""
    await eventually(lambda: active.current.revision != revision)


async def test_a_configmaps_swap_is_followed(tmp_path: Path) -> None:
    """The link under the files changes, the files' own names do not."""
    a_configmap(tmp_path, "one", RULE % "enforce")
    active, metrics, _ = policies(tmp_path)
    before = active.current
    watching = asyncio.create_task(active.watch(0.01))

    a_configmap(tmp_path, "two", (RULE % "enforce").replace("title: T", "title: Other"))
    await until_changed(active, before.revision)
    watching.cancel()

    assert active.current.rules[0].title == "Other"
    assert value(metrics, "policy_info", revision=active.current.revision) == 1
    assert value(metrics, "policy_info", revision=before.revision) is None


async def test_a_broken_file_leaves_the_last_good_set(tmp_path: Path) -> None:
    """And the log and a metric say so, with the place."""
    a_configmap(tmp_path, "one", RULE % "enforce")
    active, metrics, log = policies(tmp_path)
    before = active.current

    a_configmap(tmp_path, "two", RULE % "enforc")
    await active.reload()

    assert active.current is before
    assert value(metrics, "policy_reload_success") == 0
    event, facts = log.events[-1]
    assert event == "policies.refused"
    assert "rules.yaml:3:" in facts["problems"][0]


async def test_a_mended_file_is_taken(tmp_path: Path) -> None:
    """After the mistake the next good set counts."""
    a_configmap(tmp_path, "one", RULE % "enforce")
    active, metrics, _ = policies(tmp_path)
    a_configmap(tmp_path, "two", "rubbish")
    await active.reload()

    a_configmap(tmp_path, "three", (RULE % "enforce").replace("title: T", "title: Other"))
    await active.reload()

    assert active.current.rules[0].title == "Other"
    assert value(metrics, "policy_reload_success") == 1


async def test_a_set_that_disarms_the_gateway_is_refused(tmp_path: Path) -> None:
    """Where a rule enforced before, none of the new ones enforcing is taken for a mistake."""
    a_configmap(tmp_path, "one", RULE % "enforce")
    active, _, log = policies(tmp_path)
    before = active.current

    a_configmap(tmp_path, "two", RULE % "observe")
    await active.reload()

    assert active.current is before
    assert "no rule enforces any more" in log.events[-1][1]["problems"][0]
