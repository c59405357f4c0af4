"""A write of an integration that is switched off, whatever else is true of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import Switch
from gateway.proxy import switches as switches_module
from gateway.proxy.switches import Switches
from gateway.state.memory import MemoryStore
from gateway.state.switches import MemorySwitches, SwitchFile
from tests.patience import PATIENCE
from tests.proxy.rig import Broken, Quiet, Rig, Ticking
from tests.proxy.test_posture import discover

OFF = Switch(integration="anonymous", off=True, at=1.0, by="jane", reason="It floods the site.")


def switch_off(rig: Rig) -> Rig:
    """Give the gateway in which whoever writes is switched off."""
    pipeline = replace(rig.app.pipeline, off={OFF.integration: OFF}.get)
    rig.app = replace(rig.app, pipeline=pipeline)
    return rig


async def test_it_is_refused_with_reason_and_contact(rig: Rig) -> None:
    """Nothing is sent, no rule judges it, and the record says what refused it."""
    status, _, body = await switch_off(rig).send()
    told = json.loads(body)

    assert (status, told["code"]) == (403, "integration_disabled")
    assert told["title"] == "This integration is switched off"
    assert "It floods the site. " in told["detail"]
    assert "Contact: Team (team@example.com)." in told["detail"]
    assert "retry_after" not in told
    assert rig.received == []
    [record] = rig.records("decision")
    assert record["effect"] == "refuse"
    assert [(each["rule"], each["code"]) for each in record["findings"]] == [
        ("switched-off", "integration_disabled")
    ]
    assert rig.records("outcome") == []


async def test_it_is_refused_in_the_wrapper_of_v2_3(rig: Rig) -> None:
    """As access that is denied, and without a `backoff`, for to wait changes nothing."""
    form = {
        "title": "How do I rotate it?",
        "body": "x" * 40,
        "tags": "a",
        "key": "k",
        "access_token": "t",
    }
    status, _, body = await switch_off(rig).send(
        target=b"/api/2.3/questions/add", form=form, token=None
    )
    told = json.loads(body)

    assert (status, told["error_id"], told["error_name"]) == (400, 403, "access_denied")
    assert told["code"] == "integration_disabled"
    assert "It floods the site." in told["error_message"]
    assert "backoff" not in told


async def test_discover_lets_it_pass_no_more_than_guard(rig: Rig) -> None:
    """In that posture rules warn; an operator's act is none."""
    status, _, _ = await switch_off(discover(rig)).send()

    assert status == 403
    assert rig.received == []


async def test_a_dry_run_tells_it(rig: Rig) -> None:
    """With what would be answered."""
    status, _, body = await switch_off(rig).send(fields=((b"x-gateway-dry-run", b"true"),))
    told = json.loads(body)

    assert status == 200
    assert (told["effect"], told["status"]) == ("refuse", 403)
    assert [each["code"] for each in told["violations"]] == ["integration_disabled"]


async def test_its_reads_pass(rig: Rig) -> None:
    """What it reads harms nobody."""
    status, _, _ = await switch_off(rig).send(method="GET")

    assert status == 201
    assert len(rig.received) == 1


async def test_nothing_passes_while_nobody_knows_who_is_off(tmp_path: Path, rig: Rig) -> None:
    """A new machine whose state is away refuses writes until it has heard, and then knows."""
    file = SwitchFile(tmp_path / "switches.jsonl")
    away = Switches(file, Broken(), Ticking(), tell=lambda _: None, fails=lambda *_: None)
    assert await away.look() == {"store"}
    rig.app = replace(rig.app, pipeline=replace(rig.app.pipeline, off=away.off))
    status, _, body = await rig.send()

    assert (status, json.loads(body)["code"]) == (503, "state_unavailable")
    assert rig.received == []
    file.join([OFF])
    assert await away.look() == {"store"}
    assert (await rig.send())[0] == 403


async def test_what_fails_is_told_once_for_each_outage(tmp_path: Path) -> None:
    """Looks come twice a second; a log that says so as often says nothing."""
    told: list[str] = []
    (tmp_path / "switches.jsonl").write_text('{"integration": "bot"}\n')
    store = Broken()
    switches = Switches(
        SwitchFile(tmp_path / "switches.jsonl"),
        store,
        Ticking(),
        tell=lambda _: None,
        fails=lambda place, _: told.append(place),
    )
    for _ in range(3):
        await switches.look()
    assert told == ["file", "store"]

    with pytest.raises(StoreError, match="neither"):
        await switches.turn("bot", off=True, by="jane", reason="x")
    assert switches.current["bot"].off


async def test_a_start_looks_again_where_state_was_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins on a new machine while state does not answer knows what is off when it does."""
    monkeypatch.setattr(switches_module, "_WAITS_AT_MOST", PATIENCE)
    store = MemoryStore(1.0)
    await store.switches.join((OFF,))

    class Busy(Broken):
        asked = 0

        @property
        def switches(self) -> MemorySwitches:
            self.asked += 1
            if self.asked < 4:
                raise StoreError("busy")
            return store.switches

    switches = Switches(
        SwitchFile(tmp_path / "switches.jsonl"),
        Busy(),
        Ticking(),
        tell=lambda _: None,
        fails=lambda *_: None,
    )
    await switches.learn()

    assert switches.off(OFF.integration) == OFF


async def test_a_switch_that_state_did_not_take_comes_there_later(tmp_path: Path) -> None:
    """It holds on this machine at once, and everywhere when state answers again."""
    file = SwitchFile(tmp_path / "switches.jsonl")
    file.join([])
    alone = Switches(file, Broken(), Ticking(), tell=lambda _: None, fails=lambda *_: None)
    everywhere = await alone.turn("bot", off=True, by="jane", reason="x")
    beside = Switches(file, Broken(), Ticking(), tell=lambda _: None, fails=lambda *_: None)
    await beside.look()

    assert not everywhere
    assert beside.off("bot") is not None
    store = MemoryStore(1.0)
    mended = Switches(file, store, Ticking(), tell=lambda _: None, fails=lambda *_: None)
    await mended.look()
    assert [each.integration for each in await store.switches.all()] == ["bot"]


def test_what_was_switched_is_logged_and_counted(rig: Rig) -> None:
    """Who, and why; the gauge is 1 while it is off."""
    observer, log = rig.app.observer, rig.log
    assert isinstance(log, Quiet)
    observer.switched(OFF)
    observer.switched(replace(OFF, off=False, at=2.0))

    assert log.events[-2:] == [
        ("integration.disabled", {"integration": "anonymous", "by": "jane", "reason": OFF.reason}),
        ("integration.enabled", {"integration": "anonymous", "by": "jane"}),
    ]
