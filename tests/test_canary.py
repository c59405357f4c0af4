"""A write that must be refused proves now and then that the gate is shut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.canary import CanaryRun, canary_of
from gateway.model import Mode
from gateway.policy.load import Source, load, sources
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering
from gateway.state.memory import MemoryStore
from tests.patience import PATIENCE
from tests.proxy.rig import Broken, Rig, Scripted, build

TODAY = date(2026, 11, 24)
TESTED = """\
policy: tested
owner: tests
rules:
  no-shouting:
    title: Quiet please
    mode: enforce
    for: [question.create]
    if: {title: {matches: '!$'}}
tests:
  a quiet question passes:
    steps: [{question.create: new, title: How?, expect: pass}]
  a loud one does not:
    given: {as: help-bot, team: red}
    steps: [{question.create: new, title: "How!", expect: {refused_by: [no-shouting]}}]
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway under the shipped policies."""
    rig = build(tmp_path, 1, MemoryStore(86_400.0), Scripted())
    rig.app.policies.current = load(None, today=TODAY)
    yield rig
    await rig.audit.close()


def run(rig: Rig) -> CanaryRun:
    return CanaryRun(rig.app, rig.app.observer, lambda: sources(None))


def value(rig: Rig, name: str, **labels: str) -> float | None:
    metrics = rig.app.observer._metrics
    return metrics.registry.get_sample_value(f"soe_gateway_{name}", labels)


async def test_the_shipped_policies_have_one_and_refuse_it(rig: Rig) -> None:
    """It is refused by its rule, and a metric says so."""
    assert await run(rig).once()

    assert value(rig, "canary_refused") == 1
    assert value(rig, "canary_runs_total", result="refused") == 1


async def test_it_is_counted_nowhere_else(rig: Rig) -> None:
    """No record, no log line, no other metric, nothing at SOE, nothing taken from a cap."""
    runs = run(rig)
    for _ in range(100):
        await runs.once()

    assert rig.records("decision") == []
    assert rig.log.events[1:] == []
    assert value(rig, "requests_total", kind="write", status="4xx") == 0
    assert (await rig.send())[0] != 429
    assert rig.received == []


async def test_an_open_gate_is_told(rig: Rig) -> None:
    """Were the rules of a set lost on the way, the canary would go to SOE; it goes nowhere."""
    runs = run(rig)
    await runs.once()

    current = rig.app.policies.current
    rig.app.policies.current = replace(current, rules=())  # the same revision: nobody noticed
    shut = await runs.once()

    assert not shut
    assert value(rig, "canary_refused") == 0
    assert rig.log.events[-1][0] == "canary.passed"
    assert rig.received == []


async def test_a_canary_that_cannot_be_tried_proves_nothing(rig: Rig) -> None:
    """A fault of ours on its way is told, and it is tried again: the metric does not stay at 1."""
    faults = iter([None, RuntimeError, None])

    def files() -> tuple[Source, ...]:
        fault = next(faults)
        if fault is not None:
            raise fault
        return sources(None)

    runs = CanaryRun(rig.app, rig.app.observer, files)
    trying = asyncio.create_task(runs.repeat(0.01))
    seen = []
    for revision, wanted in (("one", 1), ("two", 0), ("two", 1)):
        rig.app.policies.current = replace(rig.app.policies.current, revision=revision)
        async with asyncio.timeout(PATIENCE):
            while value(rig, "canary_refused") != wanted:
                await asyncio.sleep(0.001)
        seen.append(wanted)
    trying.cancel()

    assert seen == [1, 0, 1]


async def test_another_refusal_is_no_proof(rig: Rig) -> None:
    """A gateway that refuses everything for another reason does not show that its rules hold."""
    runs = run(rig)
    await runs.once()
    current = rig.app.policies.current
    kept = tuple(replace(rule, id="other") for rule in current.rules)
    rig.app.policies.current = replace(current, rules=kept)

    assert not await runs.once()


async def test_it_needs_neither_state_nor_audit_log(tmp_path: Path) -> None:
    """What a rule refuses by itself is refused without them."""
    rig = build(tmp_path, 1, Broken(), Scripted())
    rig.app.policies.current = load(None, today=TODAY)
    await rig.audit.close()

    assert await run(rig).once()


async def test_in_discover_the_gate_is_open_and_it_says_so(rig: Rig) -> None:
    """No rule enforces, so nothing can prove that one does."""
    rig.app.policies.current = discovering(rig.app.policies.current)

    assert not await run(rig).once()
    assert value(rig, "canary_refused") == 0
    assert rig.log.events[-1][0] == "canary.none"


def a_set(tmp_path: Path, text: str) -> tuple[PolicySet, Path]:
    (tmp_path / "rules.yaml").write_text(text)
    return load(tmp_path, today=TODAY, shipped=False), tmp_path


def test_it_is_the_first_test_whose_first_step_is_refused(tmp_path: Path) -> None:
    """As a request of v3 that says what the step says, in its team."""
    policies, directory = a_set(tmp_path, TESTED)

    canary = canary_of(policies, sources(directory, shipped=False))

    assert canary is not None
    assert canary.rules == {"no-shouting"}
    assert (canary.method, canary.target) == ("POST", b"/api/v3/teams/red/questions")
    assert b'"How!"' in canary.body


def test_without_a_test_there_is_none(tmp_path: Path) -> None:
    """Nor where the rule that the test is about does not enforce."""
    for text in (TESTED.partition("tests:\n")[0], TESTED.replace("mode: enforce", "mode: warn")):
        policies, directory = a_set(tmp_path, text)

        assert canary_of(policies, sources(directory, shipped=False)) is None


def test_a_rule_for_some_hours_gives_none(tmp_path: Path) -> None:
    """By day it would let the canary pass, and cry wolf."""
    at_night = "if: {title: {matches: '!$'}, hour: {at_least: 7, below: 9}}"
    text = TESTED.replace("if: {title: {matches: '!$'}}", at_night)

    policies, directory = a_set(tmp_path, text)

    assert canary_of(policies, sources(directory, shipped=False)) is None


def test_a_write_that_only_v2_has_serves_as_well(tmp_path: Path) -> None:
    """As a form."""
    text = TESTED.replace("question.create: new", "comment.create: 5")
    text = text.replace("question.create", "comment.create").replace("title: ", "body: ")
    text = text.replace("body: Quiet", "title: Quiet")

    policies, directory = a_set(tmp_path, text)
    canary = canary_of(policies, sources(directory, shipped=False))

    assert canary is not None
    assert (canary.target, canary.body) == (
        b"/api/2.3/posts/5/comments/add",
        b"body=How%21&team=red",
    )


def test_a_rule_for_one_integration_gives_none(tmp_path: Path) -> None:
    """The canary presents nothing: who it pretends to be would be another path."""
    policies, directory = a_set(tmp_path, TESTED)
    narrowed = tuple(
        replace(rule, integrations=frozenset({"help-bot"}), mode=Mode.ENFORCE)
        for rule in policies.rules
    )

    found = canary_of(replace(policies, rules=narrowed), sources(directory, shipped=False))

    assert found is None
