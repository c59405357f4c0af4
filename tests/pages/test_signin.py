"""People sign in at the sandbox's provider, as in a browser, and are known by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.model import Approver
from gateway.pages.oidc import Provider
from gateway.pages.signin import SignIn
from gateway.proxy.hold import Status
from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, PATH
from gateway.state.memory import MemoryStore
from tests.e2e.stack import sandbox
from tests.pages.visiting import OWN, Browser, held, hold_all, hold_of, page, people, with_people
from tests.patience import PATIENCE
from tests.proxy.rig import Rig, Scripted, build
from tests.sandbox.relying import Relying


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A sandbox that runs."""
    with sandbox() as url:
        yield url


@pytest.fixture
async def rig(tmp_path: Path, site: str) -> AsyncIterator[Rig]:
    """A gateway whose people sign in at the sandbox."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rig = build(tmp_path, port, MemoryStore(86_400.0), soe)
    scopes = "openid email profile"
    provider = Provider(site + PATH, CLIENT_ID, CLIENT_SECRET, scopes, now=time.time)
    sign_in = SignIn(provider=provider, sessions=people(rig).confirm.sessions)
    with_people(rig, confirm=replace(people(rig).confirm, can_sign_in=True), sign_in=sign_in)
    hold_all(rig)
    yield rig
    await rig.audit.close()
    server.close()


async def go(browser: Browser, site: str, link: str, person: str = "Ada") -> str:
    """Follow the link to the provider, and say who it is; gives where that leads back to."""
    sent = await browser.look(link)
    assert sent.status == 303
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        relying = Relying(http, site)
        shown = await http.get(sent.fields[b"location"].decode())
        back = await relying.choose(shown, person)
    return back.headers["location"].removeprefix(OWN)


async def sign_in(browser: Browser, site: str, hold_id: str, person: str = "Ada") -> None:
    """Sign in from a hold's page."""
    (link,) = (await browser.look(page(hold_id))).tree.css("a.button")
    back = await browser.look(await go(browser, site, str(link.attributes["href"]), person))
    assert (back.status, back.fields[b"location"].decode()) == (303, page(hold_id))


async def test_the_acting_person_signs_in_and_confirms(rig: Rig, site: str) -> None:
    """From the link to the decision, by the address that SOE knows as well."""
    hold_id = await held(rig)
    browser = Browser(rig)

    await sign_in(browser, site, hold_id)
    seen = await browser.look(page(hold_id))
    decided = await browser.decide(hold_id)

    assert "Signed in as Ada (ada@example.com)" in seen.text
    assert seen.buttons == ["Post it", "Do not post it"]
    assert decided.status == 303
    assert (await hold_of(rig, hold_id)).known is Approver.PERSON
    assert list(browser.cookies) == ["soe-gateway"]


async def test_somebody_else_is_told_so_and_can_sign_in_anew(rig: Rig, site: str) -> None:
    """As another, or out."""
    hold_id = await held(rig)
    browser = Browser(rig)
    await sign_in(browser, site, hold_id, "Grace")

    seen = await browser.look(page(hold_id))
    out = await browser.send("/_gateway/sign-out", seen.form("/_gateway/sign-out"))

    assert "You are signed in as Grace (grace@example.com)" in seen.text
    (another,) = seen.tree.css("a.button")
    assert str(another.attributes["href"]).endswith("&as=another")
    assert seen.buttons == []
    assert (out.status, out.fields[b"location"].decode()) == (303, page(hold_id))
    assert browser.cookies == {}
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


@pytest.mark.parametrize("wrong", ["state", "none", "other browser", "twice", "late", "nobody"])
async def test_who_comes_back_otherwise_is_nobody(rig: Rig, site: str, wrong: str) -> None:
    """With another state, to another browser, a second time, too late, or without having chosen."""
    hold_id = await held(rig)
    browser = Browser(rig)
    link = f"/_gateway/sign-in?hold={hold_id}"
    back = await go(browser, site, link, "Nobody" if wrong == "nobody" else "Ada")
    if wrong == "state":
        back = back.replace("state=", "state=x")
    elif wrong == "none":
        back = back.partition("&state")[0]
    elif wrong == "other browser":
        browser = Browser(rig)
    elif wrong == "twice":
        before = dict(browser.cookies)
        assert (await browser.look(back)).status == 303
        browser.cookies = before
    elif wrong == "late":
        rig.clock.at += 601

    seen = await browser.look(back)

    assert seen.status in (400, 502)
    assert (await browser.look(page(hold_id))).buttons == []


async def test_a_stolen_code_signs_nobody_else_in(rig: Rig, site: str) -> None:
    """It was given for another browser's verifier; and why is logged, without the code."""
    hold_id = await held(rig)
    victim, thief = Browser(rig), Browser(rig)
    link = f"/_gateway/sign-in?hold={hold_id}"
    stolen = httpx.URL(OWN + await go(victim, site, link)).params["code"]
    own = httpx.URL(OWN + await go(thief, site, link, "Grace")).params

    seen = await thief.look(f"/_gateway/signed-in?code={stolen}&state={own['state']}")

    assert seen.status == 502
    assert "soe-gateway" not in thief.cookies
    assert ("sign_in.failed", {"reason": "code_refused"}) in rig.log.events
    assert stolen not in str(rig.log.events)


@pytest.mark.parametrize(
    "target",
    [
        "/_gateway/sign-in",
        "/_gateway/sign-in?hold=//evil.example",
        "/_gateway/sign-in?hold=https://evil.example/",
        "/_gateway/sign-in?hold=" + "f" * 33,
        "/_gateway/sign-out",
        "/_gateway/signing-in",
    ],
)
async def test_nobody_is_led_elsewhere(rig: Rig, target: str) -> None:
    """Signing in comes from a page of ours and leads back to it."""
    assert (await Browser(rig).look(target)).status == 404


async def test_a_form_of_another_site_signs_nobody_out(rig: Rig, site: str) -> None:
    """It needs the page's token."""
    hold_id = await held(rig)
    browser = Browser(rig)
    await sign_in(browser, site, hold_id)

    seen = await browser.send("/_gateway/sign-out", {"hold": hold_id})

    assert seen.status == 403
    assert browser.cookies


async def test_another_replica_reads_the_session(rig: Rig, site: str, tmp_path: Path) -> None:
    """As it has the same key; one with another key does not."""
    hold_id = await held(rig)
    browser = Browser(rig)
    await sign_in(browser, site, hold_id)
    sessions = people(rig).confirm.sessions
    other = replace(sessions, seal=replace(sessions.seal, key=b"o" * 32))

    assert (await browser.look(page(hold_id))).buttons
    with_people(rig, confirm=replace(people(rig).confirm, sessions=other))
    assert (await browser.look(page(hold_id))).buttons == []
