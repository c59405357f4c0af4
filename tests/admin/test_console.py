"""Who gets into the console, what each may see and do there, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from gateway.admin.app import admin_app
from gateway.admin.console import Console, place
from gateway.admin.followed import Followed
from gateway.admin.integrations import Integrations
from gateway.admin.roles import Doors, Role, Tries
from gateway.admin.visit import Told, View, Visit
from gateway.errors import AuditError, StoreError
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.pages.session import Session, Sessions
from gateway.policy.registry import Integration, digest
from gateway.proxy.hold import Visitor
from gateway.proxy.switches import Switches
from gateway.seal import Seal
from gateway.state.memory import MemoryStore
from gateway.state.switches import SwitchFile
from tests.proxy.rig import Quiet, Ticking

OWN = "http://127.0.0.1:9180"
OPERATOR, VIEWER = "token-of-an-operator", "token-of-a-viewer"
HTML = {"accept": "text/html,*/*"}
FORM = {**HTML, "origin": OWN, "sec-fetch-site": "same-origin"}
REGISTERED = (
    Integration(
        name="help-bot", owner="Grace", contact="#help", purpose="asks <b>", tier="trusted"
    ),
    Integration(name="other", owner="Alan", contact="#other", purpose="tells"),
)


def hashed(token: str) -> str:
    """An entry of the settings for a token."""
    return f"sha256:{digest(token.encode())}"


@dataclass
class Recorded:
    """An audit log that keeps what is told, or takes nothing."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    broken: bool = False

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        if self.broken:
            raise AuditError("full")
        self.events.append((event, facts | {"by": person}))


@dataclass
class Desk:
    """A console of real parts, and a browser before it that keeps cookies."""

    console: Console
    clock: Ticking
    log: Quiet
    audit: Recorded
    switches: Switches
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = HTML,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        app = admin_app(Metrics(), lambda: True, lambda: "r", self.console)
        transport = httpx.ASGITransport(app)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**headers, **({"cookie": cookie} if cookie else {})}
        async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
            answer = await client.request(method, path, headers=sent, data=data)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    async def sign_in(self, token: str = OPERATOR, **more: str) -> httpx.Response:
        return await self.ask("POST", "/console/sign-in", FORM, {"key": token, **more})

    async def form(self, action: str) -> dict[str, str]:
        """What the first form that goes to a place holds."""
        seen = LexborHTMLParser((await self.ask("GET", "/console/integrations")).text)
        found = seen.css_first(f'form[action="/console/{action}"]')
        assert found is not None
        inputs = found.css("input[type=hidden]")
        return {str(e.attributes["name"]): str(e.attributes["value"]) for e in inputs}

    async def switch_off(self, **changes: str) -> httpx.Response:
        held = await self.form("integrations/disable")
        told = held | {"reason": "It floods.", **changes}
        return await self.ask("POST", "/console/integrations/disable", FORM, told)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A console, in which nobody signed in."""
    clock, log, audit = Ticking(), Quiet(), Recorded()
    switches = Switches(
        SwitchFile(tmp_path / "switches.jsonl"),
        MemoryStore(1.0),
        clock,
        tell=lambda _: None,
        fails=lambda *_: None,
    )
    followed = Followed(None, tmp_path / "index.db", shared=False)
    page = Integrations(
        registered=lambda: REGISTERED,
        switches=switches,
        audit=audit,
        followed=followed,
        clock=clock,
    )

    async def fails(visit: Visit) -> Told:
        raise {"state": StoreError("away")}.get(visit.rest, ZeroDivisionError())

    async def lives(_: Visit) -> Told:
        return {"heading": "Live", "detail": "", "code": ""}

    console = Console(
        doors=Doors(viewers=(hashed(VIEWER),), operators=(hashed(OPERATOR),)),
        sessions=Sessions(
            seal=Seal(b"c" * 32), clock=clock, secret=b"f" * 32, cookie="console", lasts=3600
        ),
        tries=Tries(),
        sign_in=None,
        observer=Observer(log, Metrics()),
        views=(
            page.view,
            View(path="fails/", template="wrong.html", show=fails),
            View(path="live", template="wrong.html", show=lives, live=True),
        ),
        acts=page.acts,
        followed=followed,
    )
    return Desk(console, clock, log, audit, switches)


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


async def test_a_live_page_runs_the_one_script_that_is_a_file_of_ours(desk: Desk) -> None:
    """It may ask this very origin, and nothing that stands in the page itself is run."""
    script = await desk.ask("GET", "/console/live.js")
    await desk.sign_in()
    policy = (await desk.ask("GET", "/console/live")).headers["content-security-policy"]

    assert script.headers["content-type"] == "text/javascript"
    assert policy.endswith("; script-src 'self'; connect-src 'self'")
    assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; ")


async def test_no_other_page_runs_a_script_or_is_framed(desk: Desk) -> None:
    """Whatever the answer: the browser is told so, and keeps none of it."""
    answers = [await desk.ask("GET", f"/console/{path}") for path in ("sign-in", "style.css", "x")]
    await desk.sign_in()
    answers += [await desk.ask("GET", f"/console/{path}") for path in ("", "integrations", "x")]

    for each in answers:
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; frame-anc")
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert each.headers["cache-control"] == "no-store"
        assert "<script" not in each.text
        assert " style=" not in each.text
    assert [each.status_code for each in answers] == [200, 200, 303, 303, 200, 404]


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


@pytest.mark.parametrize(("page", "status"), [("state", 503), ("bug", 500)])
async def test_a_page_that_fails_says_so(desk: Desk, page: str, status: int) -> None:
    """And the console goes on; a bug is logged."""
    await desk.sign_in()
    seen = await desk.ask("GET", f"/console/fails/{page}")

    assert seen.status_code == status
    assert (await desk.ask("GET", "/console/integrations")).status_code == 200
    assert any(event in ("state.failed", "gateway.crashed") for event, _ in desk.log.events)


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
