"""Switching integrations off and on: who may, by which form or token, and what is recorded."""

from __future__ import annotations

import re

import pytest

from gateway.policy.registry import digest
from tests.admin.desk import FORM, OPERATOR, VIEWER, Desk


async def test_a_viewer_may_look_and_change_nothing(desk: Desk) -> None:
    """There is no form for him, and what he sends is refused."""
    await desk.sign_in(VIEWER)
    seen = await desk.ask("GET", "/console/integrations")
    bearer = {"authorization": f"Bearer {VIEWER}"}
    sent = await desk.ask("POST", "/console/integrations/disable", bearer, {"integration": "other", "reason": "x"})  # fmt: skip

    assert "help-bot" in seen.text
    assert "integrations/disable" not in seen.text
    assert (sent.status_code, sent.json()["code"]) == (403, "viewer")
    assert desk.audit.events == []


async def test_an_operator_switches_off_and_on(desk: Desk) -> None:
    """It is recorded before it is done, with who and why, and stands on the page."""
    await desk.sign_in()
    by = f"token {digest(OPERATOR.encode())[:8]}"
    off = await desk.switch_off()
    seen = await desk.ask("GET", off.headers["location"])

    assert off.headers["location"] == "/console/integrations?done=disabled"
    switch = desk.switches.off("help-bot")
    assert switch is not None
    assert (switch.by, switch.reason) == (by, "It floods.")
    assert re.search(r"help-bot.*switched off.*It floods\.", seen.text, re.DOTALL)
    held = await desk.form("integrations/enable")
    on = await desk.ask("POST", "/console/integrations/enable", FORM, held)
    assert on.headers["location"] == "/console/integrations?done=enabled"
    assert desk.switches.off("help-bot") is None
    assert [event for event, _ in desk.audit.events] == [
        *("integration.disabled", "integration.disabled_done"),
        *("integration.enabled", "integration.enabled_done"),
    ]
    assert desk.audit.events[0][1] == {"integration": "help-bot", "by": by, "reason": "It floods."}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"reason": "  "}, 400, "no_reason"),
        ({"reason": "x" * 301}, 400, "no_reason"),
        ({"integration": "helpbot"}, 404, "no_integration"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    desk: Desk, changes: dict[str, str], status: int, code: str
) -> None:
    """Whoever is refused is told a reason, and only who is known can be switched."""
    told = {"integration": "help-bot", "reason": "x"} | changes
    bearer = {"authorization": f"Bearer {OPERATOR}"}
    sent = await desk.ask("POST", "/console/integrations/disable", bearer, told)

    assert (sent.status_code, sent.json()["code"]) == (status, code)
    assert desk.audit.events == []


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"origin": "https://evil.example"}, {}),
        ({"origin": ""}, {}),
        ({"sec-fetch-site": "cross-site"}, {}),
        ({}, {"token": ""}),
        ({}, {"token": "0" * 48}),
    ],
)
async def test_a_form_that_is_not_ours_does_nothing(
    desk: Desk, fields: dict[str, str], changes: dict[str, str]
) -> None:
    """Though an operator is signed in, in the browser that sends it."""
    await desk.sign_in()
    held = await desk.form("integrations/disable") | {"reason": "x"} | changes
    sent = await desk.ask("POST", "/console/integrations/disable", FORM | fields, held)

    assert sent.status_code == 403
    assert desk.switches.off("help-bot") is None


async def test_a_form_of_another_session_or_purpose_does_nothing(desk: Desk) -> None:
    """Its token is bound to both."""
    await desk.sign_in()
    old = await desk.form("integrations/disable") | {"reason": "x"}
    other = old | {"token": (await desk.form("sign-out"))["token"]}
    first = await desk.ask("POST", "/console/integrations/disable", FORM, other)
    await desk.sign_in()
    second = await desk.ask("POST", "/console/integrations/disable", FORM, old)

    assert (first.status_code, second.status_code) == (403, 403)


async def test_programs_come_with_the_token_and_get_json(desk: Desk) -> None:
    """No cookie, no form: whoever can send this header has the token."""
    bearer = {"authorization": f"Bearer {OPERATOR}"}
    sent = await desk.ask(
        "POST", "/console/integrations/disable", bearer, {"integration": "other", "reason": "x"}
    )
    listed = (await desk.ask("GET", "/console/integrations", bearer)).json()["integrations"]

    assert sent.json() == {"integration": "other", "disabled": True, "everywhere": True}
    assert [(each["name"], each["disabled"] is not None) for each in listed] == [
        ("other", True),
        ("help-bot", False),
        ("anonymous", False),
    ]


async def test_what_cannot_be_recorded_is_not_done(desk: Desk) -> None:
    """The page says so."""
    await desk.sign_in()
    desk.audit.broken = True
    sent = await desk.switch_off()

    assert sent.status_code == 503
    assert desk.switches.off("help-bot") is None
