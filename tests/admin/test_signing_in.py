"""Who gets into the console, in which role, for how long, and to which page."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from gateway.admin.app import admin_app
from gateway.admin.console import place
from gateway.admin.roles import Doors, Role
from gateway.observe.metrics import Metrics
from gateway.pages.session import Session
from gateway.policy.registry import digest
from gateway.proxy.hold import Visitor
from tests.admin.desk import FORM, HTML, OPERATOR, OWN, VIEWER, Desk, hashed


async def test_nobody_sees_anything_before_he_signed_in(desk: Desk) -> None:
    """A person is asked to, and a program is told so; the page he wanted is remembered."""
    seen = await desk.ask("GET", "/console/integrations?done=disabled")
    told = await desk.ask("GET", "/console/integrations", {})

    assert seen.status_code == 303
    assert seen.headers["location"] == "/console/sign-in?to=integrations%3Fdone%3Ddisabled"
    door = await desk.ask("GET", seen.headers["location"])
    assert 'value="integrations?done=disabled"' in door.text
    assert (told.status_code, told.json()["code"]) == (401, "not_signed_in")
    assert "help-bot" not in seen.text + told.text + door.text


async def test_a_token_opens_the_page_that_was_wanted(desk: Desk) -> None:
    """And the page says who one is; the cookie is for this host and no script."""
    entered = await desk.sign_in(to="integrations")
    seen = await desk.ask("GET", "/console/integrations")

    assert (entered.status_code, entered.headers["location"]) == (303, "/console/integrations")
    assert entered.headers["set-cookie"].endswith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax")
    assert f"token {digest(OPERATOR.encode())[:8]}</bdi>, operator" in seen.text
    assert "asks &lt;b&gt;" in seen.text
    assert ("console.signed_in", "operator") in [(e, f.get("role")) for e, f in desk.log.events]


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil",
        "",
        "a\nb",
        "\\evil",
        "javascript:alert(1)",
    ],
)
def test_the_way_back_stays_on_the_console(to: str) -> None:
    """Whatever an address says, it leads below the root."""
    assert re.fullmatch(r"/console/(?!/)[!-~]*", place({"to": to}))


async def test_over_https_the_cookie_is_bound_to_the_host(desk: Desk) -> None:
    """Where `console.url` says so, whatever address the request names."""
    desk.console = replace(desk.console, public_url="https://console.example.com")
    fields = FORM | {"origin": "https://console.example.com"}
    entered = await desk.ask("POST", "/console/sign-in", fields, {"key": OPERATOR})

    assert entered.headers["set-cookie"].startswith("__Host-console=")
    assert entered.headers["set-cookie"].endswith("; Secure")


async def test_a_session_ends(desk: Desk) -> None:
    """By itself, by signing out, and when its token is taken out of the settings."""
    await desk.sign_in()
    kept = dict(desk.cookies)
    doors = desk.console.doors
    desk.console = replace(desk.console, doors=Doors(viewers=(hashed(VIEWER),)))
    assert (await desk.ask("GET", "/console/integrations")).status_code == 303
    desk.console = replace(desk.console, doors=doors)
    assert (await desk.ask("GET", "/console/integrations")).status_code == 200

    await desk.ask("POST", "/console/sign-out", FORM, await desk.form("sign-out"))
    assert desk.cookies == {}
    desk.cookies = kept
    desk.clock.at += 3601
    assert (await desk.ask("GET", "/console/integrations")).status_code == 303


async def test_tokens_cannot_be_tried_for_long(desk: Desk) -> None:
    """After ten that were wrong within a minute, not even a right one opens; then it does."""
    wrong = [(await desk.sign_in(f"guess-{n}")).status_code for n in range(10)]
    by_header = await desk.ask("GET", "/console/integrations", {"authorization": "Bearer guess"})
    late = await desk.sign_in()

    assert wrong == [401] * 10
    assert (by_header.status_code, late.status_code) == (429, 429)
    assert desk.cookies == {}
    desk.clock.at += 61
    assert (await desk.sign_in()).status_code == 303


async def test_a_trusted_proxy_says_who_it_is(desk: Desk) -> None:
    """With each request; who has no role is told so, and an address of nobody's counts for nothing."""
    sessions = replace(
        desk.console.sessions,
        header=b"x-forwarded-email",
        trusted=(ip_network("127.0.0.0/8"),),
    )
    doors = Doors(operators=("jane@example.com",))
    desk.console = replace(desk.console, sessions=sessions, doors=doors)
    told_by_proxy = {**HTML, "x-forwarded-email": "Jane@Example.com"}
    held_page = await desk.ask("GET", "/console/integrations", told_by_proxy)
    found = LexborHTMLParser(held_page.text).css_first('form[action$="/disable"]')
    assert found is not None
    inputs = found.css("input[type=hidden]")
    told = {str(e.attributes["name"]): str(e.attributes["value"]) for e in inputs}
    fields = FORM | {"x-forwarded-email": "Jane@Example.com"}
    sent = await desk.ask("POST", "/console/integrations/disable", fields, told | {"reason": "x"})
    max_ = await desk.ask("GET", "/console/integrations", HTML | {"x-forwarded-email": "max@x.de"})

    assert sent.status_code == 303
    assert desk.audit.events[0][1]["by"] == "Jane@Example.com"
    assert max_.status_code == 403
    assert "help-bot" not in max_.text


@pytest.mark.parametrize(
    ("visitor", "role"),
    [
        (Visitor(email="Jane@example.com"), Role.OPERATOR),
        (Visitor(email="max@example.com"), Role.VIEWER),
        (Visitor(email="max@example.com", groups=("admins",)), Role.OPERATOR),
        (Visitor(subject="jane@example.com"), None),
        (Visitor(subject="group:admins", name="group:admins"), None),
        (Visitor(email="group:admins"), None),
        (Visitor(email=hashed(OPERATOR)), None),
        (Visitor(subject=hashed(OPERATOR)), None),
        (Visitor(groups=("admins",)), None),
        (Visitor(), None),
    ],
)
def test_a_name_opens_only_what_it_is_listed_for(visitor: Visitor, role: Role | None) -> None:
    """Addresses that are vouched for, and groups of who signed in; the greater role counts."""
    doors = Doors(
        viewers=("max@example.com",),
        operators=("jane@example.com", "group:admins", hashed(OPERATOR)),
    )
    who = doors.by_session(Session(id="s", until=0, visitor=visitor))

    assert (who.role if who else None) == role


async def test_without_anybody_let_in_it_says_how(desk: Desk) -> None:
    """In text, with status 404."""
    app = admin_app(Metrics(), lambda: True, lambda: "r")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OWN) as client:
        answer = await client.get("/console/integrations")

    assert answer.status_code == 404
    assert "console:\n    operators" in answer.text
