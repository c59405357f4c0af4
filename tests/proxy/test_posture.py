"""In discover nobody is stopped by a rule or for want of a registration; until it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path

from gateway.model import Mode
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering, ends
from gateway.proxy.reload import Policies
from tests.patience import eventually
from tests.proxy.rig import RULES, Quiet, Rig

TODAY = date(2026, 11, 24)


def discover(rig: Rig) -> Rig:
    """Give the same gateway, in discover, where callers must be registered."""
    policies = rig.app.policies
    policies.current = discovering(policies.current)
    pipeline = replace(rig.app.pipeline, anonymous="refuse")
    rig.app = replace(rig.app, pipeline=pipeline)
    return rig


async def test_what_rules_and_registration_would_refuse_passes(rig: Rig) -> None:
    """It is sent, and record and answer tell what would have been refused."""
    status, fields, _ = await discover(rig).send(act=False)

    assert status == 201
    assert len(rig.received) == 1
    assert fields[b"gateway-warning"] == b'acted; code="explicit_action"'
    record = rig.records("decision")[0]
    told = {each["rule"]: (each["mode"], each["code"]) for each in record["findings"]}
    assert told["registration"] == ("warn", "unregistered_caller")
    assert told["acted"] == ("warn", "explicit_action")
    assert record["revision"].endswith("-discover")


async def test_caps_and_copies_stop_nobody(rig: Rig) -> None:
    """Whatever the rules count, the flood passes, and is warned of."""
    discover(rig)
    statuses = [(await rig.send())[0] for _ in range(4)]

    assert statuses == [201] * 4
    last = {each["rule"]: each["result"] for each in rig.records("decision")[-1]["findings"]}
    assert (last["one-a-minute"], last["no-copy"]) == ("fail", "fail")


async def test_doubt_on_the_wire_is_refused_as_ever(rig: Rig) -> None:
    """Unknown writes and what two parsers could read differently are nobody's habit."""
    discover(rig)
    unknown, _, _ = await rig.send(target=b"/api/v3/unheard-of")
    doubtful, _, _ = await rig.send(fields=((b"x-http-method-override", b"PUT"),))

    assert (unknown, doubtful) == (403, 400)
    assert rig.received == []


async def test_in_guard_nobody_unregistered_writes(rig: Rig) -> None:
    """The same request is refused where the posture is not discover."""
    pipeline = replace(rig.app.pipeline, anonymous="refuse")
    rig.app = replace(rig.app, pipeline=pipeline)

    assert (await rig.send())[0] == 403
    assert rig.received == []


async def test_the_posture_ends_by_itself() -> None:
    """When its last day is over, the rules decide again, though no file changed."""
    metrics, over = Metrics(), asyncio.Event()

    active = Policies(
        lambda: load(None, today=TODAY),
        None,
        Observer(Quiet(), metrics),
        lambda loaded: loaded if over.is_set() else discovering(loaded),
    )
    watching = asyncio.create_task(active.watch(0.01))
    assert not active.current.enforcing
    assert metrics.registry.get_sample_value("soe_gateway_posture", {"posture": "discover"}) == 1

    over.set()
    await eventually(lambda: not active.current.discovering)
    watching.cancel()

    assert active.current.enforcing
    assert metrics.registry.get_sample_value("soe_gateway_posture", {"posture": "guard"}) == 1


async def test_the_posture_ends_though_the_files_are_broken_by_then(tmp_path: Path) -> None:
    """What was loaded last decides again; nor does a fault of ours end the watch before."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    over, log = asyncio.Event(), Quiet()

    def loaded() -> PolicySet:
        if file.read_text() == "a fault of ours":
            raise RuntimeError
        return load(tmp_path, today=TODAY)

    active = Policies(
        loaded,
        tmp_path,
        Observer(log, Metrics()),
        lambda policies: policies if over.is_set() else discovering(policies),
    )
    watching = asyncio.create_task(active.watch(0.01))
    for text, event in (("a fault of ours", "gateway.crashed"), ("rubbish", "policies.refused")):
        file.write_text(text)
        await eventually(lambda event=event: log.events[-1][0] == event)  # type: ignore[misc]
    assert active.current.discovering

    over.set()
    await eventually(lambda: not active.current.discovering)
    watching.cancel()

    assert active.current.enforcing


def test_rules_that_only_look_stay_as_they_are() -> None:
    """Nothing that was observed is told to callers."""
    policies = load(None, today=TODAY)
    observed = replace(policies.rules[0], mode=Mode.OBSERVE)
    found = discovering(replace(policies, rules=(observed, *policies.rules[1:])))

    assert found.rules[0].mode is Mode.OBSERVE
    assert {rule.mode for rule in found.rules[1:]} == {Mode.WARN}


def test_a_last_day_lasts_to_its_end() -> None:
    """Days are those of UTC."""
    assert ends(date(2026, 11, 24)) == ends(date(2026, 11, 23)) + 86_400
    assert ends(date(1970, 1, 1)) == 86_400
